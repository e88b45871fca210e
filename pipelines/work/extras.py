"""Checks that the packages of the extra [build] are installed; a minimal installation lacks them."""

from __future__ import annotations

from importlib.util import find_spec

from engine.errors import ConfigError

_PACKAGES = {
    "matplotlib": "matplotlib",
    "optuna": "optuna",
    "scipy": "scipy",
    "sklearn": "scikit-learn",
    "tensorflow": "tensorflow",
    "vaderSentiment": "vadersentiment",
}
"""Maps the modules of the extra [build] to the packages that hold them."""


def require_build_packages(what: str, *modules: str) -> None:
    """Checks that modules of the extra [build] can be imported: the given modules, or by default all.

    Raises:
        ConfigError: a module is not installed; the error says what to install.
    """
    missing = [_PACKAGES[name] for name in modules or _PACKAGES if not _is_installed(name)]
    if missing:
        raise ConfigError(
            f"{what} needs {', '.join(missing)}, which this light installation lacks; install with: "
            "pip install 'movie-engine[build]'"
        )


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):
        return False
