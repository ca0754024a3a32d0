"""Public cases of reading: a sweep in nested JSON lines, a wide table of samples, names and units in headers."""

import pytest

from bayescale.runs import read_runs


def test_nested_json_lines_of_a_sweep(cases):
    columns = {"lr": "train.lr", "loss": "final_bpc", "params": "total_params"}
    runs = read_runs(cases / "inputs" / "nested-runs.jsonl", columns)
    assert runs["loss"][runs["lr"] == 0.1].tolist() == [3.6893] and "arch.d_hidden" in runs
    assert runs.attrs["loss_unit"] == "bits/char" and "'curve'" in runs.attrs["notes"]["lists"]
    assert "params is 'total_params'; with 'weight_params'" in runs.attrs["notes"]["filled"]
    assert runs["tokens"].iloc[0] == pytest.approx(7.31e6, rel=1e-3)


def test_the_wide_table_is_the_long_one(cases):
    wide = read_runs(cases / "inputs" / "fine-tuned-by-samples-wide.csv", wanted=["scale", "value"])
    long = read_runs(cases / "inputs" / "fine-tuned-by-samples.csv")
    assert wide["scale"].tolist() == long["samples"].tolist() and wide["value"].tolist() == long["loss"].tolist()


def test_headers_with_what_they_count(table):
    runs = read_runs(table("twelve-constant-rate-runs"))
    assert runs["params"].iloc[0] == 2e5 and runs["tokens"].iloc[0] == 5e6
    assert runs.attrs["params_kind"] == "non-embedding"


def test_a_batch_in_sequences(table):
    runs = read_runs(table("rate-batch-sweep"), {"params": "N", "tokens": "D"})
    assert (runs["batch_tokens"] / runs["batch_sequences"]).unique().tolist() == [4096]
