"""Defines all settings of a build, and reads settings from TOML files and from text."""

from engine.config.sections import Config, load_config

__all__ = ["Config", "load_config"]
