"""Rate surfaces on the bundled sweeps and on simulated ones: best per cell with its band, and what a sweep cannot determine."""

import numpy as np
import pandas as pd
import pytest

from bayescale import best_rates, check_fit, fit, load_spec, read_runs
from bayescale.laws import rate_decay

pytestmark = pytest.mark.slow
SAMPLING = {"draws": 1000, "tune": 500, "progressbar": False}


def bundled(model, family, where):
    runs = read_runs("kernel-bytes")
    seed = sum(map(ord, model + family))
    return fit(load_spec(model), runs, family=family, where=where, random_seed=seed, **SAMPLING)


def open_checks(idata):
    table = check_fit(idata)
    open_ = table[~table["passed"]]
    assert not (open_["severity"] == "fail").any(), open_
    return dict(zip(open_["name"], open_["advice"], strict=True))


def vertex(runs):
    """Best rate of the parabola through the three best runs of a cell: no use of the runs far off."""
    near = runs.nsmallest(3, "loss")
    a, b, _ = np.polyfit(np.log(near["lr"]), np.log(near["loss"]), 2)
    return np.exp(-b / (2 * a))


def test_two_lengths_of_one_size():
    idata = bundled("lr-surface", "kernel-bytes-2-layer", "sweep=lr")
    table = best_rates(idata)
    assert list(table["params"].round()) == [55296, 55296]
    runs = read_runs("kernel-bytes")
    runs = runs[(runs["sweep"] == "lr") & (runs["family"] == "kernel-bytes-2-layer")]
    for _, row in table.iterrows():
        cell = runs[np.isclose(runs["tokens"], row["tokens"], rtol=0.01)]
        assert row["lr_median"] == pytest.approx(vertex(cell), rel=0.25)
        assert cell["lr"].min() < row["lr_lower"] < 1.1 * vertex(cell) < 1.1 * row["lr_upper"]
    advice = open_checks(idata)
    assert "params (" in advice["exponents_from_prior"], "one size teaches nothing about sizes"
    assert "optimum_bracketed" not in advice


def test_two_sizes_of_one_length():
    idata = bundled("lr-surface", "kernel-bytes", "sweep=lr")
    table = best_rates(idata)
    assert len(table) == 2 and (table["lr_upper"] / table["lr_lower"] > 2).all(), (
        "the loss still falls at the last rate"
    )
    advice = open_checks(idata)
    assert "tokens (" in advice["exponents_from_prior"], "one length teaches nothing about lengths"


def test_batches():
    """Rates go as the root of the batch in the one batch sweep, so rate and batch cannot be told apart there."""
    runs = read_runs("kernel-bytes")
    runs = runs[runs["sweep"].isin(["lr", "batch"]) & (runs["family"] == "kernel-bytes")].reset_index(drop=True)
    idata = fit(load_spec("lr-batch-surface"), runs, random_seed=1, target_accept=0.99, **SAMPLING)
    advice = open_checks(idata)
    for what in ("params (", "tokens (", "the batch (", "tokens in the best batch ("):
        assert what in advice["exponents_from_prior"]
    assert "batch_tokens of params=1.475e+05" in advice["optimum_bracketed"], (
        "the loss falls down to the smallest batch"
    )
    table = best_rates(idata)
    assert table["batch_tokens_upper"].iloc[0] < 2048, "large batches are worse at few tokens"
    plan = pd.DataFrame({"params": [147456.0], "tokens": [2e6]})
    given = [best_rates(idata, plan.assign(batch_tokens=batch))["lr_median"].iloc[0] for batch in (1e3, 4e3)]
    assert given[1] > given[0]


def test_a_batch_sweep_is_noise_for_the_surface_of_rates():
    runs = read_runs("kernel-bytes")
    runs = runs[(runs["sweep"] == "batch") & (runs["family"] == "kernel-bytes")].reset_index(drop=True)
    table = check_fit(fit(load_spec("lr-surface"), runs, random_seed=1, **SAMPLING))
    advice = table.set_index("name").loc["one_batch_per_cell", "advice"]
    assert "--covariate lr_coef=batch_tokens" in advice, "five runs are too few for 'lr-batch-surface'"


TRUTH = {"exponent_params": -0.5, "exponent_tokens": 0.2, "curvature": 0.03, "lr_coef": 0.9}


def simulated(rng):
    """Nine cells off any line, five rates a factor 2.5 apart around each best except for a common miss, noise of half a per cent."""
    rows = []
    for params in (1e8, 4e8, 1.6e9):
        for tokens in (2e9, 8e9, 3.2e10):
            best = np.log(TRUTH["lr_coef"]) - 0.5 * np.log(params) + 0.2 * np.log(tokens)
            tried = best + rng.normal(0, 0.5) + np.log(2.5) * np.arange(-2, 3)
            level = 1.7 + 480 / params**0.35 + 2000 / tokens**0.366
            rise = TRUTH["curvature"] / 2 * (tried - best) ** 2
            rows += [(params, tokens, np.exp(x), level * np.exp(y)) for x, y in zip(tried, rise, strict=True)]
    table = pd.DataFrame(rows, columns=["params", "tokens", "lr", "loss"])
    table["loss"] *= np.exp(0.005 * rng.standard_normal(len(table)))
    return read_runs(table.assign(run=[f"r{i}" for i in range(len(table))]))


def test_known_exponents_are_found():
    inside = []
    for seed in range(6):
        runs = simulated(np.random.default_rng(seed))
        idata = fit(load_spec("lr-surface"), runs, random_seed=seed, **SAMPLING)
        assert not {"exponents_from_prior", "params_tokens_collinear", "optimum_bracketed"} & set(open_checks(idata))
        draws = idata["posterior"].to_dataset()
        for name in ("exponent_params", "exponent_tokens", "curvature"):
            low, high = draws[name].quantile([0.05, 0.95]).to_numpy()
            inside.append(low <= TRUTH[name] <= high)
        for plan, row in best_rates(idata).iterrows():
            best = TRUTH["lr_coef"] * row["params"] ** -0.5 * row["tokens"] ** 0.2
            assert row["lr_lower"] / 1.5 < best < row["lr_upper"] * 1.5, plan
    assert sum(inside) >= 13, "of 18; 16 are expected"


DECAY = {
    "lr_coef": 1e-3 * 1e8**0.4,
    "exponent_params": -0.4,
    "exponent_tokens": 0.0,
    "exponent_batch": 0.0,
    "curvature": 0.03,
    "tau_curvature": 0.015,
    "tau_coef": 1.084,
    "exponent_ratio": -0.527,
}


def decay_sweep():
    """Four cells at 20 to 160 tokens per parameter, three rates x four decays in each, noise of 0.3%."""
    rng, rows = np.random.default_rng(1), []
    for params, tokens in ((5e7, 1e9), (5e7, 8e9), (4e8, 8e9), (4e8, 3e10)):
        for lr in (3e-4, 1e-3, 3e-3):
            for weight_decay in (0.03, 0.1, 0.3, 1.0):
                run = {
                    "params": params,
                    "tokens": tokens,
                    "batch_tokens": 2.5e5,
                    "lr": lr,
                    "weight_decay": weight_decay,
                }
                level = 1.8 + 480 / params**0.35 + 2000 / tokens**0.366
                rows.append({**run, "loss": level * rate_decay.loss(**run, **DECAY) * np.exp(0.003 * rng.normal())})
    return read_runs(pd.DataFrame(rows).assign(run=[f"r{i}" for i in range(len(rows))]))


def test_rate_and_decay_are_told_apart():
    idata = fit(load_spec("lr-decay-surface"), decay_sweep(), random_seed=1, **SAMPLING)
    open_ = open_checks(idata)
    assert "the batch (" in open_["exponents_from_prior"] and "tau" not in open_["exponents_from_prior"]
    draws = idata["posterior"].to_dataset()
    for name in ("curvature", "tau_curvature", "exponent_ratio", "exponent_params"):
        low, high = draws[name].quantile([0.01, 0.99]).to_numpy()
        assert low < DECAY[name] < high, name
    table = best_rates(idata)
    for _, row in table.iterrows():
        cell = {name: row[name] for name in ("params", "tokens", "batch_tokens")}
        constants = {name: value for name, value in DECAY.items() if "curvature" not in name}
        for name, log_best in rate_decay.best(cell, **constants).items():
            assert row[f"{name}_lower"] / 1.2 < np.exp(log_best) < 1.2 * row[f"{name}_upper"], name
            assert row[f"{name}_upper"] < 2 * row[f"{name}_lower"], name
