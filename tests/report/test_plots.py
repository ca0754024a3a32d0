"""Plots: scales, units on the axes, what is drawn, and that bands hold their medians; no pictures are stored."""

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure

from bayescale import allocate, bands, forecast
from bayescale.report import plot_forecast, plot_isoflop


@pytest.fixture(scope="module")
def idata(posterior_from_constants, many_draws):
    return posterior_from_constants(many_draws)


@pytest.fixture
def ax():
    return Figure().subplots()


def plans(**columns):
    params = np.array([3e9, 6e9, 1e10])
    return pd.DataFrame({"params": params, "tokens": 20 * params, **columns})


def labels(ax):
    return [" ".join(text.get_text().split()) for text in ax.get_legend().get_texts()]


def test_forecast_axes(idata, ax):
    table = bands(forecast(idata, plans()), prob=0.8)
    assert plot_forecast(idata, table, ax, title="small") is ax
    assert ax.get_xscale() == ax.get_yscale() == "log"
    assert ax.get_xlabel() == "compute, 6 x params x tokens (FLOP)"
    assert ax.get_ylabel() == "loss (nats/token)"
    assert ax.get_title("left") == "small"
    assert labels(ax) == ["fitted runs", "beyond the fitted runs", "forecast, 80% band"]


def test_forecast_points_and_bands(idata, ax):
    table = bands(forecast(idata, plans()))
    plot_forecast(idata, table, ax)
    (fitted,) = [artist for artist in ax.collections if isinstance(artist, PathCollection)]
    np.testing.assert_allclose(fitted.get_offsets()[:, 0], idata["constant_data"]["flops"], rtol=1e-9)
    np.testing.assert_allclose(fitted.get_offsets()[:, 1], np.exp(idata["observed_data"]["log_loss"]))
    (bars,) = ax.containers
    middle, _, (sticks,) = bars.lines
    np.testing.assert_allclose(middle.get_ydata(), table["loss_median"])
    np.testing.assert_allclose(middle.get_xdata(), 6 * table["params"] * table["tokens"])
    for segment, (_, row) in zip(sticks.get_segments(), table.iterrows(), strict=True):
        assert segment[:, 1].tolist() == pytest.approx([row["loss_lower"], row["loss_upper"]])
        assert row["loss_lower"] < row["loss_median"] < row["loss_upper"]


def test_measured_losses_inside_and_outside(idata, ax):
    middle = bands(forecast(idata, plans()))["loss_median"].to_numpy()
    table = bands(forecast(idata, plans(loss=[middle[0], 2 * middle[1], middle[2]])))
    plot_forecast(idata, table, ax)
    assert labels(ax)[1:3] == ["measured, inside (2)", "measured, outside (1)"]
    scatters = [artist for artist in ax.collections if isinstance(artist, PathCollection)]
    assert [len(artist.get_offsets()) for artist in scatters] == [6, 2, 1]


@pytest.fixture(scope="module")
def allocation(idata):
    return allocate(idata, 1e22).iloc[0]


def test_isoflop_axes(idata, allocation, ax):
    assert plot_isoflop(idata, allocation, ax, title="1e22 FLOP") is ax
    assert ax.get_xscale() == "log"
    assert ax.get_xlabel() == "total params" and ax.get_ylabel() == "loss (nats/token)"
    assert ax.get_title("left") == "1e22 FLOP"
    assert labels(ax) == [
        "law, 90% band",
        "flat: almost as good as the choice",
        "choice, 90% band: 9.17B (8.52B to 9.79B)",
    ]
    other, plain = idata.copy(), Figure().subplots()
    other.attrs["params_kind"] = "unknown"
    assert plot_isoflop(other, allocation, plain).get_xlabel() == "params"


def test_isoflop_band_holds_its_median_and_the_choice(idata, allocation, ax):
    plot_isoflop(idata, allocation, ax)
    band = ax.collections[0].get_paths()[0].vertices
    curve = ax.lines[0]
    params, middle = curve.get_xdata(), curve.get_ydata()
    for x, y in zip(params, middle, strict=True):
        edges = band[np.isclose(band[:, 0], x, rtol=1e-12), 1]
        assert edges.min() <= y <= edges.max()
    assert params[0] <= allocation["params_lower"] / 1.99 and params[-1] >= allocation["params_upper"] * 1.99
    assert middle.min() == pytest.approx(allocation["expected_median"], rel=1e-3)
    (choice,) = ax.containers
    assert choice.lines[0].get_xdata().tolist() == [allocation["params"]]
    (bar,) = choice.lines[2]
    interval = [allocation["params_lower"], allocation["params_upper"]]
    assert bar.get_segments()[0][:, 0].tolist() == pytest.approx(interval)


def test_isoflop_draws_the_runs_near_the_budget(idata, allocation, ax):
    budgets = np.array([1e22, 1.2e22, 1e22 / 1.2, 1.3e22, 1e21])
    params = np.full(5, 7e9)
    runs = pd.DataFrame({"params": params, "tokens": budgets / (6 * params), "loss": [2.2, 2.2, 2.3, 2.1, 2.5]})
    plot_isoflop(idata, allocation, ax, runs=runs)
    (near,) = [artist for artist in ax.collections if isinstance(artist, PathCollection)]
    assert len(near.get_offsets()) == 3
    assert "measured within 25% of the budget, moved there along the law" in labels(ax)


def test_nothing_global_is_changed(idata, allocation, ax):
    before = {
        name: value for name, value in matplotlib.rcParams.items() if name != "backend"
    }  # found when first needed
    plot_isoflop(idata, allocation, ax)
    assert {name: value for name, value in matplotlib.rcParams.items() if name != "backend"} == before
