"""A law of one's own on the command line: as an option and in a file, through all commands; hostile ones refused at once."""

import time

import pytest

from bayescale.posterior import engines, fitted_spec, load_fit

LAW = "E + A / params**alpha + B / tokens**beta"
PRIORS = ["--prior", "alpha=Uniform(0.1, 1)", "--prior", "sigma=HalfNormal(0.03)"]
FILE = f"""
law = "{LAW}"
[priors]
alpha = {{ dist = "Uniform", lower = 0.1, upper = 1.0 }}
[noise]
dist = "StudentT"
sigma = {{ dist = "HalfNormal", sigma = 0.03 }}
nu = {{ dist = "Gamma", alpha = 2, beta = 0.1 }}
fade = 0.06
"""
RISING = "E + A * params**alpha"


@pytest.fixture(scope="module")
def own_fit(small_runs, tmp_path_factory):
    """One fit of the formula by the command line, with few draws."""
    from bayescale.cli.main import main

    folder = tmp_path_factory.mktemp("law")
    small_runs[["run", "params", "tokens", "loss"]].to_csv(folder / "runs.csv", index=False)
    sizes = ["--draws", "200", "--tune", "300", "--chains", "2"]
    with pytest.raises(SystemExit):
        main(["fit", str(folder / "runs.csv"), "--law", LAW, *PRIORS, *sizes, "--out", str(folder / "own.nc")])
    return next(folder.glob("own*.nc"))


def test_the_law_goes_through_all_commands(own_fit, run, document):
    code, out, _ = run("check", own_fit, "--json")
    assert code in (0, 1) and {"explained", "residual_pattern"} <= {row["name"] for row in document(out)["checks"]}
    _, out, _ = run("forecast", own_fit, "--force", "--params", "10B", "--tokens", "200B", "--json")
    (row,) = document(out)["forecasts"]
    assert 1.5 < row["loss_lower"] < row["loss_median"] < row["loss_upper"] < 3
    _, out, _ = run("allocate", own_fit, "--force", "--flops", "1e21", "--json")
    found = document(out)["allocations"][0]
    assert 6 * found["params"] * found["tokens"] == pytest.approx(1e21, rel=0.01) and 1e8 < found["params"] < 1e11
    spec = fitted_spec(load_fit(own_fit))
    assert str(spec.priors["alpha"]) == "Uniform(lower=0.1, upper=1)" and spec.noise.sigma.numbers == {"sigma": 0.03}


def test_a_file_says_the_same(own_fit, run, runs_file, tmp_path, monkeypatch):
    (tmp_path / "own.toml").write_text(FILE)
    asked = []

    def sample(spec, rows, **options):
        asked.append(spec)
        return load_fit(own_fit)

    monkeypatch.setattr(engines, "sampled", sample)
    code, out, _ = run("fit", runs_file, "--model", tmp_path / "own.toml", "--out", tmp_path / "file.nc")
    assert code in (0, 1) and "alpha" in out
    option = fitted_spec(load_fit(own_fit))
    assert (asked[0].law, asked[0].priors, asked[0].noise, asked[0].drift) == (
        option.law,
        option.priors,
        option.noise,
        option.drift,
    )


def test_a_loss_that_cannot_fall_is_said_before_the_fit(run, runs_file, own_fit, tmp_path, monkeypatch):
    order = []
    monkeypatch.setattr(engines, "sampled", lambda *_, **__: order.append("sampled") or load_fit(own_fit))
    monkeypatch.setattr("bayescale.cli.models.print_notes", lambda notes: order.extend(notes))
    run("fit", runs_file, "--law", RISING, "--out", tmp_path / "up.nc")
    assert order.count("rises") == 1 and order.index("rises") < order.index("sampled")
    order.clear()
    run("fit", runs_file, "--law", LAW, "--out", tmp_path / "down.nc")
    assert "sampled" in order and "rises" not in order


HOSTILE = {
    "attribute": "E.__class__ + tokens",
    "attribute of an input": "E + A / tokens.real**a",
    "another call": "E + A * sqrt(tokens)**-a",
    "import": "__import__('os').system('id')",
    "huge power": "E + 9**9**9 / tokens**a",
    "tower of an input": "E + A / tokens**9**9**9**9",
    "parentheses": "(" * 500_000 + "E" + ")" * 500_000,
    "open parentheses": "(" * 1_000_000,
    "look-alike": "E + A / t\u043ekens**a",
    "full width": "\uff25 + A / tokens**a",
    "zero width": "E + A / tok\u200bens**a",
    "sigma": "sigma + A / tokens**a",
    "nu": "E + nu / tokens**a",
    "weight": "E + weight / tokens**a",
    "no parameter": "1.69 + 400 / tokens**0.3",
    "numbers alone": "2 * 3",
    "negative": "-5 - A / tokens**a",
    "infinite": "A * exp(tokens)",
    "nothing": "A / (tokens - tokens)**a",
}


@pytest.mark.parametrize("law", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("form", ["option", "file"])
def test_a_hostile_formula_is_refused_at_once(run, runs_file, tmp_path, monkeypatch, law, form):
    monkeypatch.setattr(engines, "sampled", lambda *_, **__: pytest.fail("it was sampled"))
    how = ["--law", law]
    if form == "file":
        (tmp_path / "own.toml").write_text(f'law = """{law}"""\n', encoding="utf-8")
        how = ["--model", tmp_path / "own.toml"]
    start = time.process_time()
    code, out, err = run("fit", runs_file, *how, "--out", tmp_path / "no.nc")
    assert time.process_time() - start < 2
    said = [line for line in err.splitlines() if not line.startswith("note:")]
    assert code == 2 and out == "" and len(said) == 1 and len(said[0]) < 700, err[:2000]
    assert not list(tmp_path.glob("*.nc"))


@pytest.mark.parametrize(
    ("prior", "match"),
    [
        ("alpha=Uniform(1, 0.1)", "must be < `upper`"),
        ("alpha=Normal(0, inf)", "finite numbers"),
        ("gamma=Normal(0, 1)", "gamma"),
        ("alpha=__import__('os')", "a prior is a distribution"),
        ("alpha", "--prior takes NAME=VALUE"),
    ],
)
def test_a_hostile_prior_is_refused(run, runs_file, tmp_path, prior, match):
    code, _, err = run("fit", runs_file, "--law", LAW, "--prior", prior, "--out", tmp_path / "no.nc")
    assert code == 2 and match in err and len(err.strip().splitlines()) == 1
