"""Covariates that vary within the cells of a sweep: of the level, and of the best rate, found again on simulated sweeps."""

import json

import numpy as np
import pandas as pd
import pytest

from bayescale import best_rates, check_fit, fit, load_spec, read_runs
from bayescale.cli.main import main
from bayescale.posterior import engines

pytestmark = pytest.mark.slow  # a fit by NUTS takes 40 s; `spec` holds the graph and its covariates

SMALL = {"draws": 250, "tune": 400, "chains": 2, "progressbar": False}
# Of the one sweep that is fitted at every run of the tests: with 250 steps of tuning the mass matrix still came from the way to the
# posterior, and each draw took 1,023 leapfrogs.
ONCE = {**SMALL, "draws": 150, "tune": 320, "target_accept": 0.9, "max_treedepth": 7, "early_max_treedepth": 6}
TRUTH = {"exponent_params": -0.5, "exponent_tokens": 0.2, "curvature": 0.03, "lr_coef": 0.9}
LEVEL, RATE = -0.4, 6.0  # of log loss and of ln best lr, per unit of warmup
OVERLAY = {"covariates": {"T": ["warmup"], "lr_coef": ["warmup"]}}


def true_rate(params, tokens, warmup):
    return TRUTH["lr_coef"] * params**-0.5 * tokens**0.2 * np.exp(RATE * warmup)


def sweep(seed):
    """Six cells off any line, five rates around the best of a middling warmup, at two of three warmups each; noise of 0.3%."""
    rng, rows = np.random.default_rng([sum(map(ord, "warmup")), seed]), []
    for params in (1e8, 4e8, 1.6e9):
        for tokens in (2e9, 3.2e10):
            level = 1.7 + 480 / params**0.35 + 2000 / tokens**0.366
            for warmup in rng.choice([0.02, 0.1, 0.2], 2, replace=False):
                tried = np.log(true_rate(params, tokens, 0.1)) + rng.normal(0, 0.3) + np.log(2.5) * np.arange(-2, 3)
                rise = TRUTH["curvature"] / 2 * (tried - np.log(true_rate(params, tokens, warmup))) ** 2
                loss = level * np.exp(LEVEL * warmup + rise + 0.003 * rng.standard_normal(5))
                rows += [(params, tokens, warmup, np.exp(x), y) for x, y in zip(tried, loss, strict=True)]
    return read_runs(pd.DataFrame(rows, columns=["params", "tokens", "warmup", "lr", "loss"]))


def interval(draws, name, runs):
    """90% interval of a slope per unit of warmup, not per sd."""
    return (draws[name] / runs["warmup"].std(ddof=0)).quantile([0.05, 0.95]).to_numpy()


@pytest.fixture(scope="module")
def one():
    runs = sweep(0)
    return runs, fit(load_spec("lr-surface").changed(OVERLAY), runs, random_seed=1, **ONCE)


def test_both_slopes_are_found(one):
    runs, idata = one
    draws = idata["posterior"].to_dataset()
    for name, truth, wide in (("T_warmup", LEVEL, 0.1), ("lr_coef_warmup", RATE, 5)):
        low, high = interval(draws, name, runs)
        assert low < truth < high and high - low < wide, name
    checks = check_fit(idata).set_index("name")
    assert checks.loc["explained", "value"] > 0.99, "residuals take the covariates into account"
    assert checks.loc["optimum_bracketed", "passed"] and checks.loc["outlying_rows", "passed"]


@pytest.mark.slow
def test_without_the_covariate_its_effect_is_noise(one):
    runs, idata = one
    without = fit(load_spec("lr-surface"), runs, random_seed=1, **SMALL)
    assert float(without["posterior"]["sigma"].median()) > 3 * float(idata["posterior"]["sigma"].median())
    assert "--covariate T=COLUMN" in json.loads(without.attrs["notes"])["cells"]
    assert "--covariate" not in idata.attrs["notes"]


def test_the_best_rate_is_that_of_the_plan(one):
    """At a warmup of its own; at the mean of the runs if it gives none; and at that of each cell without plans."""
    runs, idata = one
    plan = {"params": [4e8], "tokens": [8e9]}
    mean = best_rates(idata, pd.DataFrame(plan))
    assert mean["warmup"].iloc[0] == pytest.approx(runs["warmup"].mean())
    for warmup in (0.02, 0.2):
        own, truth = pd.DataFrame({**plan, "warmup": [warmup]}), true_rate(4e8, 8e9, warmup)
        row, wide = (best_rates(idata, own, prob=prob).iloc[0] for prob in (0.9, 0.99))
        assert wide["lr_lower"] < truth < wide["lr_upper"], "of one table, so that 90% would miss it in one of ten"
        assert row["lr_upper"] < 2.5 * row["lr_lower"]
        shift = np.log(row["lr_median"] / mean["lr_median"].iloc[0])
        slope = float(idata["posterior"]["lr_coef_warmup"].median()) / runs["warmup"].std(ddof=0)
        assert shift == pytest.approx(slope * (warmup - runs["warmup"].mean()), rel=0.2)
        assert "outside the range" not in row["warning"]
    far = best_rates(idata, pd.DataFrame({**plan, "warmup": [0.5]}))
    assert "warmup 0.5 is outside the range of the sweep, 0.02 to 0.2" in far["warning"].iloc[0]
    with pytest.raises(ValueError, match="Covariate 'warmup' of the plans must be a number"):
        best_rates(idata, pd.DataFrame({**plan, "warmup": ["long"]}))
    cells = best_rates(idata)
    assert len(cells) == 6
    for _, row in cells.iterrows():
        own = runs[np.isclose(runs["params"], row["params"]) & np.isclose(runs["tokens"], row["tokens"])]
        assert row["warmup"] == pytest.approx(own["warmup"].mean())
        assert row["lr_lower"] / 1.3 < true_rate(row["params"], row["tokens"], row["warmup"]) < 1.3 * row["lr_upper"]


def test_on_the_command_line(one, tmp_path, capsys, monkeypatch):
    """The sampler gives the fit that there is; everything around it is asked for by options."""
    runs, idata = one
    runs.to_csv(tmp_path / "sweep.csv", index=False)
    specs = []

    def sample(spec, rows, **options):
        specs.append(spec)
        return idata.copy(deep=True)

    def said(*words):
        with pytest.raises(SystemExit):
            main(list(words))
        return capsys.readouterr().out

    monkeypatch.setattr(engines, "sampled", sample)
    out = str(tmp_path / "sweep.nc")
    asked = ["--model", "lr-surface", "--covariate", "T=warmup", "--covariate", "lr_coef=warmup", "--out", out]
    text = " ".join(said("fit", str(tmp_path / "sweep.csv"), *asked).split())
    assert "T_warmup is the change of ln(the loss of a run) per 0.0" in text
    assert "lr_coef_warmup is the change of ln(lr_coef) per 0.0" in text
    assert specs[0].covariates == {"T": ("warmup",), "lr_coef": ("warmup",)}
    shown = json.loads(said("fit", str(tmp_path / "sweep.csv"), *asked, "--json"))["parameters"]
    best = [row["median"] for row in shown if row["name"].startswith("best_lr[")]
    assert best == pytest.approx(best_rates(idata)["lr_median"].tolist())
    plan = ["forecast", str(next(tmp_path.glob("sweep*.nc"))), "--force", "--params", "4e8", "--tokens", "8e9"]
    mean, own = (json.loads(said(*plan, *more, "--json"))["forecasts"][0] for more in ([], ["--at", "warmup=0.02"]))
    assert own["inputs"] == {"params": 4e8, "tokens": 8e9, "warmup": 0.02}
    assert mean["inputs"]["warmup"] == pytest.approx(runs["warmup"].mean()) and own["lr_median"] < mean["lr_median"]
    assert "warmup" in said(*plan)


@pytest.mark.parametrize(
    ("covariates", "match"),
    [
        ({"exponent_params": ["warmup"]}, r"`covariates\.exponent_params`: law 'lr-surface' has constants T, lr_coef"),
        ({"T": ["lr"]}, r"`covariates\.T` names 'lr', which is an input of law 'lr-surface'"),
        ({"T": ["wrong"]}, "`covariates` names column 'wrong', which the table lacks"),
        ({"T": ["cell_only"]}, "Covariate 'cell_only' of `T` has one value in each combination of params and tokens"),
    ],
)
def test_what_cannot_be_learnt_is_refused(covariates, match):
    runs = sweep(0)
    runs["cell_only"] = np.log(runs["params"])
    with pytest.raises(ValueError, match=match):
        fit(load_spec("lr-surface").changed({"covariates": covariates}), runs, random_seed=1, **SMALL)


@pytest.mark.slow
def test_intervals_cover_the_true_slopes():
    inside = {"T_warmup": 0, "lr_coef_warmup": 0}
    for seed in range(1, 11):
        runs = sweep(seed)
        draws = fit(load_spec("lr-surface").changed(OVERLAY), runs, random_seed=seed, **SMALL)["posterior"]
        for name, truth in (("T_warmup", LEVEL), ("lr_coef_warmup", RATE)):
            low, high = interval(draws, name, runs)
            inside[name] += bool(low < truth < high)
    assert all(count >= 7 for count in inside.values()), (inside, "of 10 each; 9 are expected, below 7 one time in 80")


@pytest.mark.slow
@pytest.mark.parametrize("model", ["lr-batch-surface", "lr-decay-surface"])
def test_the_other_surfaces_take_covariates(model):
    """Dropout multiplies the loss, at random rates, batches and decays in four cells."""
    rng, spec = np.random.default_rng(3), load_spec(model)
    table = pd.DataFrame(
        {"params": np.repeat([1e8, 4e8, 1e8, 4e8], 12), "tokens": np.repeat([2e9, 2e9, 3e10, 3e10], 12)}
    )
    n = len(table)
    table["lr"], table["weight_decay"] = 1e-3 * np.exp(rng.normal(0, 1, n)), 0.1 * np.exp(rng.normal(0, 1, n))
    table["batch_tokens"] = 2.5e5 * (1.0 if model == "lr-decay-surface" else rng.choice([0.5, 1, 2], n))
    table["dropout"] = rng.choice([0.0, 0.1, 0.2], n)
    off = np.log(table["lr"] / 1e-3)
    table["loss"] = 3 * np.exp(0.02 * off**2 + 0.5 * table["dropout"] + 0.003 * rng.standard_normal(n))
    if model == "lr-batch-surface":
        table = table.drop(columns="weight_decay")
    runs = read_runs(table)
    idata = fit(spec.changed({"covariates": {"T": ["dropout"]}}), runs, random_seed=1, **SMALL)
    slope = idata["posterior"]["T_dropout"] / runs["dropout"].std(ddof=0)
    assert float(slope.quantile(0.01)) < 0.5 < float(slope.quantile(0.99)) and float(slope.std()) < 0.05
    assert "dropout" not in best_rates(idata), "it moves no best value"
