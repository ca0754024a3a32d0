"""Each picture: scales, units on the axes, what is drawn, bands that hold their medians, and a caption; no pictures are stored."""

from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.collections import FillBetweenPolyCollection, PathCollection
from matplotlib.figure import Figure
from matplotlib.text import Text

from bayescale import allocate, average_fits, bands, forecast
from bayescale.decide.overhead import overhead_curve
from bayescale.decide.pareto import pareto
from bayescale.errors import InputError
from bayescale.forecasts.parts import band_parts
from bayescale.report import plots
from bayescale.report.plots.best_sizes import published_sizes
from bayescale.report.plots.calibration import coverage
from bayescale.report.plots.fitted import runs_of
from bayescale.report.plots.known import Drawing, draw
from bayescale.report.plots.style import caption_of

BUDGETS = [1e19, 1e20, 1e21, 1e22, 1e23]


@pytest.fixture(scope="module")
def idata(posterior_from_constants, many_draws):
    return posterior_from_constants(many_draws)


@pytest.fixture(scope="module")
def average(idata, posterior_from_constants, many_draws):
    worse = {**many_draws, "E": many_draws["E"] + 0.2}
    return average_fits({"one": idata, "other": posterior_from_constants(worse)}, {"one": 0.75, "other": 0.25})


@pytest.fixture(scope="module")
def curve(posterior_from_constants):
    rng = np.random.default_rng(1)
    draws = {
        "log_b": np.log(30) + 0.02 * rng.standard_normal(200),
        "c0": 0.15,
        "c_1": 0.1,
        "d_1": 3e10 * np.exp(0.1 * rng.standard_normal(200)),
        "f_1": 0.3,
    }
    return posterior_from_constants({"a": 1.5, **draws}, model="bnsl", inputs={"x": "tokens"}, fade=None)


@pytest.fixture(scope="module")
def best(idata):
    return allocate(idata, BUDGETS)


@pytest.fixture(scope="module")
def backtest():
    rng = np.random.default_rng(1)
    n = 90
    return pd.DataFrame(
        {"pit": rng.uniform(size=n), "cut": np.repeat([1, 2, 3], 30), "decades_beyond": rng.uniform(0, 2, n)}
    )


@pytest.fixture
def ax():
    return plots.new_figure().subplots()


def legend(ax):
    return [" ".join(text.get_text().split()) for text in ax.get_legend().get_texts()]


def edges(collection, x):
    """The lower and upper edge of a filled band at each x."""
    vertices = collection.get_paths()[0].vertices
    found = [vertices[np.isclose(vertices[:, 0], at, rtol=1e-9), 1] for at in x]
    return np.array([one.min() for one in found]), np.array([one.max() for one in found])


def filled(ax):
    return [artist for artist in ax.collections if isinstance(artist, FillBetweenPolyCollection)]


def scattered(ax):
    return [artist for artist in ax.collections if isinstance(artist, PathCollection)]


def line(ax, label):
    return next(one for one in ax.lines if one.get_label() == label)


def test_loss_has_bands_runs_and_residuals(idata, best, ax):
    assert plots.plot_loss(idata, best, ax) is ax
    below = ax.figure.axes[1]
    assert ax.get_xscale() == ax.get_yscale() == below.get_xscale() == "log"
    assert ax.get_ylabel() == "loss (nats/token)" and "FLOP" in below.get_xlabel()
    assert ax.get_xlim() == below.get_xlim()
    median = line(ax, "law, median")
    for drawn, kind in zip(filled(ax), ("loss", "expected"), strict=True):
        lower, upper = edges(drawn, median.get_xdata())
        np.testing.assert_allclose([lower, upper], best[[f"{kind}_lower", f"{kind}_upper"]].to_numpy().T)
        assert ((lower < median.get_ydata()) & (median.get_ydata() < upper)).all()
    (runs,), (residuals,) = scattered(ax), scattered(below)
    np.testing.assert_allclose(runs.get_offsets()[:, 1], np.exp(idata["observed_data"]["log_loss"]))
    assert np.abs(residuals.get_offsets()[:, 1]).max() < 0.01  # the runs lie on the law
    low, high = below.get_ylim()
    assert low == -high
    assert "beyond the fitted runs" in legend(below)  # of the lowest axes
    assert caption_of(below).startswith("Law chinchilla; 6 runs; bands 90%.")


def test_bands_of_runs_that_count_less_do_not_set_the_scale(posterior_from_constants, many_draws, ax):
    """Of 240 runs fade may be 8% a decade: a band of 50% would hide the law and what it misses by."""
    idata = posterior_from_constants(many_draws, fade=0.3, sigma=0.002)
    table = allocate(idata, BUDGETS)
    assert table["loss_upper"].max() > 2 * table["loss_median"].max()
    plots.plot_loss(idata, table, ax)
    below = ax.figure.axes[1]
    low, high = ax.get_ylim()
    runs = np.exp(idata["observed_data"]["log_loss"].to_numpy())
    assert low < min(runs.min(), table["expected_lower"].min())
    assert max(runs.max(), table["expected_upper"].max()) < high < 0.8 * table["loss_upper"].max()
    assert below.get_ylim()[1] < 0.2  # the band of the smallest run is wider than 100%


def test_the_region_beyond_the_runs_is_shaded_from_the_largest_one(idata, best, ax):
    plots.plot_best_sizes(idata, best, ax)
    (span,) = [patch for patch in ax.patches if patch.get_label() == "beyond the fitted runs"]
    assert span.get_x() == pytest.approx(1e21)
    assert span.get_x() + span.get_width() == pytest.approx(ax.get_xlim()[1])


@pytest.mark.parametrize("of", ["params", "tokens"])
def test_best_sizes_lie_in_their_band_beside_published_rules(idata, best, ax, of):
    plots.plot_best_sizes(idata, best, ax, of=of)
    assert ax.get_xscale() == ax.get_yscale() == "log"
    assert ax.get_ylabel() == {"params": "total params", "tokens": "training tokens"}[of]
    chosen = line(ax, "plan with the lowest mean loss")
    lower, upper = edges(filled(ax)[0], chosen.get_xdata())
    assert ((lower < chosen.get_ydata()) & (chosen.get_ydata() < upper)).all()
    rule = line(ax, "20 tokens per param")
    params, tokens = (rule.get_ydata(), None) if of == "params" else (None, rule.get_ydata())
    flops = rule.get_xdata()
    np.testing.assert_allclose(flops, 120 * params**2 if of == "params" else 0.3 * tokens**2)
    assert {"Kaplan et al. 2020", "Llama 3 (2024)"} <= set(legend(ax))
    assert len({(str(one.get_linestyle()), one.get_color()) for one in ax.lines}) >= 4  # apart in grey too


def test_published_sizes_at_known_points():
    """Kaplan et al.: 1.3e9 params at a PF-day. Llama 3: 402B params on 16.55T tokens at 3.8e25 FLOP."""
    assert published_sizes(np.array([8.64e19]))["Kaplan et al. 2020"] == pytest.approx(1.3e9)
    assert published_sizes(np.array([3.8e25]))["Llama 3 (2024)"] == pytest.approx(402e9, rel=0.05)


def test_several_isoflop_curves_have_their_choices(idata, best, ax):
    plots.plot_isoflop(idata, best.iloc[[0, 2, 4]], ax)
    assert ax.get_xscale() == "log"
    assert [label.partition(":")[0] for label in legend(ax)] == ["1e19 FLOP", "1e21 FLOP", "1e23 FLOP"]
    assert len(filled(ax)) == len(ax.containers) == 3


def test_surface_has_levels_runs_and_the_best_plans(idata, best, ax):
    plots.plot_surface(idata, best, ax)
    assert ax.get_xscale() == ax.get_yscale() == "log"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("total params", "training tokens")
    chosen = next(one for one in ax.lines if one.get_label().startswith("best plan"))
    np.testing.assert_allclose(chosen.get_xdata(), best["params"])
    lower, upper = (one.get_xdata() for one in ax.lines[:2])
    assert ((lower < best["params"]) & (best["params"] < upper)).all()
    assert len(scattered(ax)[0].get_offsets()) == 6
    assert "nats/token" in caption_of(ax)


def test_laws_stand_below_their_average_by_weight(average, ax):
    plots.plot_laws(average, {"params": 1e10, "tokens": 2e11}, ax)
    assert [text.get_text() for text in ax.texts if text.get_gid() is None] == ["average", "one (0.75)", "other (0.25)"]
    dots = [one for one in ax.lines if one.get_marker() != "None"]
    bars = [one for one in ax.lines if one.get_marker() == "None" and len(set(one.get_ydata())) == 1]
    assert len(dots) == 3 and len(bars) == 6
    for bar in bars:
        dot = next(one for one in dots if one.get_ydata()[0] == bar.get_ydata()[0])
        assert bar.get_xdata()[0] < dot.get_xdata()[0] < bar.get_xdata()[1]
    middles = [dot.get_xdata()[0] for dot in dots]
    assert middles[1] < middles[0] < middles[2]  # the average lies between its laws
    assert "10B params, 200B tokens" in caption_of(ax)


def test_prior_is_wider_than_posterior(idata, ax):
    tree = idata.copy()
    rng = np.random.default_rng(1)
    names = {"T": (2.5, 0.8, 0.01), "u1": (-1.5, 1.0, 0.2)}
    dims = ("chain", "draw")
    for group, n in (("prior", 2), ("posterior", 1)):
        own = {
            name: (dims, np.exp(np.log(one[0]) + one[n - (n == 2)] * rng.standard_normal((1, 400))))
            if name == "T"
            else (dims, one[0] + one[1 if group == "prior" else 2] * rng.standard_normal((1, 400)))
            for name, one in names.items()
        }
        if group == "posterior":
            own["T"] = (dims, np.exp(np.log(2.5) + 0.01 * rng.standard_normal((1, 400))))
        tree[group] = xr.DataTree(xr.Dataset(own))
    plots.plot_prior(tree, ax)
    assert [text.get_text() for text in ax.get_yticklabels()] == ["T", "u1"]
    assert legend(ax) == ["prior", "posterior"] and "prior sds" in ax.get_xlabel()
    for place, after in enumerate(filled(ax)):
        before = [one for one in ax.lines if one.get_linestyle() == "--"][place]
        x = after.get_paths()[0].vertices[:, 0]
        assert np.ptp(x) < np.ptp(before.get_xdata())
    with pytest.raises(InputError, match="load_fit"):
        plots.plot_prior(idata)


def test_curve_has_band_points_and_breaks(curve, idata, ax):
    plots.plot_curve(curve, ax)
    assert ax.get_xscale() == ax.get_yscale() == "log"
    assert ax.get_xlabel() == "training tokens" and ax.get_ylabel() == "loss (nats/token)"
    median = line(ax, "law, median")
    for drawn in filled(ax):
        lower, upper = edges(drawn, median.get_xdata())
        assert ((lower <= median.get_ydata()) & (median.get_ydata() <= upper)).all()
    (steps,) = [patch for patch in ax.patches if patch.get_label() == "where a break may lie"]
    heights, places, _ = steps.get_data()
    densest = places[int(np.argmax(heights))]
    assert 2e10 < densest < 4e10
    assert "probability 1.00" in caption_of(ax)
    with pytest.raises(InputError, match="one input"):
        plots.plot_curve(idata)


def test_overhead_names_the_law_that_it_leaves_out(idata, posterior_from_constants):
    profile = {"E": 1.6, "R0": 0.9, "alpha": 0.35, "beta": 0.3, "x0": 20.0, "s": 0.49, "g": 0.16, "c0": 44.0}
    two = {"sum": idata, "near": posterior_from_constants(profile, model="profile", n_draws=400)}
    figure = draw("overhead", Drawing(average_fits(two, {"sum": 0.5, "near": 0.5})))
    words = " ".join(" ".join(text.get_text().split()) for text in figure.findobj(Text))
    assert "Here without near." in words
    alone = " ".join(text.get_text() for text in draw("overhead", Drawing(idata)).findobj(Text))
    assert "Here without" not in alone


def test_overhead_is_least_at_the_best_size(idata, ax):
    table = overhead_curve(idata)
    plots.plot_overhead(table, ax)
    median = line(ax, "median")
    ratio, extra = median.get_xdata(), median.get_ydata()
    assert ax.get_xscale() == "log" and "%" in ax.get_ylabel()
    assert extra[ratio == 1] == pytest.approx(0, abs=1e-12) and np.nanmin(extra) >= -1e-12
    lower, upper = edges(filled(ax)[0], ratio)
    seen = np.isfinite(extra)
    assert ((lower <= extra + 1e-9) & (extra <= upper + 1e-9))[seen].all()


def test_parts_of_a_band_sum_to_its_width(average, idata, ax):
    plans = pd.DataFrame({"params": [4e8, 1e10, 1e11], "tokens": [8e9, 2e11, 1e12]})
    table = band_parts(average, plans)
    shares = table[[f"share_{name}" for name in ("parameters", "law", "noise", "fade", "drift")]]
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert (shares >= 0).all(axis=None)
    of_laws = bands(forecast(average, plans, random_seed=1))["share_parameters"]
    seeded = band_parts(average, plans, random_seed=1)
    np.testing.assert_allclose(seeded["share_parameters"] + seeded["share_law"], of_laws)
    twins = band_parts(average_fits({"one": idata, "twin": idata}, {"one": 0.5, "twin": 0.5}), plans, random_seed=1)
    assert (seeded["share_law"] > 3 * twins["share_law"]).all()  # the two laws differ by their floors
    assert table["share_fade"].iloc[0] > 0.1 and (table["share_fade"].iloc[1:] == 0).all()
    assert table["share_drift"].iloc[0] == 0 < table["share_drift"].iloc[2]
    assert (band_parts(idata, plans)["share_law"] == 0).all()
    plots.plot_band_parts(table, ax)
    ends = [
        max(bar.get_x() + bar.get_width() for bar in ax.patches if round(bar.get_y() + 0.3) == at) for at in range(3)
    ]
    np.testing.assert_allclose(ends, table["half_width"])
    assert "% of the median" in ax.get_xlabel()


def test_parts_of_many_plans_are_areas(idata, ax):
    tokens = np.geomspace(1e9, 1e13, 12)
    table = band_parts(idata, pd.DataFrame({"params": tokens / 20, "tokens": tokens}), max_extrapolation=9)
    plots.plot_band_parts(table, ax, reach=1e21)
    assert ax.get_xscale() == "log" and "FLOP" in ax.get_xlabel()
    beyond = table["half_width"][6 * table["params"] * table["tokens"] > 1e21]
    assert beyond.max() < ax.get_ylim()[1] < table["half_width"].max()
    assert "largest fitted run" in legend(ax) and len({area.get_hatch() for area in filled(ax)}) == len(filled(ax))


def test_calibration_counts_the_runs_inside(backtest, ax):
    plots.plot_calibration(backtest, ax)
    assert ax.get_xlim() == ax.get_ylim() == (0, 1)
    drawn = line(ax, "all held-out runs (90)")
    share = float((np.abs(backtest["pit"] - 0.5) <= 0.45).mean())
    assert drawn.get_ydata()[np.isclose(drawn.get_xdata(), 0.9)] == pytest.approx(share)
    lower, upper = edges(filled(ax)[0], drawn.get_xdata())
    assert ((lower <= drawn.get_xdata() + 0.02) & (drawn.get_xdata() - 0.02 <= upper)).all()
    np.testing.assert_allclose(coverage([0.05, 0.5, 0.96], [0.8, 0.9, 0.95]), [1 / 3, 2 / 3, 1])
    assert sum("decades beyond" in label for label in legend(ax)) == 3
    with pytest.raises(InputError, match="lacks decades_beyond"):
        plots.plot_calibration(backtest.drop(columns="decades_beyond"))
    with pytest.raises(InputError, match="No row"):
        plots.plot_calibration(backtest.assign(pit=np.nan))


def test_pareto_has_the_band_of_the_best_size(idata, ax):
    table = pareto(idata, [1e21, 1e22, 1e23])
    plots.plot_pareto(table, ax, loss_unit="nats/token")
    assert ax.get_xscale() == "log" and ax.get_ylabel() == "expected loss (nats/token)"
    assert ax.figure.axes[1].get_ylabel() == "params"
    best = table[table["params_ratio"] == 1]
    lower, upper = edges(filled(ax)[0], best["train_flops"])
    assert ((lower < best["expected_mean"]) & (best["expected_mean"] < upper)).all()


def of_n_runs(idata, n):
    """The fit, as if it had had n runs."""
    tree, at = idata.copy(), np.arange(n) % 6
    for group in ("constant_data", "observed_data"):
        own = idata[group].to_dataset().isel(run=at).assign_coords(run=[f"r{i}" for i in range(n)])
        tree[group] = xr.DataTree(own)
    return tree


@pytest.mark.parametrize("n", [1, 5000])
@pytest.mark.parametrize("width", [plots.PHONE, plots.SLIDE])
def test_one_run_and_thousands_fit_both_widths(idata, best, n, width):
    tree = of_n_runs(idata, n)
    ax = plots.plot_best_sizes(tree, best, plots.new_figure(width).subplots())
    (points,) = scattered(ax)
    assert len(points.get_offsets()) == n and points.get_rasterized() == (n > 1000)
    figure = ax.figure
    figure.draw_without_rendering()
    assert round(figure.get_figwidth() * figure.dpi) == width
    inside = figure.bbox
    for artist in (ax.get_legend(), ax.title, ax._left_title, ax.xaxis.label, ax.yaxis.label, *ax.texts):
        box = artist.get_window_extent()
        assert box.x0 >= -1 and box.x1 <= inside.x1 + 1, artist
        assert box.y0 >= -1 and box.y1 <= inside.y1 + 1, artist
    assert not ax.get_legend().get_window_extent().overlaps(ax.xaxis.label.get_window_extent())
    assert not ax.get_legend().get_window_extent().overlaps(ax.texts[-1].get_window_extent())
    ticks = [label.get_window_extent() for label in ax.get_xticklabels() if label.get_text()]
    assert all(not one.overlaps(other) for one, other in pairwise(ticks))


def test_runs_of_a_fit_are_as_measured(idata, curve):
    runs = runs_of(idata)
    assert list(runs.columns) == ["params", "tokens", "loss"] and len(runs) == 6
    assert list(runs_of(curve).columns) == ["tokens", "loss"]


def test_pictures_that_suit_a_fit(idata, average, curve):
    assert "curve" not in plots.pictures_for(average) and "loss" in plots.pictures_for(average)
    assert plots.pictures_for(curve) == ["curve", "prior", "band"]
    with pytest.raises(InputError, match=r"does not suit this fit.*Draw curve"):
        plots.draw("loss", plots.Drawing(curve))
    with pytest.raises(InputError, match="no picture 'lozz'"):
        plots.draw("lozz", plots.Drawing(idata))
    with pytest.raises(InputError, match="needs a fit"):
        plots.draw("loss", plots.Drawing())


def test_svg_stands_in_a_page_beside_others(idata, best, backtest):
    hostile = best.assign(risk="<script>alert(1)</script> $x^2$")
    figures = [plots.plot_best_sizes(idata, hostile).figure, plots.plot_calibration(backtest).figure]
    texts = [plots.to_svg(figure) for figure in figures]
    ids = []
    for text, said in zip(texts, ("Best params of each budget", "Do the bands hold what they promise?"), strict=True):
        root = ElementTree.fromstring(text)
        own = [element.get("id") for element in root.iter() if element.get("id")]
        ids += own
        assert root[0].text == said and "%" in root[1].text
        assert root.get("role") == "img" and root.get("aria-labelledby").split() == [
            root[0].get("id"),
            root[1].get("id"),
        ]
        assert not {element.tag.rpartition("}")[2] for element in root.iter()} & {
            "script",
            "style",
            "metadata",
            "image",
        }
        links = [value for element in root.iter() for key, value in element.attrib.items() if key.endswith("href")]
        assert links and all(value[0] == "#" and value[1:] in own for value in links)
        clips = [element.get("clip-path")[5:-1] for element in root.iter() if element.get("clip-path")]
        assert set(clips) <= set(own)
        assert any(element.tag.endswith("text") for element in root.iter())
    assert len(ids) == len(set(ids))
    assert "<script" not in texts[0] and "&lt;script&gt;" in texts[0] and "$x^2$" in texts[0]
    assert plots.to_svg(plots.plot_calibration(backtest).figure) == texts[1]
    assert 'id="own-title"' in plots.to_svg(Figure(), name="own", title="Mine")
