"""Groups and covariates: the same law in the graph and in draws, a group without runs, and what is refused."""

import json

import numpy as np
import pandas as pd
import pytest

from bayescale import allocate, bands, fit, forecast, load_spec
from bayescale.spec import parse_spec
from bayescale.spec.data import law_loss
from bayescale.spec.groups import check_groups, fitted_draws

SEED = sum(map(ord, "groups"))
LEVELS = {"web": 1.0, "books": 1.3}


def table(n=12, noise=0.003):
    rng = np.random.default_rng(SEED)
    params = np.tile(np.geomspace(3e7, 3e9, n), 2)
    tokens = params * np.tile(rng.permutation(np.geomspace(4, 200, n)), 2)
    family = np.repeat(list(LEVELS), n)
    dropout = np.tile([0.0, 0.1], n)
    curve = 1.8 + 480 * np.exp(2 * dropout) / params**0.35 + 2000 / tokens**0.366
    loss = curve * np.array([LEVELS[name] for name in family]) * np.exp(noise * rng.standard_normal(2 * n))
    runs = [f"r{i}" for i in range(2 * n)]
    return pd.DataFrame(
        {"run": runs, "family": family, "params": params, "tokens": tokens, "dropout": dropout, "loss": loss}
    )


@pytest.fixture(scope="module")
def spec():
    return parse_spec(load_spec("chinchilla-families").text + '\n[covariates]\nA = ["dropout"]\n').changed(fade=0.0)


@pytest.fixture(scope="module")
def idata(spec):
    return fit(spec, table(), draws=300, tune=500, chains=2, target_accept=0.9, random_seed=SEED, progressbar=False)


def test_what_is_sampled(spec, idata):
    assert set(spec.sampled) == {
        "T", "u1", "u2", "log_alpha", "log_beta", "spread_T", "z_T", "A_dropout", "sigma", "nu"
    }  # fmt: skip
    assert set(spec.sampled) <= set(idata["posterior"].data_vars)
    assert list(idata["posterior"]["group"].values) == list(LEVELS)
    assert idata["posterior"]["E"].dims == ("chain", "draw", "group") and idata["posterior"]["alpha"].dims == (
        "chain",
        "draw",
    )


def test_levels_and_slope_are_recovered(idata):
    E = idata["posterior"]["E"]
    ratio = E.sel(group="books") / E.sel(group="web")
    assert float(ratio.median()) == pytest.approx(1.3, rel=0.01)
    # One sd of the column is 0.05, which moves ln A by 0.1.
    assert float(idata["posterior"]["A_dropout"].median()) == pytest.approx(0.1, abs=0.03)


def test_draws_say_what_the_graph_says(spec, idata):
    data = idata["constant_data"]
    draws = fitted_draws(spec, idata)
    expected = np.log(law_loss(spec, draws, {name: data[name] for name in ("params", "tokens")}))
    away = (idata["posterior_predictive"]["log_loss"] - expected).mean(("chain", "draw"))
    assert float(np.abs(away).max()) < 0.002


def test_forecast_and_allocate_take_a_group(idata):
    plan = {"params": [1e9, 1e9, 1e9], "tokens": [2e10] * 3, "dropout": [0.0] * 3, "family": ["web", "books", "code"]}
    rows = bands(forecast(idata, pd.DataFrame(plan)))
    assert rows["loss_median"].iloc[1] == pytest.approx(1.3 * rows["loss_median"].iloc[0], rel=0.01)
    width = rows["expected_upper"] - rows["expected_lower"]
    assert width.iloc[2] > 10 * width.iloc[0], "a family without runs is drawn from the spread of the others"
    chosen = [allocate(idata, 1e20, at={"family": name, "dropout": 0.0}) for name in LEVELS]
    assert chosen[0]["params"].iloc[0] == pytest.approx(chosen[1]["params"].iloc[0], rel=1e-4)
    with pytest.raises(ValueError, match=r"lack 'family', 'dropout'"):
        allocate(idata, 1e20)


def test_rows_of_all_groups_are_kept_and_checked(idata):
    assert idata["observed_data"].sizes["run"] == 24
    names = {row["name"] for row in json.loads(idata.attrs["check"])}
    assert {"outlying_rows", "rhat"} <= names


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"family": "web"}, "one value in all rows"),
        ({"family": ["", *["web"] * 23]}, r"'family' \(`groups.by`\) is blank in 1 rows"),
        ({"dropout": ["high"] * 12 + ["low"] * 12}, "must be a number"),
    ],
)
def test_columns_that_cannot_group(spec, change, message):
    with pytest.raises(ValueError, match=message):
        check_groups(spec, table().assign(**change))


@pytest.mark.parametrize(
    ("more", "message"),
    [('[covariates]\nR = ["x"]\n', "`covariates.R`: law 'chinchilla' has constants"), ("", "samples T, u1")],
)
def test_names_that_the_law_lacks(more, message):
    text = load_spec("chinchilla-families").text
    text = text + more if more else text.replace('partial = ["T"]', 'partial = ["E"]')
    with pytest.raises(ValueError, match=message):
        parse_spec(text)
