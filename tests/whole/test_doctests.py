import doctest
import importlib
import pkgutil

import pytest

import engine
import indexes

MODULES = [
    f"{package.__name__}.{module.name}"
    for package in (engine, indexes)
    for module in pkgutil.iter_modules(package.__path__)
]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_in_docstrings_run(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0
