"""Every model in `models/` fits a real table that has its columns, and passes its check."""

import pytest

from bayescale import check_fit, fit, list_models, load_spec, read_runs
from bayescale.runs.datasets import DATASETS, data_folder

ONE_EPOCH = "sweep in grid,isoflop,seed"
MLP = {"runs": "kernel-bytes", "family": "kernel-bytes-mlp", "where": ONE_EPOCH}
TRANSFORMERS = {"runs": "kernel-bytes", "family": "kernel-bytes"}
# Model -> table and options of `fit`; those that are not named here take `MLP`.
TABLES = {
    "chinchilla-families": {"runs": "kernel-bytes", "where": ONE_EPOCH},
    "overtrained": {"runs": "overtraining", "family": "rpj"},
    "approach-2": {"runs": "kernel-bytes", "family": "kernel-bytes", "where": ONE_EPOCH},
    "accuracy": {**TRANSFORMERS, "where": ONE_EPOCH},
    "accuracy-scale": {**MLP, "best_of": "lr", "changes": {"inputs": {"x": "tokens"}}},
    "error": {"runs": "overtraining", "family": "rpj", "changes": {"response": "err_avg17"}},
    "exact-match": TRANSFORMERS,
    "transfer": TRANSFORMERS,
    "lr-surface": {**TRANSFORMERS, "where": "sweep in lr,grid"},
    "lr-batch-surface": {**TRANSFORMERS, "where": "sweep in lr,batch,grid"},
    "repeated": {"runs": "datablations", "where": ["variant==standard", "in_fit>=1"]},
    "repeated-rising": {"runs": "datablations", "where": "variant==standard"},
    "batch-growing": {**TRANSFORMERS, "where": "sweep in grid,batch"},
    "batch": {**TRANSFORMERS, "where": "sweep in grid,batch"},
    "bnsl": {"runs": "bnsl-four-digit-addition", "changes": {"inputs": {"x": "dataset_size"}}},
}


def test_every_model_has_a_table():
    assert set(TABLES) <= set(list_models().index)
    assert {how["runs"] for how in TABLES.values()} <= set(DATASETS)


@pytest.mark.slow
@pytest.mark.parametrize("model", list_models().index.difference(["lr-decay-surface"]))  # simulated: test_rate_sweeps
def test_it_fits(model):
    how = dict(TABLES.get(model, MLP))
    if how["runs"] != "kernel-bytes" and (data_folder() is None or not data_folder().is_dir()):
        pytest.skip("the folder of others' data is absent; name it in BAYESCALE_DATA")
    runs = read_runs(how.pop("runs"))
    spec = load_spec(model).changed(how.pop("changes", {}))
    how |= {"random_seed": sum(map(ord, model)), "max_seconds": float("inf")}  # a busy machine gives the same fit
    table = check_fit(fit(spec, runs, **how, progressbar=False))
    failed = table[(table["severity"] == "fail") & ~table["passed"]]
    assert failed.empty, failed[["name", "value", "advice"]].to_string()
