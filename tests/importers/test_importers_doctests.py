"""The examples in docstrings run."""

import doctest
import importlib
import pkgutil

import pytest

from bayescale import importers

MODULES = [module.name for module in pkgutil.walk_packages(importers.__path__, f"{importers.__name__}.")]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0
