"""Allocation from fits of approaches 1 and 2, and a comparison of all three approaches, without a sampler."""

import json

import numpy as np
import pandas as pd
import pytest

from bayescale import Rules, allocate, compare_approaches, forecast, load_fit, read_runs, save_fit
from bayescale.calibrate import approaches
from bayescale.posterior import fits_of
from bayescale.runs.checkpoints import add_checkpoints

BUDGETS = [1e20, 1e22]
OF_LOSS = [
    "flat_params_lower", "flat_params_upper", "wasted_compute", "expected_regret",
    "loss_median", "loss_lower", "loss_upper", "expected_median", "expected_lower", "expected_upper",
]  # fmt: skip


@pytest.fixture(scope="module")
def profile(profile_from_constants):
    """Draws of ln N* at 1e21 FLOP over a factor e^0.4."""
    return profile_from_constants(np.linspace(-0.2, 0.2, 401), 0.5)


def test_allocate_takes_the_median_of_the_best_sizes(profile):
    table = allocate(profile, BUDGETS, prob=0.8)
    np.testing.assert_allclose(table["params"], np.sqrt(np.array(BUDGETS) / 6), rtol=1e-9)
    np.testing.assert_allclose(table["params_upper"] / table["params"], np.exp(0.16), rtol=1e-3)
    np.testing.assert_allclose(table["params_lower"] / table["params"], np.exp(-0.16), rtol=1e-3)
    np.testing.assert_allclose(6 * table["params"] * table["tokens"], BUDGETS)
    np.testing.assert_allclose(table["tokens_per_param"], table["tokens"] / table["params"])
    assert (table["tokens_per_param_lower"] < table["tokens_per_param"]).all()
    assert (table["tokens_per_param"] < table["tokens_per_param_upper"]).all()
    assert table[OF_LOSS].isna().all(axis=None)
    assert table["warning"].str.contains("gives only the best size, not a loss").all()


def test_the_columns_are_those_of_any_allocation(profile, small_fit):
    assert set(allocate(profile, 1e21).columns) == set(allocate(small_fit, 1e21).columns)


def test_open_checks_of_the_budgets_travel_along(profile_from_constants):
    row = {"name": "off_centre", "passed": False, "severity": "warn"}
    check = [{**row, "bears_on": ["sizes"], "advice": "Add sizes beyond it."}]
    idata = profile_from_constants(np.zeros(5), 0.5, check=json.dumps(check))
    (row,) = allocate(idata, 5e22).itertuples()
    assert "Add sizes beyond it." in row.warning and "1.70 decades beyond the runs" in row.warning


def test_too_far_is_refused(profile):
    with pytest.raises(ValueError, match="decades of compute beyond the largest fitted run"):
        allocate(profile, 1e26)


def test_it_forecasts_no_loss(profile):
    with pytest.raises(
        ValueError, match=r"gives only the best size for a compute budget, not a loss: .* such as chinchilla"
    ):
        forecast(profile, pd.DataFrame({"params": [1e9], "tokens": [2e10]}))


def test_it_is_kept_as_any_fit(profile, tmp_path):
    again = load_fit(save_fit(profile, tmp_path / "profile.nc"))
    pd.testing.assert_frame_equal(allocate(again, BUDGETS), allocate(profile, BUDGETS))


@pytest.fixture
def fitted(monkeypatch, small_fit, profile_from_constants):
    """Give these fits instead of sampling: approach 1 not supported, approach 2 at `ratio` times approach 3's sizes."""

    def use(ratio, *, failed=False):
        asked = {}
        draws = small_fit["posterior"].to_dataset()
        middle = float(draws["params_exponent"].median())
        (law,) = fits_of(small_fit)
        log_G = approaches._log_best(law, 6.0)
        check = [{"name": "rhat", "passed": not failed, "severity": "fail", "bears_on": [], "advice": ""}]

        def fit(spec, runs, **options):
            asked[spec.law] = (runs, options)
            if spec.law == "approach-1":
                raise ValueError("Approach 1 needs at least 3 sizes.")
            if spec.law == "chinchilla":
                return small_fit
            # The same draws about approach 3's own best size at 1e20 FLOP, so that only the ratio sets the two apart.
            at = approaches._log_best(law, 1e20)
            return profile_from_constants(
                np.log(ratio) + at - middle * np.log(1e20 / 6) + 0 * log_G, middle, check=json.dumps(check)
            )

        monkeypatch.setattr(approaches, "fit", fit)
        return asked

    return use


def test_three_approaches_side_by_side(fitted, small_runs, small_fit):
    asked = fitted(1.0)
    table = compare_approaches(small_runs, BUDGETS, draws=70, random_seed=3)
    assert table["approach"].tolist() == [1, 1, 2, 2, 3, 3] and table["flops"].tolist() == 3 * BUDGETS
    assert table["model"].tolist() == ["approach-1"] * 2 + ["approach-2"] * 2 + ["chinchilla"] * 2
    one, two, three = (table[table["approach"] == number] for number in (1, 2, 3))
    assert (one["reason"] == "Approach 1 needs at least 3 sizes.").all() and one["params_median"].isna().all()
    assert (one["runs"] == 0).all() and (three["runs"] == 20).all()
    chosen = allocate(small_fit, BUDGETS, rules=Rules(drift=False))
    np.testing.assert_allclose(three["params_lower"], chosen["params_lower"])
    np.testing.assert_allclose(three["params_upper"], chosen["params_upper"])
    assert (two["params_lower"] < two["params_median"]).all() and (two["params_median"] < two["params_upper"]).all()
    assert two["params_median"].iloc[0] == pytest.approx(three["params_median"].iloc[0])
    assert asked["chinchilla"][1]["draws"] == 70 and asked["chinchilla"][1]["random_seed"] == 3
    assert not [d for d in table.attrs["disagreements"] if d["flops"] == 1e20]


def test_a_disagreement_has_its_ratio_and_a_reason(fitted, small_runs):
    fitted(9.0)
    table = compare_approaches(small_runs, 1e20)
    (found,) = table.attrs["disagreements"]
    assert found["approaches"] == [2, 3] and found["flops"] == 1e20
    assert 1 < found["ratio_lower"] < found["ratio_median"] < found["ratio_upper"]
    assert found["ratio_median"] == pytest.approx(9, rel=0.3)
    assert "By approach 3's law" in found["reason"]


def test_budgets_by_default(fitted, small_runs):
    fitted(1.0)
    assert compare_approaches(small_runs)["flops"].unique().tolist() == pytest.approx([1e21, 1e22])


def test_a_failed_check_is_a_reason(fitted, small_runs):
    fitted(1.0, failed=True)
    row = compare_approaches(small_runs, 1e20).query("approach == 2").iloc[0]
    assert "check of its fit failed (rhat)" in row["reason"] and np.isnan(row["params_median"])


@pytest.mark.parametrize(
    "options, said",
    [
        ({"flops": 0}, r"`flops` \(--flops\) must be a positive number"),
        ({"flops": []}, "must hold at least one value"),
        ({"prob": 1.5}, "`prob`"),
        ({"within": 2}, "`within` a share"),
        ({"family": "none"}, "cannot be chosen"),
        ({"where": "params>1e20"}, "0 usable runs"),
    ],
)
def test_what_all_three_share_is_an_error(fitted, small_runs, options, said):
    fitted(1.0)
    with pytest.raises(ValueError, match=said):
        compare_approaches(small_runs, **options)


def test_checkpoints_are_for_approach_1(fitted, small_runs):
    asked = fitted(1.0)
    curves = small_runs[["run", "tokens", "loss"]].assign(
        tokens=small_runs["tokens"] / 2, loss=small_runs["loss"] * 1.05
    )
    compare_approaches(small_runs, 1e20, curves=curves)
    rows = asked["approach-1"][0]
    assert len(rows) > len(small_runs) == len(asked["approach-2"][0]) == len(asked["chinchilla"][0])
    assert rows.loc[rows["run"] == "r03", "weight"].tolist() == [0.5]


def test_checkpoints_weigh_as_one_run():
    runs = read_runs(
        pd.DataFrame({"run": ["short", "long"], "params": [1e6] * 2, "tokens": [4e6, 1.6e7], "loss": [2.5, 2.0]})
    )
    steps = [5e5, 2e6, 4e6, 8e6]
    curves = pd.DataFrame(
        {"run": ["short"] * 3 + ["long"] * 4, "tokens": [*steps[:3], *steps], "loss": [4, 3, 2.5, 4.2, 3.2, 2.8, 2.3]}
    )
    table = add_checkpoints(runs, curves).set_index("run")
    # 5e5 is too early; up to 4e6 tokens the short run is the one that ends nearest; its own end is not a checkpoint.
    assert table.index.tolist() == ["short", "long", "short@2e+06", "long@8e+06"]
    assert table["weight"].tolist() == [0.5] * 4
    assert table.loc["long@8e+06", "loss"] == 2.3 and table.loc["long@8e+06", "params"] == 1e6
    with pytest.raises(ValueError, match="No checkpoint belongs to a run of the table"):
        add_checkpoints(runs, curves.assign(run="other"))
