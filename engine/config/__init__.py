"""Holds every setting of a build, and reads settings from text and TOML."""

from engine.config.sections import Config, load_config

__all__ = ["Config", "load_config"]
