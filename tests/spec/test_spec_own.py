"""Models of a formula and priors of one's own: what is filled in, what is refused, and the same density as a built-in law."""

import numpy as np
import pandas as pd
import pymc as pm
import pytensor
import pytest

from bayescale import build_model, formula_spec, load_spec
from bayescale.errors import InputError
from bayescale.spec import parse_spec
from bayescale.spec.density import Density
from bayescale.spec.own import prior_changes
from bayescale.spec.prior import prior_entry, read_prior

CHINCHILLA = "E + A / params**alpha + B / tokens**beta"
UNIFORM = {"dist": "Uniform", "lower": 0.1, "upper": 1.0}


@pytest.fixture(autouse=True)
def compile_nothing():
    with pytensor.config.change_flags(mode="FAST_COMPILE"):
        yield


def table(n=9):
    rng = np.random.default_rng(3)
    params = np.geomspace(3e7, 3e9, n)
    tokens = params * rng.permutation(np.geomspace(4, 200, n))
    loss = (1.8 + 480 / params**0.35 + 2000 / tokens**0.366) * np.exp(0.01 * rng.standard_normal(n))
    return pd.DataFrame({"run": [f"r{i}" for i in range(n)], "params": params, "tokens": tokens, "loss": loss})


def graph_density(spec, rows, draws):
    """Log density of the graph at values of its variables, without those of the transforms."""
    model = build_model(spec, rows)
    point = {}
    for rv in model.free_RVs:
        transform, value = model.rvs_to_transforms[rv], pytensor.tensor.as_tensor(np.float64(draws[rv.name]))
        point[model.rvs_to_values[rv].name] = value if transform is None else transform.forward(value, *rv.owner.inputs)
    named = {rv: pytensor.tensor.as_tensor(np.float64(draws[rv.name])) for rv in model.free_RVs}
    values = pytensor.graph.clone_replace(list(point.values()), named)
    numbers = {name: value.eval() for name, value in zip(point, values, strict=True)}
    return float(model.compile_logp(jacobian=False)(numbers))


def test_a_formula_of_chinchilla_has_its_density():
    ours, rows = load_spec(CHINCHILLA), table()
    older = {"noise": {"fade": 0.06, "fade_runs": None}, "drift": {"per_decade": 0.02, "best_size": 0.15}}
    built = load_spec("chinchilla").with_priors("vague").changed(older)
    names = dict(zip(built.priors, ours.priors, strict=True))
    assert [str(p) for p in built.priors.values()] == [str(p) for p in ours.priors.values()]
    assert built.noise == ours.noise and built.drift == ours.drift
    rng = np.random.default_rng(0)
    for _ in range(3):
        point = {name: rng.normal(-1.2, 0.3) for name in built.priors} | {"T": 3.0, "sigma": 0.02, "nu": 8.0}
        renamed = {names.get(name, name): value for name, value in point.items()}
        assert graph_density(ours, rows, renamed) == pytest.approx(graph_density(built, rows, point), rel=1e-10)


@pytest.mark.parametrize("model", ["chinchilla", CHINCHILLA, "E + A / params**alpha - B * log(tokens)"])
def test_uniform_priors_in_the_graph_and_in_numpy(model):
    spec, rows = load_spec(model).changed({"priors": {"alpha": UNIFORM}, "noise": {"fade": 0}}), table()
    assert "alpha" in spec.priors and "log_alpha" not in spec.priors
    assert parse_spec(spec.text, changes=spec.changes) == spec, "a fit reads its spec again"
    density = Density(spec, rows)
    points = density.draw(np.random.default_rng(1), 40)
    ours = density.log_likelihood(points)
    values = density.values(points)
    learnt = np.broadcast_to(density.log_learnt(values), len(points))
    assert (values["alpha"] > 0.1).all() and (values["alpha"] < 1).all()
    priors = {**spec.priors, "sigma": spec.noise.sigma, "nu": spec.noise.nu}
    for i in np.flatnonzero(np.isfinite(ours))[:3]:
        draws = {name: value[i] for name, value in values.items()}
        prior = sum(pm.logp(_dist(priors[name]), value).eval() for name, value in draws.items())
        assert graph_density(spec, rows, draws) == pytest.approx(ours[i] + prior + learnt[i], rel=1e-8)


def _dist(prior):
    numbers = dict(prior.numbers)
    if prior.dist == "LogNormal":
        numbers["mu"] = np.log(numbers.pop("median"))
    return getattr(pm, prior.dist).dist(**numbers)


def test_where_a_law_has_no_value_it_has_no_density():
    spec = formula_spec("E - A * log(tokens)")
    rows = table()
    draws = {"middle": 2.5, "ratio_A": 6.0, "sigma": 0.02, "nu": 8.0}
    assert graph_density(spec, rows, draws) == -np.inf
    assert np.isfinite(graph_density(spec, rows, {**draws, "ratio_A": -3.0}))


@pytest.mark.parametrize(
    ("change", "sampled"),
    [
        (
            {"exponent": {"dist": "LogNormal", "median": 0.3, "sigma": 0.5}},
            ["middle", "ratio_A", "ratio_B", "alpha", "beta"],
        ),
        (
            {"exponent": {"dist": "Normal", "mu": -1, "sigma": 1}},
            ["middle", "ratio_A", "ratio_B", "log_alpha", "log_beta"],
        ),
        (
            {"level": {"dist": "LogNormal", "median": 1, "sigma": 1}},
            ["middle", "ratio_A", "ratio_B", "log_alpha", "log_beta"],
        ),
        (
            {"E": {"dist": "LogNormal", "median": 1.7, "sigma": 0.1}},
            ["ratio_A", "ratio_B", "E", "log_alpha", "log_beta"],
        ),
    ],
)
def test_priors_by_role_and_by_name(change, sampled):
    spec = load_spec(CHINCHILLA).changed({"priors": change})
    assert list(spec.priors) == list(spec.get_law().sampled) == sampled
    (entry,) = change.values()
    assert read_prior("", entry) in spec.priors.values()
    assert formula_spec(CHINCHILLA, priors=change).priors == spec.priors, "in the file as in a change"


def test_a_file_needs_only_its_law():
    spec = parse_spec('law = "E + A * tokens**-alpha"\n[priors]\nlog_alpha = { dist = "Normal", mu = -1, sigma = 0.2 }')
    assert spec.inputs == {"tokens": "tokens"} and str(spec.priors["log_alpha"]) == "Normal(mu=-1, sigma=0.2)"
    assert load_spec("E + A * tokens**-alpha").get_law() is load_spec("E + A * tokens**-alpha").get_law()


def test_columns_and_inputs_of_a_formula():
    assert formula_spec("E + A / N**a", columns=["N"]).inputs == {"params": "params"}
    assert formula_spec("E + A / depth**a", columns=["depth"]).inputs == {"depth": "depth"}
    assert formula_spec("E + A / x**a", inputs={"x": "depth"}).inputs == {"x": "depth"}
    wide = formula_spec("A * flops**a", response="lr")
    assert wide.priors["middle"].numbers["sigma"] > 10, "a response in any unit"


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ('law = "E + A * tokens**-a"\n[priors]\nalfa = { dist = "Normal", mu = 0, sigma = 1 }', "alfa.*no such name"),
        ('law = "E + A * tokens**-a"\ninputs = { params = "params" }', "has no input"),
        ('law = "E + A * loss**-a"\n', "its own response"),
        ('law = "chinchila"', "Did you mean 'chinchilla'"),
        ('law = "E + A * tokens**-a"\n[priors]\npower = { dist = "Normal", mu = 0, sigma = 1 }', "its roles are level"),
        ('law = "E + A * tokens**-a"\n[priors]\na = { dist = "Uniform", lower = 2, upper = 1 }', "must be < `upper`"),
        (
            'law = "E + A * tokens**-a"\n[groups]\nby = "family"\npartial = ["a"]\n'
            '[priors]\na = { dist = "Uniform", lower = 0, upper = 1 }',
            "pool log_a",
        ),
    ],
)
def test_files_that_are_refused(text, match):
    with pytest.raises(InputError, match=match):
        parse_spec(text)


def test_a_uniform_parameter_is_not_pooled():
    with pytest.raises(InputError, match="a group would leave its range"):
        load_spec("chinchilla").changed({"priors": {"u1": UNIFORM}, "groups": {"by": "family", "partial": ["u1"]}})


def test_an_exponent_must_be_positive():
    with pytest.raises(InputError, match=r"must be positive.*log_alpha"):
        load_spec("chinchilla").changed({"priors": {"alpha": {"dist": "Normal", "mu": 0, "sigma": 1}}})


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        ("Uniform(0.1, 1)", UNIFORM),
        ("Uniform(upper=1, lower=.1)", UNIFORM),
        (" Normal ( -1 , 3e-1 ) ", {"dist": "Normal", "mu": -1.0, "sigma": 0.3}),
    ],
)
def test_a_prior_in_words(text, entry):
    assert prior_entry("alpha", text) == entry


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Normal",
        "Normal(0)",
        "Normal(0, 1, 2)",
        "Normal(0, sigma=-1)",
        "Normal(a, 1)",
        "Normal(0, nan)",
        "Nomal(0, 1)",
        "Normal(0, 1)" * 100,
        "Normal(mu=0, mu=1)",
        "Normal(0, 1); x",
        "Uniform(1, 0)",
        "Normal(__import__, 1)",
    ],
)
def test_a_prior_that_is_refused(text):
    with pytest.raises(InputError, match="rior") as refused:
        prior_entry("alpha", text)
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 300


def test_names_of_priors():
    spec = load_spec("chinchilla")
    changes = prior_changes(spec.get_law(), {"alpha": UNIFORM, "sigma": {"dist": "HalfNormal", "sigma": 0.1}}, False)
    assert spec.changed(changes).noise.sigma.numbers == {"sigma": 0.1}
    for name in ("alfa", "exponent", "A"):
        with pytest.raises(InputError, match="no such parameter"):
            prior_changes(spec.get_law(), {name: UNIFORM}, False)
