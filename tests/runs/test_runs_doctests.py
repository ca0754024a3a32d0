"""The examples in docstrings run."""

import doctest
import importlib
import pkgutil

import pytest

import bayescale.runs

MODULES = [f"bayescale.runs.{module.name}" for module in pkgutil.iter_modules(bayescale.runs.__path__)]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0
