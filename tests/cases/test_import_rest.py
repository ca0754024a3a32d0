"""Public case of a home-made log: a sweep in nested JSON lines, handed to a fit as it is and imported."""

import csv
import math

import pytest

from bayescale.errors import InputError
from bayescale.posterior import engines


def test_a_sweep_in_nested_lines_reaches_the_sampler(ask, cases, monkeypatch, tmp_path):
    """The best rate itself takes half a minute: test_rate_cases."""
    seen = {}

    def stop(spec, rows, **_):
        seen.update(spec=spec, rows=rows)
        raise InputError("seen")

    monkeypatch.setattr(engines, "sampled", stop)
    columns = ("lr=train.lr", "loss=final_bpc", "params=total_params")
    words = ("--model", "lr-surface", "--loss-unit", "bits/char", "--out", tmp_path / "fit.nc")
    said = ask(
        "fit", cases / "inputs" / "nested-runs.jsonl", *words, *(word for one in columns for word in ("--column", one))
    )
    assert (said.code, said.document["error"], seen["spec"].law) == (2, "seen", "lr-surface")
    losses = dict(seen["rows"][["lr", "loss"]].to_numpy())
    assert len(losses) == 7 and (losses[0.01], losses[0.1]) == (2.6299, 3.6893)
    notes = " ".join(said.notes)
    assert "Skipped 1 column of lists: 'curve'" in notes and "'train.lr' as lr" in notes
    assert "params is 'total_params'; with 'weight_params' the filled values would differ" in notes


def test_the_end_counts_not_the_best_of_the_curve(ask, cases, tmp_path):
    path, out = cases / "inputs" / "nested-runs.jsonl", tmp_path / "runs.csv"
    asked = ask("import", path, "--out", out)
    (question,) = asked.document["questions"]
    assert asked.code == 2 and not out.exists()
    assert "'val_bpc' is 3.5656, and 'final_bpc', which should be the same, is 3.6893" in question["text"]
    said = ask("import", path, "--map", "loss=final_bpc", "--out", out)
    assert said.code == 0 and said.document["loss_unit"] == "bits/char"
    rows = list(csv.DictReader(out.read_text(encoding="utf-8").splitlines()))
    ends = {float(row["lr"]): float(row["loss"]) for row in rows}
    assert len(rows) == 7 and ends[0.1] == 3.6893
    assert any("lists: 'curve'" in warning for warning in said.document["warnings"])


def test_bits_per_character_in_nats(ask, cases, tmp_path):
    out = tmp_path / "runs.csv"
    words = ("--map", "loss=final_bpc", "--loss-factor", math.log(2), "--out", out)
    assert ask("import", cases / "inputs" / "nested-runs.jsonl", *words).code == 0
    rows = list(csv.DictReader(out.read_text(encoding="utf-8").splitlines()))
    assert float(rows[-1]["loss"]) == pytest.approx(3.6893 * math.log(2))


def test_the_wide_table_of_samples_is_imported_with_what_its_columns_are(ask, table, tmp_path):
    path, out = table("fine-tuned-by-samples-wide"), tmp_path / "runs.csv"
    asked = ask("import", path, "--out", out)
    assert asked.code == 2 and "The table is wide: 15 columns" in asked.err and "--map loss=value" in asked.err
    names = ("run=config name", "params=size", "tokens=scale", "loss=value")
    said = ask("import", path, "--out", out, *(word for name in names for word in ("--map", name)))
    rows = list(csv.DictReader(out.read_text(encoding="utf-8").splitlines()))
    assert said.code == 0 and len(rows) == 12 and {float(row["tokens"]) for row in rows} == {1_638_400}
    ends = {row["run"].split("/")[-1]: round(float(row["loss"]), 3) for row in rows}
    assert (ends["gpt2-xl"], ends["bart-large"], ends["opt-1.3b"]) == (0.8, 0.758, 0.883)  # as the case measured them


def test_a_fit_names_the_shape_of_the_wide_table(ask, table, tmp_path):
    said = ask("fit", table("fine-tuned-by-samples-wide"), "--out", tmp_path / "fit.nc")
    assert (
        said.code == 2 and "The table is wide" in said.err and "--column tokens=scale --column loss=value" in said.err
    )
