"""Public cases of logs: the last evaluation under another heading, and rows of a resumed run out of order."""

import csv
import re

import pytest


@pytest.fixture(scope="module")
def imported(ask, cases, tmp_path_factory):
    """Import inputs of the cases; give rows, checkpoints and the report."""

    def call(*names, options=()):
        out = tmp_path_factory.mktemp("import") / "runs.csv"
        said = ask("import", *(cases / "inputs" / name for name in names), *options, "--out", out)
        assert said.code == 0, said
        tables = [
            list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
            for path in (out, out.with_suffix(".checkpoints.csv"))
        ]
        return *tables, said.document

    return call


def number(text):
    return float(re.match(r"[\d,.]+\d", str(text))[0].replace(",", ""))


def test_the_validation_at_the_end_is_the_loss(imported, answer):
    told = answer("validation-at-the-end-only")
    (row,), _, report = imported("megatron-end-only.log")
    assert float(row["loss"]) == pytest.approx(number(told["validation_loss"]), abs=0.005)
    assert float(row["tokens"]) == number(told["tokens"])
    assert float(row["params_total"]) == number(told["params_total"])
    assert row["steps"] == "600" and not report["training_loss"]
    assert any("uniform guess" in warning for warning in report["warnings"])


def test_old_events_at_the_end_change_nothing(imported, answer):
    told = answer("old-events-last")
    rows, checkpoints, report = imported(
        *(f"run-m{name}_validation-tag-eval_loss.csv" for name in (85, 86)),
        options=("--params", "85M", "--batch-tokens", "262144"),
    )
    assert len(rows) == 2
    for row in rows:
        assert float(row["steps"]) == number(told["last_step"])
        assert float(row["tokens"]) == number(told["tokens"])
        assert float(row["loss"]) == number(told["loss"])
    at = [float(row["loss"]) for row in checkpoints if row["steps"] == "10000"]
    assert at == [number(told["loss_at_step_10000"])] * 2
    assert sum("goes back from step" in warning for warning in report["warnings"]) == 2
