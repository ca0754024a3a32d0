"""The published constants fit our functions and say where they come from; the examples in docstrings run."""

import doctest
import importlib
import inspect
import pkgutil

import pytest

import bayescale.laws
from bayescale.laws import batch, bnsl, chinchilla, kaplan, overtraining, repeated, tasks
from bayescale.laws.formulas import (
    additive,
    compression,
    flops,
    kaplan_compute,
    learning_rate,
    moe,
    transfer,
    vocabulary,
)
from bayescale.published.laws import PUBLISHED

FUNCTIONS = {
    "kaplan": kaplan.loss,
    "kaplan-nd": kaplan.loss_nd,
    "kaplan-ns": kaplan.loss_ns,
    "kaplan.critical_batch": kaplan_compute.critical_batch,
    "kaplan.tokens_needed": kaplan_compute.tokens_needed,
    "kaplan.allocation": kaplan_compute.allocation,
    "kaplan.learning_rate": learning_rate.kaplan_rate,
    "chinchilla": chinchilla.loss,
    "allocation": additive.allocation,
    "embedding_omega": flops.total_params,
    "repeated": repeated.loss,
    "bnsl": bnsl.value,
    "overtraining": overtraining.loss,
    "top1_error": tasks.top1_error,
    "critical_batch": batch.critical_batch,
    "learning_rate": learning_rate.power,
    "batch": learning_rate.power,
    "weight_decay": learning_rate.best_timescale,
    "inverse_sqrt": learning_rate.inverse_sqrt,
    "data_transferred": transfer.data_transferred,
    "precision": {"training": compression.effective_params, "after": compression.quantisation_penalty},
    "moe": {
        "krajewski": moe.granular_loss,
        "clark-s-base": moe.routed_loss,
        "abnar": moe.sparse_loss,
        "joint": moe.joint_loss,
    },
    "sparsity": compression.sparse_loss,
    "vocabulary": vocabulary.loss,
}
ENTRIES = [(law, name) for law, entries in PUBLISHED.items() for name in entries]
MODULES = [module.name for module in pkgutil.iter_modules(bayescale.laws.__path__)]


@pytest.mark.parametrize(("law", "name"), ENTRIES)
def test_constants_are_those_of_a_function(law, name):
    entry, function = PUBLISHED[law][name], FUNCTIONS[law]
    if isinstance(function, dict):
        function = function[name]
    parameters = inspect.signature(function).parameters.values()
    needed = {p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is p.empty}
    assert needed <= set(entry["constants"]) <= {p.name for p in parameters}
    assert entry["checked"] in ("source", "account", "derived") and entry["source"]


def test_all_laws_with_published_constants_are_known():
    assert set(FUNCTIONS) == set(PUBLISHED)


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name):
    module = importlib.import_module(f"bayescale.laws.{name}")
    assert module.__doc__
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize("name", MODULES)
def test_public_functions_say_what_they_are(name):
    module = importlib.import_module(f"bayescale.laws.{name}")
    for key, function in inspect.getmembers(module, inspect.isfunction):
        if function.__module__ == module.__name__ and not key.startswith("_"):
            text = inspect.getdoc(function)
            assert text and text.splitlines()[0].endswith((".", ";", ")")), f"{name}.{key}"
