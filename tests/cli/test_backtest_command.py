"""`backtest`: the answer comes first, what is printed fits 80 columns, and what was asked reaches the fits."""

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from bayescale.calibrate.backtest import cell
from bayescale.forecasts import score_draws

DECISION = {
    "kind": "size", "run": "", "budget": 1e21, "unique_tokens": np.nan, "best_params": 1.1e9, "best_lower": 1e9, "best_upper": 1.2e9,
    "params": 9e8, "params_lower": 7e8, "params_upper": 1.3e9, "regret": 0.0021, "regret_sd": 0.0004, "forecast": 0.0019,
    "forecast_lower": np.nan, "forecast_upper": np.nan, "inside": 1.0, "note": "",
}  # fmt: skip
OVER = {
    **DECISION, "kind": "over-training", "run": "r19", "params": 2e8, "params_lower": np.nan, "params_upper": np.nan, "regret": 0.081,
    "forecast": 0.075, "forecast_lower": 0.05, "forecast_upper": 0.11,
}  # fmt: skip


@pytest.fixture
def asked(monkeypatch):
    """Give scores without fitting: every run 1% below its forecast; return what was to be fitted."""
    seen = []

    def held_out(small, large, models, **options):
        seen.append((len(small), models, options))
        rng = np.random.default_rng(0)
        draws = large["loss"].to_numpy() * np.exp(0.01 + 0.02 * rng.standard_normal((500, 1)))
        table = score_draws(draws, large["loss"].to_numpy(), log_density=np.ones((500, len(large))))
        table = table.assign(loss=large["loss"].to_numpy(), run=large["run"].to_numpy(), passed=True, model="average")
        laws = [{"name": "chinchilla", "weight": 1.0}]
        return table, SimpleNamespace(attrs={"laws": json.dumps(laws)})

    monkeypatch.setattr(cell, "held_out", held_out)
    monkeypatch.setattr(cell, "decide", lambda *_: pd.DataFrame([DECISION, OVER]))
    monkeypatch.setattr(cell, "failed_checks", lambda _: [])
    return seen


def test_the_answer_comes_first_and_fits_80_columns(run, runs_file, asked):
    code, out, _ = run("backtest", runs_file, "--cores", "1", "--sizes", "6", "--repeats", "2")
    lines = out.splitlines()
    assert code == 0 and all(len(line) <= 80 for line in lines)
    assert lines[0].startswith("Runs about 10 times larger than these were forecast with a median error of 0.9%")
    assert "held the measured one in 1 of 1 choice" in " ".join(out.split())
    assert "about 10x" in out and "0.3, 6 runs" in out and "900M" in out and "0.075" in out and "0.0021 (0.0004)" in out
    assert asked[0][1] == "auto" and {n for n, *_ in asked} >= {6, 12}


def test_what_was_asked_reaches_the_fits(run, runs_file, asked, document, tmp_path):
    words = (
        "--model", "chinchilla,skaling", "--cut", "0.1", "--fade", "0", "--drift", "0.01", "--random-seed", "4", "--each-law",
    )  # fmt: skip
    code, out, _ = run("backtest", runs_file, *words, "--cores", "1", "--json", "--out", tmp_path / "rows.csv")
    found = document(out)
    assert code == 0 and found["model"] == "chinchilla, skaling" and len(found["sentences"]) == 3
    ((fitted, models, options),) = asked
    assert run("backtest", runs_file, *words, "--cores", "1", "--priors", "vague")[0] == 0
    vague = asked.pop()[1]
    assert list(vague) == ["chinchilla", "skaling"] and all(spec.get_learnt() is None for spec in vague.values())
    assert vague["chinchilla"].noise.fade == 0.0
    assert fitted == 12 and models == ("chinchilla", "skaling") and options["changes"]["noise"] == {"fade": 0.0}
    assert options["changes"]["drift"] == {"per_decade": 0.01}
    assert options["random_seed"] == 4 and options["each_law"]
    table = pd.read_csv(tmp_path / "rows.csv")
    assert len(table) == len(found["forecasts"]) == 8
    assert table["error"].to_numpy() == pytest.approx([row["error"] for row in found["forecasts"]])
    assert found["by_distance"][0]["median_abs_error"] == pytest.approx(0.01, abs=0.003)
    assert found["cells"][0]["weights"] == {"chinchilla": 1.0}


def test_a_fit_that_failed_does_not_count(run, runs_file, asked, monkeypatch):
    give = cell.held_out

    def failed(*args, **options):
        table, idata = give(*args, **options)
        return table.assign(passed=False), idata

    monkeypatch.setattr(cell, "held_out", failed)
    code, out, _ = run("backtest", runs_file, "--cores", "1", "--cut", "0.1")
    assert code == 1 and out.startswith("No fit passed its check") and "FAIL" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--sizes", "few"), "--sizes takes whole numbers separated by commas"),
        (("--cut", "2"), "must be shares of the largest run"),
        (("--cut", "0.001"), "A backtest needs 5 runs"),
        (("--model", "chinchila"), "chinchilla"),
    ],
)
def test_mistakes(run, runs_file, asked, words, said):
    code, _, err = run("backtest", runs_file, *words)
    assert code == 2 and said in " ".join(err.split()) and not asked
