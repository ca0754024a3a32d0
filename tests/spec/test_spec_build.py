"""The graph of a spec: priors are simulated plausibly, weights count rows, the centred level is the same posterior."""

import numpy as np
import pandas as pd
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest

from bayescale import build_model, list_models, load_spec
from bayescale.spec import build
from bayescale.spec.data import model_data
from bayescale.spec.noise import observed_name

MODELS = sorted(list_models().index)
# Laws for the loss with a floor; the level T is a factor of the loss.
SHARES = [name for name in MODELS if {"T", "u1"} <= set(load_spec(name).priors) and not load_spec(name).groups]


@pytest.fixture(autouse=True)
def compile_nothing():
    """Graphs are evaluated once or twice here: the Python linker beats any compiler."""
    with pytensor.config.change_flags(mode="FAST_COMPILE"):
        yield


def table(n=9):
    rng = np.random.default_rng(sum(map(ord, "table")))
    params = np.geomspace(3e7, 3e9, n)
    tokens = params * rng.permutation(np.geomspace(4, 200, n))
    loss = 1.8 + 480 / params**0.35 + 2000 / tokens**0.366
    loss = loss * np.exp(0.01 * rng.standard_normal(n))
    runs = [f"r{i}" for i in range(n)]
    accuracy = np.exp(-loss / 2)
    more = {
        "accuracy": accuracy,
        "error": 1 - accuracy,
        "exact_match_10": accuracy**10,
        "loss_ood": loss + 1,
        "n_items": 1000.0,
    }
    more |= {"family": ["web", "books", "code"] * (n // 3)}
    more |= {"steps": tokens / 5e5, "unique_tokens": tokens / 2, "batch_tokens": 5e5, "lr": np.geomspace(1e-4, 1e-2, n)}
    more |= {"weight_decay": np.geomspace(0.01, 1, n)}
    return pd.DataFrame(
        {"run": runs, "params": params, "tokens": tokens, "flops": 6 * params * tokens, "loss": loss, **more}
    )


def points(spec, n=4):
    """Values of all sampled variables, drawn from wide ranges."""
    rng = np.random.default_rng(sum(map(ord, "points")))
    for _ in range(n):
        point = {name: rng.normal(-1.2, 0.4) for name in spec.priors}
        point |= {"T": rng.uniform(1.5, 5), "sigma": rng.uniform(0.002, 0.05)}
        yield point | ({"nu": rng.uniform(2, 40)} if spec.noise.nu is not None else {})


def log_density(model, point, *, jacobian):
    """Log density at values of the variables themselves, transformed to those that are sampled."""
    assert {rv.name for rv in model.free_RVs} == set(point)
    forward = {}
    replacements = {rv: pt.as_tensor(np.float64(point[rv.name])) for rv in model.free_RVs}
    for rv in model.free_RVs:
        transform, value = model.rvs_to_transforms[rv], replacements[rv]
        forward[model.rvs_to_values[rv]] = value if transform is None else transform.forward(value, *rv.owner.inputs)
    values = pytensor.graph.clone_replace(list(forward.values()), replacements)
    numbers = {var.name: value.eval() for var, value in zip(forward, values, strict=True)}
    return model.compile_logp(jacobian=jacobian)(numbers), numbers


@pytest.mark.parametrize("name", SHARES)
def test_prior_predictive_is_finite_and_plausible(name):
    spec = load_spec(name).changed({"learnt": None})  # forward draws would ignore its factor
    with build_model(spec, table()):
        drawn = pm.sample_prior_predictive(300, random_seed=sum(map(ord, name)))
    prior, predicted = drawn["prior"].to_dataset(), drawn["prior_predictive"]["log_loss"]
    assert predicted.dims == ("chain", "draw", "run")
    assert all(np.isfinite(prior[variable]).all() for variable in prior)
    assert np.isfinite(predicted).all()
    loss = np.exp(predicted.median("run"))
    low, middle, high = loss.quantile([0.05, 0.5, 0.95]).to_numpy()
    level = spec.priors["T"].numbers
    if name == "power":
        assert low < 1e-6 and high > 1e9, "any response in any unit: rates, params, rewards"
    else:
        assert 0.3 < low < 1.2 < middle < 5 < high < 20, "losses in nats or bits, per token or per byte"
    assert ((prior["E"] > 0) & (prior["E"] < prior["T"])).all()
    assert float(prior["sigma"].quantile(0.9)) < 0.1
    # T has the prior that the file states, although a transform of our own draws it.
    middle, sd = np.log(level["median"]), level["sigma"]
    assert float(np.log(prior["T"]).mean()) == pytest.approx(middle, abs=4 * sd / np.sqrt(300))
    assert float(np.log(prior["T"]).std()) == pytest.approx(sd, rel=0.2)


@pytest.mark.parametrize("name", MODELS)
def test_what_is_in_the_graph(name):
    spec, runs = load_spec(name), table()
    if spec.get_law().profile:
        pytest.skip("parameters of each size or budget: test_spec_profiles")
    model = build_model(spec, runs)
    law = spec.get_law()
    assert {rv.name for rv in model.free_RVs} == set(spec.sampled)
    observed = observed_name(spec)
    assert {*law.loss_constants} <= {variable.name for variable in model.deterministics}
    assert [rv.name for rv in model.observed_RVs] == [observed]
    assert model.named_vars_to_dims[observed] == ("run",)
    assert list(model.coords["run"]) == list(runs["run"])
    assert set(model_data(spec, runs)) <= set(model.named_vars), "all data can be swapped"
    assert [factor.name for factor in model.potentials] == (["learnt"] if spec.learnt else [])
    with pytensor.config.change_flags(mode="FAST_COMPILE"):
        assert np.isfinite(list(model.point_logps().values())).all(), "a sampler begins there"


def test_data_of_the_graph():
    runs = table().assign(weight=[1.0, np.nan, 2.0, *[1.0] * 6])
    data = model_data(load_spec("chinchilla"), runs)
    assert list(data["weight"]) == [1, 1, 2, 1, 1, 1, 1, 1, 1]
    np.testing.assert_allclose(data["log_loss_measured"], np.log(runs["loss"]))
    assert data["log_reach_max"] == pytest.approx(np.log(runs["flops"].max()))


def test_inputs_by_column():
    spec = load_spec("power").changed({"inputs": {"x": "tokens"}})
    runs = table()
    np.testing.assert_array_equal(model_data(spec, runs)["x"], runs["tokens"])


@pytest.mark.parametrize(("noise", "fade"), [("StudentT", 0.06), ("Normal", 0.0), ("Laplace", 0.06)])
def test_a_weight_of_two_is_a_row_twice(noise, fade):
    spec, runs = with_noise(noise, fade), table()
    weighted = build_model(spec, runs.assign(weight=[1, 3, 1, 1, 2, 1, 1, 1, 1]))
    twice = runs.iloc[[0, 1, 1, 1, 2, 3, 4, 4, 5, 6, 7, 8]]
    repeated = build_model(spec, twice.assign(run=[f"s{i}" for i in range(12)]))
    # The anchors are means over rows, and part of the prior: they are not what is compared.
    anchors = {name: value for name, value in model_data(spec, runs).items() if name.endswith("_mean")}
    pm.set_data(anchors, model=repeated)
    for point in points(spec, 2):
        one, other = (log_density(model, point, jacobian=True)[0] for model in (weighted, repeated))
        assert one == pytest.approx(other, rel=1e-10)


def with_noise(noise, fade):
    overlay = {"dist": noise, "fade": fade, **({} if noise == "StudentT" else {"nu": None})}
    return load_spec("chinchilla").changed({"noise": overlay})


def plain_level(name, mu, sigma, **_):
    return pm.LogNormal(name, mu, sigma)


def test_the_centred_level_changes_no_posterior(monkeypatch):
    runs = table()
    spec = load_spec("chinchilla").for_runs(len(runs))
    assert spec.noise.fade > 0
    centred = build_model(spec, runs)
    monkeypatch.setattr(build, "centred_lognormal", plain_level)
    plain = build_model(spec, runs)
    assert "T_centred__" in {value.name for value in centred.value_vars}
    assert "T_log__" in {value.name for value in plain.value_vars}
    for point in points(spec, 3):
        one, z = log_density(centred, point, jacobian=False)
        other, _ = log_density(plain, point, jacobian=False)
        assert one == pytest.approx(other, rel=1e-10)
        # With Jacobians the densities are of T_centred__ and of ln T, and d ln T / d T_centred__ is the width.
        with_one = log_density(centred, point, jacobian=True)[0]
        with_other = log_density(plain, point, jacobian=True)[0]
        assert with_one - with_other == pytest.approx(np.log(width(spec, runs, point)), rel=1e-8)
        assert float(z["T_centred__"]) == pytest.approx(
            (np.log(point["T"]) - centre(spec, runs, point)) / width(spec, runs, point), rel=1e-8
        )


def _precision(spec, runs, point):
    decades = np.log10(runs["flops"].max() / runs["flops"])
    return 1 / (point["sigma"] ** 2 + (spec.noise.fade * decades) ** 2)


def width(spec, runs, point):
    return 1 / np.sqrt(_precision(spec, runs, point).sum())


def centre(spec, runs, point):
    """Precision-weighted mean of log loss less the law's log shape, in NumPy."""
    law = spec.get_law()
    inputs = {"params": runs["params"], "tokens": runs["tokens"]}
    constants = law.constants({**point, "T": 1.0}, law.anchors(inputs))
    shape = np.log(law.loss(**inputs, **{name: constants[name] for name in law.loss_constants}))
    precision = _precision(spec, runs, point)
    return (precision * (np.log(runs["loss"]) - shape)).sum() / precision.sum()


def test_the_level_is_centred_without_fade_too():
    """Chains start at the level of the runs, whatever its unit."""
    model = build_model(load_spec("chinchilla").changed({"noise": {"fade": 0}}), table())
    assert "T_centred__" in {value.name for value in model.value_vars}
