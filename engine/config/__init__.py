"""What can be set, and how settings are read."""

from engine.config.sections import Config, load_config

__all__ = ["Config", "load_config"]
