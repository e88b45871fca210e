"""Named sets of settings that differ from the defaults, as TOML files."""
