"""The public surface: names, docstrings, arguments, and what stays unloaded."""

import inspect
import json
import subprocess
import sys

import pytest

import bayescale

HEAVY = ("pymc", "pytensor", "arviz_stats", "arviz", "nutpie", "matplotlib")
FUNCTIONS = [name for name in bayescale.__all__ if inspect.isfunction(getattr(bayescale, name))]


def loaded_after(code, *arguments):
    """Names of heavy modules that a fresh interpreter has loaded after the code."""
    ask = f"\nimport sys, json\nprint(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"
    words = [sys.executable, "-c", code + ask, *map(str, arguments)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_all_names_resolve():
    assert len(bayescale.__all__) >= 16 and list(bayescale.__all__) == sorted(bayescale.__all__)
    for name in bayescale.__all__:
        assert getattr(bayescale, name) is not None
        assert name in dir(bayescale)
    with pytest.raises(AttributeError, match="no attribute 'fitt'"):
        _ = bayescale.fitt


def test_the_version_is_that_of_the_package():
    from importlib.metadata import version

    assert bayescale.__version__ == version("bayescale")


def test_importing_loads_nothing_heavy():
    assert loaded_after("import bayescale") == []


COMMAND = """
import sys
from bayescale.cli.main import main
try:
    main(sys.argv[1:])
except SystemExit as left:
    assert not left.code
"""


@pytest.mark.parametrize("words", ["forecast FIT --params 10B --tokens 200B", "allocate FIT --flops 1e22"])
def test_a_saved_fit_is_used_without_the_sampler(fit_file, words):
    assert loaded_after(COMMAND, *(fit_file if word == "FIT" else word for word in words.split())) == []


@pytest.mark.parametrize("name", FUNCTIONS)
def test_docstring(name):
    function = getattr(bayescale, name)
    text, parameters = inspect.getdoc(function), inspect.signature(function).parameters
    assert text and text.splitlines()[0].endswith(".")
    assert ("Parameters\n----------" in text) == bool(parameters)
    section = text.partition("Parameters\n----------")[2].partition("Returns\n-------")[0]
    for argument, parameter in parameters.items():
        star = "**" if parameter.kind is parameter.VAR_KEYWORD else ""
        found = any(
            line.startswith((f"{star}{argument} :", f"{star}{argument},")) or line == f"{star}{argument}"
            for line in section.splitlines()
        )
        assert found, f"{name}: `{argument}` is not described"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_arguments(name):
    parameters = inspect.signature(getattr(bayescale, name)).parameters.values()
    open_ended = [p.name for p in parameters if p.kind in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
    assert open_ended == (["sample_kwargs"] if name in ("fit", "fit_laws", "fit_breaks", "compare_approaches") else [])
    for parameter in parameters:
        assert parameter.annotation is not parameter.empty, f"{name}: `{parameter.name}` has no type"


def test_functions_take_seeds_by_one_name():
    for name in FUNCTIONS:
        assert not {"seed", "rng"} & set(inspect.signature(getattr(bayescale, name)).parameters)
