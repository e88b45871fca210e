"""Checks that the packages of an extra (an optional group of dependencies, such as [build]) are installed."""

from __future__ import annotations

from importlib.util import find_spec

from engine.errors import ConfigError

_PACKAGES = {
    "build": {
        "matplotlib": "matplotlib",
        "optuna": "optuna",
        "scipy": "scipy",
        "sklearn": "scikit-learn",
        "tensorflow": "tensorflow",
        "vaderSentiment": "vadersentiment",
    },
    "lake": {"deltalake": "deltalake", "pyarrow": "pyarrow", "pyiceberg": "pyiceberg"},
    "ray": {"ray": "ray"},
}
"""Maps the name of each extra to a dictionary of modules. The dictionary maps the name of a module, such as
`sklearn`, to the name of the package to install, such as scikit-learn."""


def require_build_packages(what: str, *modules: str) -> None:
    """Checks that the given modules of the extra [build], by default all its modules, can be imported.

    Raises:
        ConfigError: a module is not installed; the error says what to install.
    """
    _require(what, "build", modules)


def require_ray() -> None:
    """Checks that Ray can be imported; the extra [ray] installs Ray.

    Raises:
        ConfigError: Ray is not installed; the error says what to install.
    """
    _require("--on ray", "ray", ())


def require_lake() -> None:
    """Checks that the packages of the extra [lake], which read Delta and Iceberg tables, can be imported.

    Raises:
        ConfigError: a package is not installed; the error says what to install.
    """
    _require("A Delta or Iceberg table", "lake", ())


def _require(what: str, extra: str, modules: tuple[str, ...]) -> None:
    packages = _PACKAGES[extra]
    missing = [packages[name] for name in modules or packages if not _is_installed(name)]
    if missing:
        raise ConfigError(
            f"{what} needs {', '.join(missing)}, which this light installation lacks; install with: "
            f"pip install 'movie-engine[{extra}]'"
        )


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):
        return False
