"""Broken laws that may not turn: every draw keeps its direction, over the runs and far beyond, also where the runs themselves turn."""

import itertools
import json

import numpy as np
import pandas as pd
import pytest

import bayescale
from bayescale import fit, load_spec, read_runs
from bayescale.laws.broken import LADDER, broken
from bayescale.laws.law import SLACK, allowed
from bayescale.posterior.smc import sample_smc
from bayescale.spec.density import Density

X = np.geomspace(1e3, 1e6, 30)
U = np.linspace(0, 1, 30)
FAR = np.geomspace(X[0] / 1e3, X[-1] * 1e3, 4000)
CURVES = {
    "falls": 3 - 2 * U.clip(0, 0.5),
    "rises": 1 + 2 * U.clip(0.3, 0.7),
    "turns up": 2 + 4 * (U - 0.4) ** 2,
    "falls twice": 2 - U + 0.6 * np.exp(-(((U - 0.5) / 0.1) ** 2)),
}


def table(curve):
    noise = 0.005 * np.random.default_rng(sum(map(ord, curve))).standard_normal(len(X))
    y = CURVES[curve] * np.exp(noise)
    return read_runs(pd.DataFrame({"run": [f"r{i}" for i in range(len(X))], "steps": X, "loss": y}))


def spec_of(breaks, **options):
    return load_spec("bnsl").changed({"inputs": {"x": "steps"}, "options": {"breaks": breaks, **options}})


def sampled_of(density, **sizes):
    return sample_smc(density, **{"draws": 200, "tune": 250, "chains": 1, "cores": 1, "random_seed": 1, **sizes})


def rises_of(law, sampled, anchors, x=FAR):
    """Relative change of each draw's curve from point to point, shape (draws, points - 1)."""
    constants = law.constants({name: np.ravel(value)[:, None] for name, value in sampled.items()}, anchors)
    curves = law.loss(x, **{name: constants[name] for name in law.loss_constants})
    return np.diff(curves) / curves[:, 1:]


@pytest.mark.parametrize(
    ("curve", "monotone", "breaks"),
    [("falls", "falling", 2), ("rises", "rising", 2), ("turns up", "falling", 1), ("falls twice", "falling", 3)],
)
def test_every_draw_keeps_its_direction_and_three_decades_beyond(curve, monotone, breaks):
    density = Density(spec_of(breaks, monotone=monotone), table(curve))
    sampled, _ = sampled_of(density)
    steps = rises_of(density.law, sampled, density.data) * (1 if monotone == "rising" else -1)
    assert steps.min() > -1e-10
    # Not by one draw taken over and over, nor by curves that stand still.
    assert len(np.unique(sampled["fall"])) > 150
    assert np.median(steps.max(axis=1)) > 1e-4


def test_by_default_a_curve_may_rise_where_the_runs_do():
    density = Density(spec_of(2), table("falls twice"))
    sampled, _ = sampled_of(density)
    steps = rises_of(density.law, sampled, density.data, x=X[(U > 0.38) & (U < 0.5)])
    assert (steps > 0).mean() > 0.95


PINNED = [0.11240468096788786, -0.14718328344702677, 0.5208258397096251]  # before the option was there


def test_by_default_draws_are_those_of_before_the_option():
    sampled, _ = sampled_of(Density(spec_of(1), table("falls")), draws=50, tune=25)
    assert broken(1).bounds is None and load_spec("bnsl").options == {"breaks": 1, "monotone": "no"}
    assert [sampled[name][0, -1] for name in ("fall", "change_1", "place_1")] == pytest.approx(PINNED, rel=1e-6)


@pytest.mark.parametrize("breaks", [0, 2])
def test_without_runs_it_gives_the_prior_cut_down(breaks):
    density = Density(spec_of(breaks, monotone="falling"), table("falls"))
    density.weight = np.zeros(len(X))
    found, stats = sampled_of(density, draws=2000, tune=150)
    prior = density.values(density.draw(np.random.default_rng(2), 60_000))
    kept = density.allowed(prior)
    assert 0.1 < kept.mean() < 0.6
    for name in density.names:
        np.testing.assert_allclose(
            np.quantile(found[name], [0.1, 0.5, 0.9]),
            np.quantile(prior[name][kept], [0.1, 0.5, 0.9]),
            atol=0.15 * np.subtract(*np.quantile(prior[name][kept], [0.9, 0.1])),
            err_msg=name,
        )
    assert stats["log_evidence"] == pytest.approx(0, abs=0.2)


@pytest.mark.parametrize("breaks", [1, 2, 4])
def test_what_is_allowed_is_monotone_between_the_points_as_well(breaks):
    """Prior draws, with every sharpness: those allowed never turn; almost all of those excluded do."""
    density = Density(spec_of(breaks, monotone="falling"), table("falls"))
    prior = density.values(density.draw(np.random.default_rng(3), 3000))
    kept = allowed(density.law, prior, density.data)
    fine = np.geomspace(1e-3, 1e12, 20_001)
    for wanted in (True, False):
        some = {name: value[kept == wanted][:300] for name, value in prior.items() if name in density.law.sampled}
        constants = density.law.constants({name: value[:, None] for name, value in some.items()}, density.data)
        slope = constants["c0"] + sum(
            constants[f"c_{i}"]
            / (1 + np.exp(-((np.log(fine) - np.log(constants[f"d_{i}"])) / constants[f"f_{i}"]).clip(-500, 500)))
            for i in range(1, breaks + 1)
        )
        turns = slope.min(axis=1) < -1e-12
        assert not turns.any() if wanted else turns.mean() > 0.95


def test_between_two_points_a_break_strays_less_than_the_slack():
    assert (np.diff(LADDER) > 0).all() and LADDER[-1] == -LADDER[0] >= 30
    for low, high in itertools.pairwise(LADDER):
        share = 1 / (1 + np.exp(-np.linspace(low, high, 200)))
        bend = np.abs(share * (1 - share) * (1 - 2 * share)).max()
        assert (high - low) ** 2 / 8 * bend <= SLACK, (low, high)


def test_slopes_of_one_sign_between_breaks_are_not_enough():
    """All slopes led to are 0 or 1, yet a wide second break turns the curve before a sharp first one."""
    density = Density(spec_of(2, monotone="falling"), table("falls"))
    values = {name: np.zeros(1) for name in density.law.sampled}
    values |= {"change_1": np.ones(1), "change_2": -np.ones(1), "place_1": np.array([0.6]), "place_2": np.array([0.3])}
    values |= {"log_f_1": np.log([0.05]), "log_f_2": np.log([2.0])}
    # `fall` is the slope at the centre: put the slope before all breaks to 0, and those after them are 1 and 0.
    values["fall"] = -density.law.constants(values, density.data)["c0"]
    constants = density.law.constants(values, density.data)
    assert constants["c0"] == pytest.approx(0, abs=1e-12)
    assert rises_of(density.law, values, density.data).max() > 1e-3
    assert not allowed(density.law, values, density.data).any()


def test_a_fit_against_the_runs_is_made_and_its_check_says_so():
    spec = spec_of(1, monotone="falling")
    idata = fit(spec, table("turns up"), random_seed=1, draws=200, tune=250, chains=2)
    prior = idata["prior"]
    assert prior.sizes["draw"] == 1000 and idata["prior_predictive"].sizes["draw"] == 1000
    for group in ("posterior", "prior"):
        sampled = {name: idata[group][name].to_numpy() for name in spec.get_law().sampled}
        assert rises_of(spec.get_law(), sampled, Density(spec, table("turns up")).data).max() < 1e-10
    assert float(idata["posterior"]["sigma"].median()) > 0.03  # noise was 0.005
    said = {row["name"] for row in json.loads(idata.attrs["check"]) if not row["passed"]}
    assert {"prior_conflict", "explained"} <= said


def test_other_words_are_refused(small_runs):
    for word in ("down", True, 1):
        with pytest.raises(
            ValueError,
            match=r"`options\.monotone` must be one of no, falling, rising\. Got .*--option monotone=falling",
        ):
            load_spec("bnsl").changed({"options": {"monotone": word}})
    with pytest.raises(ValueError, match=r"`engine` must be 'auto' or 'fast' if `options\.monotone` is 'falling'"):
        fit(spec_of(1, monotone="falling"), table("falls"), nuts_sampler="pymc")
    with pytest.raises(ValueError, match=r"`options` \(--option\) must not contain 'breaks'.*\(--breaks 0,1,2\)"):
        bayescale.fit_breaks(small_runs, x="tokens", options={"breaks": 1})


def test_fit_breaks_hands_the_option_to_every_fit(monkeypatch):
    from bayescale.calibrate import laws as module

    seen = []

    def instead(spec, rows, **_):
        seen.append((spec.options["breaks"], spec.options["monotone"]))
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "fit", instead)
    for n in (0, 2):
        with pytest.raises(KeyboardInterrupt):
            bayescale.fit_breaks(table("falls"), x="steps", breaks=(n,), options={"monotone": "falling"})
    assert seen == [(0, "falling"), (2, "falling")]
