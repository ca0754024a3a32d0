"""Best rates from hand-made posteriors: medians, drift beyond the sweep, batches, refusals, what is said."""

import json
from importlib.resources import files

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from jsonschema import Draft202012Validator

from bayescale import allocate, best_rates, forecast, load_spec, save_fit
from bayescale.cli.main import main
from bayescale.posterior.store import FORMAT
from bayescale.spec.cells import find_cells

TRUTH = {"lr_coef": 1.79, "exponent_params": -0.713, "exponent_tokens": 0.307, "curvature": 0.012}
BATCH = {"exponent_batch": 0.5, "batch_curvature": 0.02, "batch_coef": 0.58, "batch_exponent_tokens": 0.571}
INSIDE = pd.DataFrame({"params": [1e9], "tokens": [2e10]})


def hand_made(model="lr-surface", checks=()):
    """A fit whose draws differ by 10% in the level of the rate."""
    spec = load_spec(model)
    constants = {**TRUTH, **(BATCH if model == "lr-batch-surface" else {})}
    rng = np.random.default_rng(sum(map(ord, model)))
    draws = {name: (("chain", "draw"), np.full((1, 400), value)) for name, value in constants.items()}
    draws["lr_coef"] = (("chain", "draw"), 1.79 * np.exp(0.1 * rng.standard_normal((1, 400))))
    draws["sigma"] = (("chain", "draw"), np.full((1, 400), 0.01))
    draws["nu"] = (("chain", "draw"), np.full((1, 400), 20.0))
    rows = {
        "params": np.repeat([1e8, 1e9], 3),
        "tokens": np.repeat([2e9, 2e10], 3),
        "lr": np.tile([1e-3, 2e-3, 4e-3], 2),
        "batch_tokens": np.tile([1e5, 2e5, 4e5], 2),
    }
    names, member = find_cells(spec.get_law().surface, rows)
    data = {name: ("run", value) for name, value in rows.items()}
    data |= {"member": (("cell", "run"), member), "log_reach_max": np.log(6 * 1e9 * 2e10)}
    attrs = {
        "bayescale_format": FORMAT,
        "spec": spec.text,
        "params_kind": "total",
        "loss_unit": "nats/token",
        "random_seed": 3,
        "check": json.dumps(list(checks)),
    }
    return xr.DataTree.from_dict(
        {
            "/": xr.Dataset(attrs=attrs),
            "posterior": xr.Dataset(draws, {"chain": [0], "draw": np.arange(400)}),
            "constant_data": xr.Dataset(data, {"cell": names, "run": [f"r{i}" for i in range(6)]}),
            "observed_data": xr.Dataset({"log_loss": ("run", np.zeros(6))}, {"run": [f"r{i}" for i in range(6)]}),
        }
    )


@pytest.fixture(scope="module")
def rate_fit():
    return hand_made()


def test_inside_the_sweep_no_drift(rate_fit):
    row = best_rates(rate_fit, INSIDE).iloc[0]
    assert row["lr_median"] == pytest.approx(1.0e-3, rel=0.03)
    assert np.log(row["lr_upper"] / row["lr_lower"]) == pytest.approx(2 * 1.645 * 0.1, rel=0.15)
    assert row["extrapolation_decades"] == 0 and row["warning"] == ""
    assert list(row.index[-1:]) == ["warning"]


def test_beyond_the_sweep_the_rule_drifts(rate_fit):
    far = pd.DataFrame({"params": [7e9], "tokens": [2e12]})
    row = best_rates(rate_fit, far).iloc[0]
    decades = np.log10(7e9 * 2e12 / (1e9 * 2e10))
    assert row["extrapolation_decades"] == pytest.approx(decades)
    wanted = 2 * 1.645 * np.hypot(0.1, 0.2 * decades)
    assert np.log(row["lr_upper"] / row["lr_lower"]) == pytest.approx(wanted, rel=0.15)
    assert "outside the range of the sweep" in row["warning"] and "drifts" in row["warning"]
    bare = best_rates(rate_fit, far, drift=False).iloc[0]
    assert np.log(bare["lr_upper"] / bare["lr_lower"]) == pytest.approx(2 * 1.645 * 0.1, rel=0.15)
    with pytest.raises(ValueError, match="more than 1"):
        best_rates(rate_fit, far, max_extrapolation=1)


def test_cells_of_the_sweep(rate_fit):
    table = best_rates(rate_fit)
    assert list(table.index) == ["params=1e+08 tokens=2e+09", "params=1e+09 tokens=2e+10"]
    assert table["lr_median"].iloc[0] == pytest.approx(1.79 * 1e8**-0.713 * 2e9**0.307, rel=0.03)


def test_batches():
    fit = hand_made("lr-batch-surface")
    free = best_rates(fit, INSIDE).iloc[0]
    assert free["batch_tokens_median"] == pytest.approx(0.58 * 2e10**0.571)
    given = best_rates(fit, INSIDE.assign(batch_tokens=free["batch_tokens_median"] / 4)).iloc[0]
    assert given["lr_median"] == pytest.approx(free["lr_median"] / 2)
    assert given["batch_tokens_median"] == pytest.approx(given["batch_tokens"])
    cells = best_rates(fit)
    assert cells["batch_tokens"].tolist() == pytest.approx([2e5, 2e5])
    assert cells["batch_tokens_median"].iloc[1] == pytest.approx(0.58 * 2e10**0.571)


def test_open_checks_travel_with_the_answer():
    row = {
        "name": "exponents_from_prior",
        "severity": "warn",
        "passed": False,
        "bears_on": ["rates"],
        "advice": "These are the prior's.",
    }
    assert best_rates(hand_made(checks=[row]), INSIDE)["warning"].iloc[0] == "These are the prior's."


def test_refusals(rate_fit, small_fit):
    with pytest.raises(ValueError, match="lack 'tokens'"):
        best_rates(rate_fit, INSIDE[["params"]])
    with pytest.raises(ValueError, match="does not model learning rates"):
        best_rates(small_fit, INSIDE)
    with pytest.raises(ValueError, match="not a loss: use best_rates"):
        forecast(rate_fit, INSIDE.assign(lr=1e-3))
    with pytest.raises(ValueError, match="no params and tokens to choose"):
        allocate(rate_fit, 1e20)
    with pytest.raises(ValueError, match="--band"):
        best_rates(rate_fit, INSIDE, prob=1)


def said(words, capsys):
    with pytest.raises(SystemExit) as left:
        main([str(word) for word in words])
    out, err = capsys.readouterr()
    return left.value.code or 0, out, err


@pytest.fixture(scope="module")
def batch_file(tmp_path_factory):
    return save_fit(hand_made("lr-batch-surface"), tmp_path_factory.mktemp("fits") / "rates.nc")


def test_on_the_command_line(batch_file, capsys):
    words = ["forecast", batch_file, "--at", "params=1e9", "--at", "tokens=2e10"]
    code, out, _ = said(words, capsys)
    assert code == 0 and max(map(len, out.splitlines())) <= 80
    code, out, _ = said([*words, "--json"], capsys)
    document = json.loads(out)
    (row,) = document["forecasts"]
    assert row["loss_median"] is row["expected_median"] is row["share_noise"] is row["loss"] is None
    assert row["lr_lower"] < row["lr_median"] < row["lr_upper"]
    assert row["inputs"] == {"params": 1e9, "tokens": 2e10}
    schema = json.loads(files("bayescale.cli").joinpath("schema.json").read_text(encoding="utf-8"))
    Draft202012Validator({"$ref": "#/$defs/forecast", "$defs": schema["$defs"]}).validate(document)
    assert set(row) <= set(schema["$defs"]["forecasts"]["items"]["properties"])


def test_no_loss_is_scored(batch_file, capsys):
    code, _, err = said(["forecast", batch_file, "--at", "params=1e9", "--at", "tokens=2e10", "--score"], capsys)
    assert code == 2 and "the best learning rate, not a loss" in err


def test_a_run_alone_in_its_cell_is_no_cell_of_the_sweep(rate_fit):
    fit = rate_fit.copy(deep=True)
    data = fit["constant_data"].to_dataset()
    data["member"] = data["member"].where(data["cell"] != data["cell"][0], xr.DataArray([1, 0, 0, 0, 0, 0], dims="run"))
    fit["constant_data"] = xr.DataTree(data)
    assert list(best_rates(fit).index) == ["params=1e+09 tokens=2e+10"]
