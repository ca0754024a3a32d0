"""The scoreboard: baselines find what they should, a profile is what was measured, finished cells are kept, and a task counts once."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bayescale import load_spec
from bayescale.laws import chinchilla

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))
try:
    from board import cells, choices, curve_fits, huber, ours, rivals, scores, summary, tasks
finally:
    sys.path.remove(str(BENCHMARKS))

CONSTANTS = {"E": 1.8, "A": 480.0, "alpha": 0.35, "B": 2100.0, "beta": 0.37}


@pytest.fixture(scope="module")
def sweep():
    """IsoFLOP runs of Chinchilla's law, next to without noise: six budgets of seven sizes."""
    flops = np.repeat(10.0 ** np.arange(17.5, 20.5, 0.5), 7)
    best = np.exp(chinchilla.optimum(flops, **{name: CONSTANTS[name] for name in ("A", "alpha", "B", "beta")}))
    params = best * np.tile(np.geomspace(0.25, 4, 7), 6)
    runs = pd.DataFrame({"params": params, "tokens": flops / (6 * params)})
    noise = 1e-4 * np.random.default_rng(1).standard_normal(len(runs))
    loss = chinchilla.loss(runs["params"], runs["tokens"], **CONSTANTS) * np.exp(noise)
    return runs.assign(loss=loss, run=[f"r{i}" for i in range(len(runs))], flops=flops)


def as_task(runs, largest=1e19):
    small = runs["flops"] <= largest
    return tasks.Task("one paper", "sweep", runs[small].reset_index(drop=True), runs[~small].reset_index(drop=True))


def test_the_gradient_of_the_huber_loss(sweep):
    data, x, step = huber.logs(sweep), np.array([0.3, 0.4, 0.5, 5.5, 8.0]), 1e-6
    _, gradient = huber.huber_loss(x, *data)
    for i, own in enumerate(gradient):
        moved = [huber.huber_loss(x + sign * step * np.eye(5)[i], *data)[0] for sign in (1, -1)]
        assert own == pytest.approx((moved[0] - moved[1]) / (2 * step), rel=1e-4, abs=1e-7)


def test_the_huber_fit_finds_the_law_and_its_bootstrap_covers_larger_runs(sweep, monkeypatch):
    monkeypatch.setattr(rivals, "SAMPLES", 30)
    task = as_task(sweep)
    found = huber.fit(task.train)
    assert found.alpha == pytest.approx(0.35, abs=0.01) and found.beta == pytest.approx(0.37, abs=0.01)
    exact = np.exp(chinchilla.optimum(1e21, A=480.0, alpha=0.35, B=2100.0, beta=0.37))
    assert found.best_params(1e21) == pytest.approx(exact, rel=0.05)
    row = next(row for row in rivals.rival_rows(task, task.train) if row["method"] == "Huber, bootstrap")
    assert row["coverage_90"] > 0.6 and row["width"] < 1 and row["median_abs_error"] < 1e-3


def test_the_huber_fit_reaches_the_published_optimum(shared_data):
    table = pd.read_csv(shared_data / "chinchilla.csv").query("in_fit == 1")
    found = huber.fit(table)
    assert huber.huber_loss(np.array(found), *huber.logs(table))[0] == pytest.approx(0.00101827402, rel=1e-6)
    assert (found.alpha, found.beta) == pytest.approx((0.34731, 0.36717), abs=2e-5)


@pytest.fixture(scope="module")
def shared_data():
    if not (tasks.DATA / "chinchilla.csv").is_file():
        pytest.skip("the folder of other people's tables is absent (BAYESCALE_DATA)")
    return tasks.DATA


@pytest.mark.parametrize(
    ("form", "curve"),
    [
        ("M1", lambda x: 3 * x**-0.2),
        ("M2", lambda x: 3 * x**-0.3 + 0.4),
        ("M3", lambda x: 30 * (x + 3e6) ** -0.25),
        ("BNSL", lambda x: 0.2 + 5 * x**-0.1 * (1 + (x / 1e8) ** 4) ** -0.1),
    ],
)
def test_a_form_extrapolates_a_curve_of_its_own(form, curve):
    x = np.geomspace(1e6, 1e9, 15)
    beyond = np.geomspace(2e9, 1e10, 5)
    assert curve_fits.fitted(form, x, curve(x))(beyond) == pytest.approx(curve(beyond), rel=0.01)


def test_m4_extrapolates_a_curve_that_begins_at_chance():
    """(y - 0.1) / (1 - y)^0.5 = (x / 1e7)^-0.6, which is solved for y by a grid here."""
    y = np.linspace(0.1, 1, 200_001)[1:-1]
    power = (y - 0.1) / np.sqrt(1 - y)
    x = np.geomspace(1e6, 1e10, 15)
    found = np.interp(-((x / 1e7) ** -0.6), -power[::-1], y[::-1])
    fitted = curve_fits.fitted("M4", x[:10], found[:10])
    assert fitted(x[10:]) == pytest.approx(found[10:], rel=0.02)


def test_points_without_bands_have_an_error_and_no_coverage():
    row = scores.scored_points(np.array([2.0, 3.0]), np.array([2.0, 3.0]) * np.exp([0.02, -0.02]))
    assert row["median_abs_error"] == pytest.approx(0.02) and row["crps"] == pytest.approx(2)
    assert row["rmsle"] == pytest.approx(0.02) and "coverage_90" not in row


def test_a_narrow_miss_is_false_confidence_and_a_wide_one_is_not():
    standard = np.random.default_rng(1).standard_normal((2000, 1))
    for sd, expected in ((0.001, 1.0), (0.03, 0.0)):  # 90% bands of 0.3% and of 10%
        row = scores.scored_draws(2 * np.exp(sd * standard), 2 * np.exp([0.06]))
        assert row["coverage_90"] == 0 and row["false_confidence"] == expected


def test_r2_is_that_of_scalebench():
    measured = np.array([2.0, 2.5, 3.0])
    assert scores.scored_points(np.array([2.1, 2.5, 2.9]), measured)["r2"] == pytest.approx(1 - 0.02 / 0.5)
    assert scores.scored_points(measured + 5, measured)["r2"] == -1


def test_a_profile_is_the_parabola_through_its_runs():
    x = np.log(1e8) + np.linspace(-1.5, 1.5, 7)
    loss = 3 + 0.05 * (x - np.log(1.3e8)) ** 2 + 1e-4 * np.array([1, -1, 1, 0, -1, 1, -1])
    profile = choices.measured_profile(pd.DataFrame({"params": np.exp(x), "loss": loss}))
    assert np.exp(profile.vertex) == pytest.approx(1.3e8, rel=0.01)
    assert profile.regret(2.6e8) == pytest.approx(0.05 * np.log(2) ** 2, rel=0.02)
    assert 0 < profile.regret_sd(2.6e8) < 0.001 and 0 < profile.vertex_sd < 0.01
    falling = pd.DataFrame({"params": np.exp(x), "loss": 3 - 0.1 * x})
    assert choices.measured_profile(falling) is None


def test_a_decision_sees_nothing_of_its_budget(sweep, monkeypatch):
    monkeypatch.setattr(choices, "SAMPLES", 20)
    found = choices.decisions(as_task(sweep))
    assert {decision.variant for decision in found} == {"near", "far", "far, 12 runs"}
    for decision in found:
        most = (6 * decision.seen["params"] * decision.seen["tokens"]).max() / decision.flops
        assert most <= (0.1 if decision.variant.startswith("far") else 0.9) * (1 + 1e-6)
    near = next(decision for decision in found if decision.variant == "near")
    chosen = {row["method"]: row for row in choices.rival_choices(near)}
    assert chosen["approach 2"]["params"] == pytest.approx(chosen["approach 2"]["best_params"], rel=0.05)
    assert chosen["Huber, bootstrap"]["regret"] < 1e-4 and chosen["Huber, bootstrap"]["log_width"] < 0.2
    assert chosen["20 tokens per parameter"]["params"] == pytest.approx(np.sqrt(near.flops / 120))


def test_a_random_subset_is_the_same_each_time(sweep):
    task = as_task(sweep)
    first, second = ({(name, seed): runs for name, seed, runs in tasks.subsets(task)} for _ in range(2))
    assert set(first) == {(f"n={n}", seed) for n in (6, 8, 12, 20) for seed in (0, 1, 2)}
    assert all(first[key].equals(second[key]) for key in first)
    assert not first["n=8", 0].equals(first["n=8", 1])


def test_bundled_tasks_hold_out_the_largest_runs():
    found = {task.task: task for task in tasks.bundled_tasks()}
    assert set(found) == {"kernel-bytes", "kernel-bytes-2-layer", "kernel-bytes-mlp"}
    for task in found.values():
        small, large = (6 * part["params"] * part["tokens"] for part in (task.train, task.test))
        assert small.max() <= 0.1 * large.max() < large.min() + 0.1 * large.max()
    task = found["kernel-bytes-2-layer"]
    row = ours.score_task(load_spec("chinchilla"), task.train, task.test)
    assert row["passed"] and row["forecasts"] == len(task.test) and 0 < row["median_abs_error"] < 0.5


def made(task, part, calls, fails=False):
    def rows():
        calls.append(part)
        if fails:
            raise RuntimeError("no luck")
        return [{"method": "a", "crps": 1.0}, {"method": "b", "crps": 2.0, "passed": False}]

    return cells.Cell(task, part, "full", 0, 5, rows, 1e20)


def test_finished_cells_are_kept_and_failures_are_rows(sweep, tmp_path):
    calls, task, path = [], as_task(sweep), tmp_path / "board.csv"
    first = [made(task, "ours", calls), made(task, "rivals", calls, fails=True)]
    table = cells.compute_missing(first, path, cores=1)
    assert calls == ["ours", "rivals"] and len(table) == 3
    assert "no luck" in table.iloc[-1]["note"] and not table.iloc[-1]["passed"]
    again = cells.compute_missing([*first, made(task, "tools", calls)], path, cores=1)
    assert calls == ["ours", "rivals", "tools"] and len(again) == 5
    assert again.iloc[:3].equals(table)


def test_no_cell_begins_after_its_time(sweep, tmp_path):
    calls = []
    cells.compute_missing([made(as_task(sweep), "ours", calls)], tmp_path / "board.csv", cores=1, minutes=-1)
    assert not calls


def test_a_task_counts_once_and_a_source_once():
    rows = pd.DataFrame(
        {
            "method": "m",
            "setting": "default",
            "source": ["p", "p", "p", "q"],
            "task": ["p1", "p1", "p2", "q1"],
            "passed": [True, True, True, True],
            "crps": [1.0, 3.0, 4.0, 9.0],
        }
    )
    found = summary.means(rows, ["crps"])
    assert found.loc[("m", "default", "tasks"), "crps"] == pytest.approx((2 + 4 + 9) / 3)
    assert found.loc[("m", "default", "sources"), "crps"] == pytest.approx((3 + 9) / 2)
    rows.loc[3, "passed"] = False
    found = summary.means(rows, ["crps"])
    assert found.loc[("m", "default", "sources"), "crps"] == pytest.approx(3)
    assert found.loc[("m", "default", "tasks"), "abstained"] == pytest.approx(1 / 3)


def test_the_table_names_its_version_and_dates():
    table = pd.DataFrame(
        {
            "source": "p", "task": ["p1", "p1"], "kind": "loss", "part": ["ours", "our choices"], "variant": ["full", "near"],
            "method": "average", "setting": ["no drift", "default"], "passed": True, "crps": [0.5, np.nan], "regret": [np.nan, 0.002],
            "version": "9.9", "date": ["2026-01-02", "2026-03-04"],
        }
    ).reindex(columns=cells.COLUMNS)  # fmt: skip
    said = summary.report(table)
    assert "bayescale 9.9, 2026-01-02 to 2026-03-04" in said
    assert "| average, no drift | 1 (1) |" in said and "0.50 (0.50)" in said
    assert "| average | 1 (1) | 2.0 (2.0) |" in said
