"""Builds an index, one call per arrow, and plans a build before it starts."""
