"""SMC: exact where the posterior is known, the same for one seed, and across the modes of broken laws."""

import json

import numpy as np
import pandas as pd
import pytest

from bayescale import bands, fit, forecast, load_spec, read_runs
from bayescale.laws import bnsl
from bayescale.laws.broken import broken, places, shares
from bayescale.posterior import smc
from bayescale.posterior.smc import sample_smc
from bayescale.spec.density import Density


def density_of(breaks, y, x=None):
    x = np.geomspace(1e6, 4e8, len(y)) if x is None else x
    runs = read_runs(pd.DataFrame({"run": [f"r{i}" for i in range(len(x))], "steps": x, "loss": y}))
    return Density(load_spec("bnsl").changed({"inputs": {"x": "steps"}, "options": {"breaks": breaks}}), runs)


def test_without_runs_it_gives_the_prior():
    density = density_of(2, np.geomspace(3, 1, 12))
    density.weight = np.zeros(12)
    found, stats = sample_smc(density, draws=2000, tune=200, chains=1, cores=1, random_seed=1)
    prior = density.values(density.draw(np.random.default_rng(2), 40_000))
    for name in density.names:
        np.testing.assert_allclose(
            np.quantile(found[name], [0.1, 0.5, 0.9]),
            np.quantile(prior[name], [0.1, 0.5, 0.9]),
            atol=0.15 * np.subtract(*np.quantile(prior[name], [0.9, 0.1])),
            err_msg=name,
        )
    assert stats["log_evidence"] == pytest.approx(0, abs=0.2)


def test_one_seed_gives_one_answer_however_many_processes():
    density = density_of(1, 0.3 + 8 * np.geomspace(1e6, 4e8, 10) ** -0.2)
    one, again = (
        sample_smc(density, draws=100, tune=50, chains=2, cores=cores, random_seed=3, most=100)[0] for cores in (1, 2)
    )
    assert all((one[name] == again[name]).all() for name in one)
    assert (one["fall"][0] != one["fall"][1]).any()


def test_many_draws_move_on_in_processes(monkeypatch):
    """joblib shares arrays above 1 MB unless told otherwise, read-only; points move in place."""
    density = density_of(0, 3 * np.geomspace(1e6, 4e8, 6) ** -0.2)
    monkeypatch.setattr(smc, "plain_rhat", lambda _: 1.05)
    found, _ = sample_smc(density, draws=27_000, tune=10, chains=2, cores=2, random_seed=3, most=smc._BLOCK)
    assert len(found) * found["fall"][0].nbytes > 2**20


@pytest.mark.parametrize(("rhat", "longer"), [(1.001, False), (1.05, True), (1.3, False)])
def test_runs_move_on_if_they_disagree_a_little(monkeypatch, rhat, longer):
    density = density_of(0, 3 * np.geomspace(1e6, 4e8, 6) ** -0.2)
    sizes = {"draws": 20, "tune": 10, "chains": 2, "cores": 1, "random_seed": 3}
    monkeypatch.setattr(smc, "plain_rhat", lambda _: rhat)
    before, after = (sample_smc(density, **sizes, most=most)[0] for most in (0, smc._BLOCK))
    assert all(((before[name] != after[name]).mean() > 0.5) == longer for name in density.names)


@pytest.mark.parametrize("breaks", [0, 1, 3])
def test_the_law_is_linear_in_what_it_says(breaks):
    law, density = broken(breaks), density_of(breaks, np.geomspace(3, 1, 12))
    values = density.values(density.draw(np.random.default_rng(4), 20))
    names, design, aim, share = law.moves.linear(values, density.data, density.measured)
    assert names == ("shift", "fall", *(f"change_{i}" for i in range(1, breaks + 1)))
    constants = law.constants(values, density.data)
    with np.errstate(over="ignore"):
        curve = law.loss(density.inputs["x"][:, None], **{name: constants[name] for name in law.loss_constants}).T
    above = np.log(curve - constants["a"][:, None])
    linear = np.einsum("nrk,nk->nr", design, np.stack([values[name] for name in names], axis=1))
    y, a = np.exp(density.measured), constants["a"][:, None]
    fine = np.isfinite(above) & (above > np.log(a) - 12)  # where the difference keeps its digits
    assert fine.mean() > 0.5
    np.testing.assert_allclose((above - linear)[fine], (np.log(y - a) - aim)[fine], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(share, ((y - a) / y) ** 2)
    same = law.moves.curve(linear, values, density.data)
    np.testing.assert_allclose(same, curve, rtol=1e-9)
    np.testing.assert_allclose(density.log_likelihood_at(same, values), density.log_likelihood_of(values), rtol=1e-9)


@pytest.mark.parametrize("fade", [0.0, 0.02])
def test_a_point_has_the_density_of_the_model(fade):
    """However it was moved: with linear parameters of its own, or drawn from their least squares."""
    density = density_of(2, 0.3 + 8 * np.geomspace(1e6, 4e8, 40) ** -0.2)
    density.spec = density.spec.changed({"noise": {"fade": fade}})
    target, rng = smc.Conditional(density), np.random.default_rng(6)
    drawn = target.state(density.draw(rng, 50), target.standard(50, rng))
    again = target.state(drawn["points"], None)
    for name, value in again.items():
        np.testing.assert_allclose(value, drawn[name], rtol=1e-6, atol=1e-6, err_msg=name)
    whole = density.log_priors(again["points"]).sum(axis=1) + density.log_likelihood(again["points"])
    np.testing.assert_allclose(again["gain"] + again["rest"] + again["log_q"], whole, rtol=1e-9)


def test_a_break_drawn_anew_keeps_the_prior_and_the_order():
    law, rng, n = broken(3), np.random.default_rng(5), 50_000
    found = rng.uniform(size=(n, 3))
    np.testing.assert_allclose(shares(np.stack(places(list(found.T)), axis=1)), found, atol=1e-9)

    def draw():
        sharp = {f"log_f_{i}": rng.standard_normal(n) for i in (1, 2, 3)}
        return {**{f"place_{i}": rng.uniform(size=n) for i in (1, 2, 3)}, **sharp}

    moved = law.moves.redrawn(draw(), draw(), rng)
    for name, value in moved.items():
        wanted = (0.1, 0.5, 0.9) if name.startswith("place") else (-1.2816, 0, 1.2816)
        assert np.quantile(value, (0.1, 0.5, 0.9)) == pytest.approx(wanted, abs=0.03)


def test_nuts_keywords_are_refused(small_runs):
    spec = load_spec("bnsl").changed({"inputs": {"x": "tokens"}})
    with pytest.raises(ValueError, match=r"`target_accept` is for NUTS, .*--engine nuts"):
        fit(spec, small_runs, target_accept=0.99)


def test_it_agrees_with_importance_sampling(small_runs):
    """On a law that is sampled well by both; without what makes the law linear, the same moves take all parameters."""
    spec = load_spec("chinchilla").with_priors("vague").for_runs(len(small_runs))
    idata = fit(spec, small_runs, random_seed=1, engine="fast")
    found, _ = sample_smc(Density(spec, small_runs), draws=1000, tune=1000, chains=2, cores=2, random_seed=1)
    for name in ("u1", "log_alpha", "log_beta", "sigma"):
        one, other = found[name], idata["posterior"][name]
        assert float(one.mean()) == pytest.approx(float(other.mean()), abs=0.25 * float(other.std())), name
        assert float(one.std()) == pytest.approx(float(other.std()), rel=0.25), name


@pytest.mark.slow
@pytest.mark.parametrize("breaks", [3, 4])
def test_many_breaks_recover_simulated_curves(breaks):
    x = np.geomspace(1e3, 1e9, 90)
    rng = np.random.default_rng(sum(map(ord, "many breaks")))
    truth = [(0.5, 2e4, 0.1), (-0.45, 5e5, 0.15), (0.6, 1e7, 0.1), (-0.5, 1.5e8, 0.1)][:breaks]
    curve = bnsl.value(x, a=0.05, b=2.0, c0=0.05, breaks=truth)
    runs = pd.DataFrame(
        {"run": [f"r{i}" for i in range(90)], "steps": x, "loss": curve * np.exp(0.004 * rng.standard_normal(90))}
    )
    spec = load_spec("bnsl").changed({"inputs": {"x": "steps"}, "options": {"breaks": breaks}})
    idata = fit(spec, read_runs(runs), random_seed=1, draws=2000, tune=2000)
    failed = [row for row in json.loads(idata.attrs["check"]) if row["severity"] == "fail" and not row["passed"]]
    assert not failed, failed
    for i, (c, d, _) in enumerate(truth, 1):
        low, high = idata["posterior"][f"d_{i}"].quantile([0.005, 0.995])
        assert low < d < high, (i, d, float(low), float(high))
        low, high = idata["posterior"][f"c_{i}"].quantile([0.005, 0.995])
        assert low < c < high, (i, c, float(low), float(high))
    table = bands(forecast(idata, pd.DataFrame({"steps": x})))
    np.testing.assert_allclose(table["expected_median"], curve, rtol=0.01)
