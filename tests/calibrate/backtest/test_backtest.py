"""Backtests: what is fitted and held out, that scores are those of the forecasts, and that no fit is lost or made twice."""

import numpy as np
import pandas as pd
import pytest

from bayescale import Holdout, Work, backtest, bands, forecast, read_runs
from bayescale.calibrate.backtest import by_distance, cell, sentences
from bayescale.calibrate.backtest.holdout import make_cells

ALONE = Work(cores=1, progressbar=False)


def compute(table):
    return 6 * table["params"] * table["tokens"]


def test_a_backtest_of_a_table(ladder, besi):
    """From the runs up to a tenth of the largest, the law itself is found again, and so are the held-out losses."""
    found = backtest(ladder, "chinchilla", holdout=Holdout(cuts=[0.1]), work=ALONE)
    table = found.forecasts
    at = compute(ladder)
    beyond = ladder[at > 0.1 * at.max() * (1 + 1e-9)]
    assert table["run"].tolist() == beyond["run"].tolist() and len(table) == 9
    assert table["loss"].tolist() == beyond["loss"].tolist()
    assert table["decades_beyond"].to_numpy() == pytest.approx(np.log10(compute(beyond) / 1e20))
    assert (table["model"] == "chinchilla").all() and (table["fitted"] == 21).all() and table["passed"].all()
    assert table["error"].to_numpy() == pytest.approx(np.log(table["loss"] / table["median"]))
    inside = (table["lower_90"] <= table["loss"]) & (table["loss"] <= table["upper_90"])
    assert table["inside_90"].tolist() == inside.astype(float).tolist()
    assert table["error"].abs().max() < 0.03 and table["inside_90"].mean() > 0.8
    (row,) = found.cells.to_dict("records")
    assert row["fitted"] == 21 and row["held_out"] == 9 and row["fault"] == "" and row["passed"]
    assert row["largest"] == pytest.approx(1e20) and row["weights"] == '{"chinchilla": 1.0}'


def test_scores_are_those_of_forecast_and_bands(ladder, spec):
    small, large = ladder[:21].reset_index(drop=True), ladder[21:].reset_index(drop=True)
    table, idata = cell.held_out(small, large, "chinchilla")
    expected = bands(forecast(idata, large), prob=0.8)
    for edge in ("lower", "upper"):
        assert table[f"{edge}_80"].to_numpy() == pytest.approx(expected[f"loss_{edge}"].to_numpy())
    assert table["log_score"].to_numpy() == pytest.approx(expected["log_score"].to_numpy())


def test_what_is_fitted_at_each_cut(ladder, spec):
    cells = make_cells(spec, ladder, Holdout())
    at = compute(ladder)
    assert [(one.cut, len(one.small)) for one in cells] == [(0.3, 24), (0.1, 21), (0.03, 15), (0.01, 12)]
    for one in cells:
        assert compute(one.small).max() <= one.cut * at.max() * (1 + 1e-9) < compute(one.large).min()
        assert len(one.small) + len(one.large) == 30 and one.size == one.repeat == 0


def test_cuts_that_hold_out_the_same_runs_are_one(ladder, spec):
    assert [one.cut for one in make_cells(spec, ladder, Holdout(cuts=[0.12, 0.1, 0.3]))] == [0.3, 0.12]


def test_few_runs_are_drawn_before_a_cut(ladder, spec):
    holdout = Holdout(cuts=[0.1], sizes=[6, 12, 25], repeats=2)
    cells = make_cells(spec, ladder, holdout)
    assert [(one.size, one.repeat, len(one.small)) for one in cells] == [
        (0, 0, 21), (6, 1, 6), (6, 2, 6), (12, 1, 12), (12, 2, 12),
    ]  # fmt: skip
    whole, names = set(cells[0].small["run"]), [tuple(one.small["run"]) for one in cells]
    assert all(set(drawn) <= whole for drawn in names) and len(set(names)) == 5
    assert all(len(one.large) == 9 for one in cells)
    again = make_cells(spec, ladder, holdout)
    assert names == [tuple(one.small["run"]) for one in again]
    other = make_cells(spec, ladder, Holdout(cuts=[0.1], sizes=[6], random_seed=2))
    assert tuple(other[1].small["run"]) != names[1]


def test_a_table_that_splits_itself_is_split_by_the_cuts(ladder, instant):
    table = ladder.assign(split=["train"] * 3 + ["test"] * 27)
    found = backtest(table, "chinchilla", holdout=Holdout(cuts=[0.1]), work=ALONE)
    assert len(found.forecasts) == 9 and len(instant[0][0]) == 21


def test_each_law_is_scored_beside_the_average(ladder, instant):
    found = backtest(ladder, holdout=Holdout(cuts=[0.1, 0.01], each_law=True), work=ALONE)
    counted = found.forecasts.groupby(["cut", "model"]).size()
    assert counted.to_dict() == {
        (cut, model): n for cut, n in ((0.1, 9), (0.01, 18)) for model in ("average", "chinchilla", "skaling")
    }
    assert instant[0][2]["engine"] == "fast" and instant[0][1] == "auto"


def test_what_cannot_be_fitted_is_said_and_loses_nothing(ladder, instant, monkeypatch):
    give = cell.fit_laws

    def fail(small, *args, **options):
        if len(small) == 21:
            raise RuntimeError("out of luck")
        return give(small, *args, **options)

    monkeypatch.setattr(cell, "fit_laws", fail)
    found = backtest(ladder, "chinchilla", holdout=Holdout(cuts=[0.3, 0.1]), work=ALONE)
    assert found.cells["fault"].tolist() == ["", "RuntimeError: out of luck"]
    assert set(found.forecasts["cut"]) == {0.3}


def test_finished_fits_are_kept(ladder, instant, tmp_path):
    holdout, work = Holdout(cuts=[0.3, 0.1]), Work(cores=1, folder=tmp_path / "kept", progressbar=False)
    first = backtest(ladder, "chinchilla", holdout=holdout, work=work)
    assert len(instant) == 2
    (tmp_path / "kept" / "chunk-00001.npz").unlink()
    again = backtest(ladder, "chinchilla", holdout=holdout, work=work)
    assert len(instant) == 3
    pd.testing.assert_frame_equal(first.forecasts, again.forecasts)
    with pytest.raises(ValueError, match=r"differs in cuts"):
        backtest(ladder, "chinchilla", holdout=Holdout(cuts=[0.3]), work=work)


def test_a_curve():
    """Along a curve the cuts are shares of its largest input."""
    x = np.geomspace(1e3, 1e6, 16)
    noise = np.exp(0.002 * np.random.default_rng(3).standard_normal(16))
    loss = (1.5 + 30 * x**-0.4) * noise
    table = read_runs(pd.DataFrame({"run": [f"s{i}" for i in range(16)], "steps": x, "loss": loss}))
    found = backtest(table, "power", x="steps", holdout=Holdout(cuts=[0.1]), work=ALONE)
    assert found.forecasts["decades_beyond"].to_numpy() == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert found.forecasts["error"].abs().max() < 0.03


def rows(errors, decades, *, half=0.02):
    """Forecasts with a band of a known half width in log loss."""
    errors = np.asarray(errors, float)
    table = pd.DataFrame({"run": [f"r{i}" for i in range(len(errors))], "error": errors, "decades_beyond": decades})
    table["median"] = 2.0
    for cent, part in ((50, 0.4), (80, 0.8), (90, 1.0)):
        table[f"lower_{cent}"], table[f"upper_{cent}"] = 2 * np.exp(-half * part), 2 * np.exp(half * part)
        table[f"inside_{cent}"] = (np.abs(errors) <= half * part).astype(float)
    return table.assign(crps=1.0, log_score=2.0, width=200 * half, interval_score=4.0)


def test_scores_by_distance():
    table = by_distance(rows([0.01, -0.01, 0.03, 0.05], [0.1, 0.6, 1.1, 5.0]))
    assert table.index.tolist() == [1, 3, 10, 1000]
    assert table["median_abs_error"].tolist() == pytest.approx([0.01, 0.01, 0.03, 0.05])
    assert table["coverage_90"].tolist() == [1, 1, 0, 0]


@pytest.mark.parametrize(
    ("errors", "said"),
    [
        ([0.03] * 6 + [0.01] * 4, "too narrow here: 1.5 times as wide"),
        ([0.001, -0.002] * 5, "wider than this table needs: 10% of the width"),
        ([0.005, -0.01, 0.012, 0.018, -0.015] * 2, "they mean about what they say"),
    ],
)
def test_the_sentences(errors, said):
    first, second = sentences(rows(errors, [1.0] * 10))
    held = sum(abs(error) <= 0.02 for error in errors)
    median = np.median(np.abs(errors))
    assert first == (
        f"Runs about 10 times larger than these were forecast with a median error of {median:.1%}; 90% bands held {held} of 10."
    )
    assert said in second


def test_the_sentence_is_about_a_distance_with_several_forecasts():
    first, _ = sentences(rows([0.001, 0.002, 0.003, 0.2], [0.5, 0.5, 0.5, 1.0]))
    assert first.startswith("Runs about 3 times larger") and first.endswith("held 3 of 3.")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"cuts": [1.5]}, r"`cuts` \(--cut\) must be shares"),
        ({"cuts": []}, "must be shares"),
        ({"sizes": [4]}, r"`sizes` \(--sizes\) must be whole numbers >= 5. Got 4"),
        ({"repeats": 0}, r"`repeats` \(--repeats\) must be whole numbers >= 1"),
    ],
)
def test_holdouts_that_make_no_sense(options, said):
    with pytest.raises(ValueError, match=said):
        Holdout(**options)


def test_a_table_too_small_to_cut(ladder):
    with pytest.raises(ValueError, match=r"needs 5 runs .* Of 30 runs, 3 have at most 0.001 of"):
        backtest(ladder, "chinchilla", holdout=Holdout(cuts=[0.001]), work=ALONE)
