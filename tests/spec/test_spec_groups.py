"""Groups and covariates: the same law in the graph and in draws, a group without runs, and what is refused."""

import json

import numpy as np
import pandas as pd
import pytest

from bayescale import allocate, bands, fit, forecast, load_spec
from bayescale.posterior import fitted_spec
from bayescale.spec.data import law_loss
from bayescale.spec.groups import check_groups, fitted_draws, group_names, local_draws, unseen_groups

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
    return load_spec("chinchilla-families").changed({"covariates": {"A": ["dropout"]}, "noise": {"fade": 0.0}})


@pytest.fixture(scope="module")
def idata(spec):
    """Chains that find the posterior; short trees do not explore it, which no claim here needs."""
    short = {"draws": 200, "tune": 300, "chains": 2, "max_treedepth": 6, "early_max_treedepth": 6}
    return fit(spec, table(), **short, random_seed=SEED, progressbar=False)


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
        ({"family": ["", *["web"] * 23]}, r"'family' \(`groups.by`\) is blank in 1 row "),
        ({"family": ["  ", *["web"] * 23]}, r"'family' \(`groups.by`\) is blank in 1 row "),
        ({"family": [1, 1.0, "1", *["1"] * 21]}, "one value in all rows"),
        ({"dropout": ["high"] * 12 + ["low"] * 12}, "must be a number"),
    ],
)
def test_columns_that_cannot_group(spec, change, message):
    with pytest.raises(ValueError, match=message):
        check_groups(spec, table().assign(**change))


@pytest.mark.parametrize(
    ("overlay", "message"),
    [
        ({"covariates": {"R": ["x"]}}, r"`covariates\.R`: law 'chinchilla' has constants"),
        ({"groups": {"partial": ["E"]}}, r"`groups\.partial`: law 'chinchilla' samples T, u1.*Got 'E'"),
    ],
)
def test_names_that_the_law_lacks(overlay, message):
    with pytest.raises(ValueError, match=message):
        load_spec("chinchilla-families").changed(overlay)


def level(idata, *families, by="family"):
    """Draws of E, dims (draw, plan), of plans of these families."""
    columns = {by: list(families), "dropout": [0.0] * len(families)}
    return (
        local_draws(fitted_spec(idata), idata["posterior"].to_dataset(), idata["constant_data"], columns, "plan")["E"]
        .isel(chain=0)
        .transpose("draw", "plan")
    )


def test_a_group_has_one_name_however_it_is_written(grouped_posterior):
    idata = grouped_posterior(("1", "2"), by="size")
    spec, written = fitted_spec(idata), [1, 1.0, np.float32(1), np.int64(1), "1", " 1 "]
    assert group_names(spec, pd.DataFrame({"size": pd.Series([*written, 2.0], dtype=object)})) == ["1", "2"]
    for value in written:
        np.testing.assert_array_equal(level(idata, value, by="size")[:, 0], idata["posterior"]["E"].sel(group="1")[0])
    plans = pd.DataFrame({"size": pd.Series([*written, 3.0, "1b"], dtype=object)})
    assert unseen_groups(spec, idata["posterior"].to_dataset(), plans) == [""] * len(written) + ["3", "1b"]


@pytest.mark.parametrize("blank", ["", "  ", np.nan, None, pd.NA])
def test_a_plan_of_no_group_is_refused(grouped_posterior, blank):
    idata = grouped_posterior()
    with pytest.raises(ValueError, match=r"'family' of the plans is blank; each plan needs the name of its group"):
        level(idata, "web", blank)
    with pytest.raises(ValueError, match="is blank"):
        allocate(idata, 1e20, at={"family": blank, "dropout": 0.0})


def test_a_new_group_does_not_hang_on_its_neighbours(grouped_posterior):
    idata = grouped_posterior()
    alone = level(idata, "code")[:, 0]
    for families in (["law", "code"], ["code", "law"], ["web", "code"], ["zoo", "law", "code"]):
        np.testing.assert_array_equal(level(idata, *families)[:, families.index("code")], alone)
    assert abs(np.corrcoef(alone, level(idata, "law")[:, 0])[0, 1]) < 0.3, "two new groups are drawn apart"
    plan = {"params": 1e9, "tokens": 2e10, "dropout": 0.0}
    one, two = (
        forecast(idata, pd.DataFrame([{**plan, "family": name} for name in names]))["expected_loss"]
        for names in (["code"], ["law", "code"])
    )
    np.testing.assert_array_equal(two.isel(plan=1), one.isel(plan=0))


def test_a_new_group_is_one_to_allocate_and_to_forecast(grouped_posterior):
    """The size chosen is the best of the very levels that the forecast draws."""
    idata, at = grouped_posterior(n=4), {"family": "code", "dropout": 0.0}  # so few draws that their levels matter
    chosen = allocate(idata, 1e21, at=at)["params"].item()
    params = chosen * np.exp(np.linspace(-0.3, 0.3, 601))
    plans = pd.DataFrame({"params": params, "tokens": 1e21 / (6 * params)}).assign(**at)
    mean = forecast(idata, plans, drift=False)["expected_loss"].mean(("chain", "draw")).to_numpy()
    assert params[np.argmin(mean)] == pytest.approx(chosen, rel=0.0011)


@pytest.mark.parametrize("value", ["high", np.nan, None, "", np.inf])
def test_a_covariate_that_is_no_number(grouped_posterior, value):
    idata = grouped_posterior()
    columns = {"family": ["web", "web"], "dropout": [0.1, value]}
    with pytest.raises(ValueError, match=r"^Covariate 'dropout' of the plans must be a number in every plan\. Got "):
        local_draws(fitted_spec(idata), idata["posterior"].to_dataset(), idata["constant_data"], columns, "plan")
    as_text = local_draws(
        fitted_spec(idata),
        idata["posterior"].to_dataset(),
        idata["constant_data"],
        {**columns, "dropout": ["0.1", 0.1]},
        "plan",
    )["A"]
    np.testing.assert_array_equal(as_text.isel(plan=0), as_text.isel(plan=1))


def pooled(name):
    return {"groups": {"by": "family", "partial": [name]}}


@pytest.mark.parametrize(("model", "name", "dist"), [("accuracy", "chance", "Beta"), ("error", "gap", "Beta")])
def test_a_range_that_a_group_would_leave(model, name, dist):
    with pytest.raises(
        ValueError, match=rf"`groups.partial`: {name} has a {dist} prior, and a group would leave its range"
    ):
        load_spec(model).changed(pooled(name))


def test_priors_that_groups_may_move():
    for model, name in (("accuracy", "middle"), ("error", "log_gamma"), ("chinchilla", "T")):
        assert load_spec(model).changed(pooled(name)).groups.partial == (name,)


@pytest.mark.parametrize("model", ["approach-1", "approach-2", "lr-surface", "lr-batch-surface", "lr-decay-surface"])
def test_laws_that_take_no_groups(model):
    spec = load_spec(model)
    partial = pooled(next(name for name, prior in spec.priors.items() if prior.dist == "Normal"))
    with pytest.raises(ValueError, match=rf"Law '{model}' takes no `groups`.*: .* with `where` \(--where\)"):
        spec.changed(partial)


@pytest.mark.parametrize("model", ["approach-1", "approach-2"])
def test_laws_that_take_no_covariates(model):
    spec = load_spec(model)
    with pytest.raises(ValueError, match=rf"Law '{model}' takes no `covariates`: .* with `where` \(--where\)"):
        spec.changed({"covariates": {spec.get_law().loss_constants[0]: ["dropout"]}})
