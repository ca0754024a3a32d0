"""Rules of a model file: each breaks with its message; changes keep the text; numbers are finite."""

import json

import pytest

from bayescale import load_spec
from bayescale.spec import parse_spec
from bayescale.spec.prior import Prior, read_prior, suggest

HEAD = """title = "A law"  # a comment that survives
law = "chinchilla"
reference = "Hoffmann et al. 2022"
inputs = { params = "params", tokens = "tokens" }
"""
TABLES = """[priors]
T = { dist = "LogNormal", median = 2.5, sigma = 0.8 }
u1 = { dist = "Normal", mu = -1.5, sigma = 1.0 }
u2 = { dist = "Normal", mu = -1.5, sigma = 1.0 }
log_alpha = { dist = "Normal", mu = -1, sigma = 0.4 }
log_beta = { dist = "Normal", mu = -1, sigma = 0.4 }
[noise]
dist = "StudentT"
sigma = { dist = "HalfNormal", sigma = 0.02 }
nu = { dist = "Gamma", alpha = 2, beta = 0.1 }
fade = 0.06
[drift]
per_decade = 0.02
"""
TEXT = HEAD + TABLES
NORMAL = {"dist": "Normal", "mu": -1.0, "sigma": 0.4}


def level(**numbers):
    return {"priors": {"T": {"dist": "LogNormal", "median": 2.5, "sigma": 0.8, **numbers}}}


BROKEN = {
    "unknown key at the top": (
        {"title": None, "tilte": "A law"},
        r"unknown key `tilte`; known keys are title, .*Did you mean 'title'\?",
    ),
    "unknown key in noise": (
        {"noise": {"fade": None, "fad": 0.06}},
        r"unknown key `noise\.fad`; known keys are .*fade.*Did you mean 'fade' or 'fade_runs'\?",
    ),
    "unknown key in drift": (
        {"drift": {"per_decade": None, "per_decad": 0.02}},
        r"unknown key `drift\.per_decad`; known keys are per_decade, best_size, spread\. Did you mean 'per_decade'\?",
    ),
    "unknown key in groups": (
        {"groups": {"by": "family", "partial": ["T"], "spred": NORMAL}},
        r"unknown key `groups\.spred`; known keys are by, partial, spread\. Did you mean 'spread'\?",
    ),
    "unknown table": ({"drift": None, "drfit": {"per_decade": 0.02}}, r"unknown key `drfit`.*Did you mean 'drift'\?"),
    "key of a table at the top": ({"fade": 0}, r"unknown key `fade`; known keys are title, .*noise, .*drift"),
    "unknown option": ({"options": {"breaks": 2}}, r"`options\.breaks`: law 'chinchilla' takes none"),
    "unknown covariate": ({"covariates": {"R": ["x"]}}, r"`covariates\.R`: law 'chinchilla' has constants"),
    "misspelt prior": (
        {"priors": {"log_alpha": None, "log_alhpa": NORMAL}},
        r"`priors\.log_alhpa`: .*it has T, u1, u2.*Did you mean 'log_alpha'\?",
    ),
    "misspelt input": ({"inputs": {"params": None, "param": "x"}}, r"`inputs\.param`: .*Did you mean 'params'\?"),
    "missing prior": ({"priors": {"u1": None}}, r"`priors` lacks u1, which law 'chinchilla' needs"),
    "missing input": ({"inputs": {"tokens": None}}, r"`inputs` lacks tokens"),
    "missing noise": ({"noise": None}, r"`noise`: Field required"),
    "no such law": ({"law": "chinchila"}, r"`law` must be one of .*chinchilla, .*power.*Did you mean 'chinchilla'\?"),
    "no such dist": (
        {"priors": {"u1": {**NORMAL, "dist": "Nomral"}}},
        r"Prior `.*u1`: `dist` must be one of .*Did you mean 'Normal'\?",
    ),
    "numbers of another dist": (
        {"noise": {"sigma": {"dist": "HalfNormal", "mu": 0.02}}},
        r"Prior `noise\.sigma`: HalfNormal takes sigma\. Got mu\.",
    ),
    "no numbers": (
        {"priors": {"T": {"dist": "LogNormal"}}},
        r"Prior `T`: LogNormal takes median, sigma\. Got nothing\.",
    ),
    "negative sigma": (
        {"noise": {"sigma": {"dist": "HalfNormal", "sigma": -0.02}}},
        r"Prior `noise\.sigma`: `sigma` must be > 0\. Got -0\.02\.",
    ),
    "sigma of zero": (level(sigma=0), r"Prior `T`: `sigma` must be > 0\. Got 0\."),
    "negative median": (level(median=-2.5), r"Prior `T`: `median` must be > 0\."),
    "text for a number": (
        {"priors": {"u1": {**NORMAL, "mu": "low"}}},
        r"Prior `u1`: `mu` must be a finite number\. Got 'low'\.",
    ),
    "infinite number": (level(median=float("inf")), r"`median` must be a finite number\. Got inf\."),
    "nan": (level(median=float("nan")), r"`median` must be a finite number\. Got nan\."),
    "true": (level(median=True), r"`median` must be a finite number\. Got True\."),
    "a bare number as prior": (
        {"priors": {"T": 2.5}},
        r"Prior `T` must be a table such as \{ dist = .*Got 2\.5\.",
    ),
    "level that is not LogNormal": (
        {"priors": {"T": NORMAL}},
        r"Prior `T`, the level of the loss, must be LogNormal\. Got Normal\.",
    ),
    "nu with Normal": (
        {"noise": {"dist": "Normal"}},
        r"`noise\.nu` must be given with StudentT or BetaBinomial .*Got dist = 'Normal'",
    ),
    "StudentT without nu": (
        {"noise": {"nu": None}},
        r"`noise\.nu` must be given with StudentT.*Got dist = 'StudentT', nu = None",
    ),
    "unknown noise": ({"noise": {"dist": "Cauchy"}}, r"`noise\.dist`: .*'Normal'.*Got 'Cauchy'\."),
    "negative fade": ({"noise": {"fade": -0.06}}, r"`noise\.fade`: .*greater than or equal to 0\. Got -0\.06\."),
    "infinite fade": ({"noise": {"fade": float("inf")}}, r"`noise\.fade`: .*finite.*Got inf\."),
    "fade of nan": ({"noise": {"fade": float("nan")}}, r"`noise\.fade`: .*Got nan\."),
    "negative drift": ({"drift": {"per_decade": -1}}, r"`drift\.per_decade`: .*greater than or equal to 0"),
    "inputs that are a list": ({"inputs": ["params"]}, r"`inputs`: .*dictionary"),
    "inputs that are not a table": ({"inputs": 3}, r"`inputs`: .*dictionary\. Got 3\."),
    "priors that are not a table": ({"priors": 3}, r"`priors` must be a table with one entry per sampled parameter"),
    "noise that is not a table": ({"noise": 3}, r"`noise`: .*dictionary.*Got 3\."),
}
BROKEN_TEXTS = {
    "bad TOML": (HEAD + "[noise\n", r"is not TOML: .*line 5"),
    "a table twice": (HEAD + TABLES + TABLES, r"is not TOML: .*priors"),
    "text as a key": ('text = "x"\n' + HEAD + TABLES, r"`text` and `changes` are not keys of a model file"),
    "changes as a key": ("changes = {}\n" + HEAD + TABLES, r"`text` and `changes` are not keys of a model file"),
    "misspelt table": (HEAD + TABLES + "[drfit]\n", r"unknown key `drfit`; .*Did you mean 'drift'\?"),
    "no tables": (HEAD, r"`priors` must be a table with one entry per sampled parameter"),
}


def test_the_text_itself_is_a_model():
    spec = parse_spec(TEXT)
    assert spec.text == TEXT and spec.changes == {}
    assert spec.response == "loss" and spec.noise.fade == 0.06 and spec.drift.per_decade == 0.02
    assert spec.priors["u1"] == Prior("Normal", {"mu": -1.5, "sigma": 1.0})
    assert spec.get_law().name == "chinchilla"


def test_a_file_may_have_every_table():
    more = '[groups]\nby = "family"\npartial = ["T"]\n[covariates]\nA = ["dropout"]\n'
    spec = parse_spec(HEAD + TABLES + more)
    assert (spec.groups.by, spec.groups.partial, spec.covariates) == ("family", ("T",), {"A": ("dropout",)})


@pytest.mark.parametrize("what", BROKEN)
def test_broken_rule(what):
    overlay, message = BROKEN[what]
    with pytest.raises(ValueError, match=message) as caught:
        parse_spec(TEXT, changes=overlay, name="mine.toml")
    assert all(line.startswith("mine.toml") for line in str(caught.value).splitlines())
    with pytest.raises(ValueError, match=message):
        parse_spec(TEXT).changed(overlay)


@pytest.mark.parametrize("what", BROKEN_TEXTS)
def test_broken_text(what):
    text, message = BROKEN_TEXTS[what]
    with pytest.raises(ValueError, match=message) as caught:
        parse_spec(text, name="mine.toml")
    assert all(line.startswith("mine.toml") for line in str(caught.value).splitlines())


def test_every_problem_gets_its_line():
    with pytest.raises(ValueError) as caught:
        parse_spec(TEXT, changes={"title": None, "titel": "A law", "noise": {"fade": -1}})
    lines = str(caught.value).splitlines()
    assert len(lines) == 3  # title is missing, titel unknown, fade negative
    assert all(line.isprintable() and line.strip() for line in lines)


def test_changed_keeps_the_text_verbatim_and_comes_back():
    spec = parse_spec(TEXT)
    other = spec.changed({"inputs": {"params": "params_total"}, "noise": {"fade": 0}})
    assert other.text == TEXT
    assert other.inputs == {"params": "params_total", "tokens": "tokens"}
    assert other.noise.fade == 0 and other.noise.sigma == spec.noise.sigma
    assert parse_spec(other.text, changes=other.changes) == other
    assert spec.inputs["params"] == "params" and spec.noise.fade == 0.06  # the first spec stays as it was


def differing(one, other):
    """Fields in which two specs differ, but for the record of what was changed."""
    return {key for key in type(one).model_fields if getattr(one, key) != getattr(other, key)} - {"changes"}


def test_tables_are_merged_key_by_key():
    spec = parse_spec(TEXT)
    other = spec.changed(
        {
            "response": "accuracy",
            "inputs": {"params": "size"},
            "noise": {"fade": 0},
            "drift": {"per_decade": 0.1},
            "priors": {"u1": NORMAL},
            "groups": {"by": "family", "partial": ["T"]},
            "covariates": {"A": ["dropout"]},
        }
    )
    assert differing(spec, other) == {"response", "inputs", "noise", "drift", "priors", "groups", "covariates"}
    assert other.response == "accuracy" and other.drift.per_decade == 0.1
    assert other.inputs == {"params": "size", "tokens": "tokens"}
    assert other.noise == spec.noise.model_copy(update={"fade": 0.0})
    assert other.priors == {**spec.priors, "u1": Prior("Normal", {"mu": -1.0, "sigma": 0.4})}
    assert (other.groups.by, other.groups.partial, other.covariates) == ("family", ("T",), {"A": ("dropout",)})


def test_a_prior_is_replaced_whole():
    spec = parse_spec(TEXT)
    half = {"dist": "HalfStudentT", "nu": 3, "sigma": 0.5}
    other = spec.changed(
        {"priors": {"u1": {"dist": "StudentT", "nu": 3, "mu": 0, "sigma": 1}}, "noise": {"sigma": half}}
    )
    assert other.priors["u1"] == Prior("StudentT", {"nu": 3, "mu": 0, "sigma": 1})
    assert other.noise.sigma == Prior("HalfStudentT", {"nu": 3, "sigma": 0.5})
    with pytest.raises(ValueError, match=r"Prior `T`: LogNormal takes median, sigma\. Got median\."):
        spec.changed({"priors": {"T": {"dist": "LogNormal", "median": 3}}})
    with pytest.raises(ValueError, match=r"Prior `T` must be a table such as \{ dist = .*Got \{'median': 3\}"):
        spec.changed({"priors": {"T": {"median": 3}}})


def test_none_takes_out():
    spec = parse_spec(TEXT)
    normal = spec.changed({"noise": {"dist": "Normal", "nu": None}})
    assert normal.noise == spec.noise.model_copy(update={"dist": "Normal", "nu": None})
    assert differing(spec, normal) == {"noise"}
    for overlay in ({"drift": None}, {"drift": {"per_decade": None}}):
        assert spec.changed(overlay).drift.per_decade == 0, "as in a file without it"
    assert spec.changed({"groups": None, "covariates": None}).groups is None, "what is not there may be taken out"
    back = normal.changed({"noise": {"dist": "StudentT", "nu": {"dist": "Gamma", "alpha": 2, "beta": 0.1}}})
    assert back.noise == spec.noise


def test_a_law_can_be_changed():
    older = {"noise": {"fade": 0.06, "fade_runs": None}, "drift": {"per_decade": 0.02, "best_size": 0.15}}
    spec, repeated = load_spec("chinchilla").with_priors("vague").changed(older), load_spec("repeated")
    decays = {"log_R_D": {"dist": "Normal", "mu": 2.7081, "sigma": 0.5}}
    decays["log_R_N"] = {"dist": "Normal", "mu": 1.6094, "sigma": 0.6}
    other = spec.changed({"law": "repeated", "inputs": {"unique_tokens": "unique_tokens"}, "priors": decays})
    assert differing(other, repeated) == {"title", "reference", "text"}
    assert other.get_law().name == "repeated" and other.sampled == repeated.sampled
    with pytest.raises(ValueError, match=r"`inputs` lacks unique_tokens, which law 'repeated' needs"):
        spec.changed({"law": "repeated", "priors": decays})
    with pytest.raises(ValueError, match=r"`priors` lacks log_R_D, log_R_N, which law 'repeated' needs"):
        spec.changed({"law": "repeated", "inputs": {"unique_tokens": "unique_tokens"}})


def test_a_law_with_fewer_inputs_and_priors():
    gone = {"inputs": {"params": None, "tokens": None}, "priors": {"u2": None, "log_beta": None}}
    spec = parse_spec(TEXT, changes={"law": "power", **gone, "inputs": {**gone["inputs"], "x": "flops"}})
    assert spec.inputs == {"x": "flops"} and list(spec.priors) == ["T", "u1", "log_alpha"]
    with pytest.raises(ValueError, match=r"`inputs\.params`: law 'power' has no such name"):
        parse_spec(TEXT, changes={"law": "power", "inputs": {"x": "flops"}, "priors": gone["priors"]})


def test_changes_add_up():
    overlays = [
        {"inputs": {"params": "a"}, "noise": {"fade": 0.1}, "drift": {"per_decade": 0.1}},
        {"noise": {"dist": "Laplace", "nu": None}, "response": "accuracy", "priors": {"u1": NORMAL}},
        {"inputs": {"tokens": "b"}, "drift": {"per_decade": 0.3}, "covariates": {"A": ["dropout"]}},
    ]
    spec = parse_spec(TEXT)
    for overlay in overlays:
        spec = spec.changed(overlay)
    assert spec.changes == {
        "inputs": {"params": "a", "tokens": "b"},
        "noise": {"fade": 0.1, "dist": "Laplace", "nu": None},
        "drift": {"per_decade": 0.3},
        "response": "accuracy",
        "priors": {"u1": NORMAL},
        "covariates": {"A": ["dropout"]},
    }
    assert spec.inputs == {"params": "a", "tokens": "b"} and spec.response == "accuracy"
    assert (spec.noise.dist, spec.noise.nu, spec.noise.fade, spec.drift.per_decade) == ("Laplace", None, 0.1, 0.3)
    assert parse_spec(spec.text, changes=spec.changes) == spec
    assert parse_spec(spec.text, changes=json.loads(json.dumps(spec.changes))) == spec, "as a fit stores them"
    assert spec.changed({"inputs": {"params": "c"}}).inputs == {"params": "c", "tokens": "b"}


def test_nothing_changed_is_the_same_spec():
    spec = parse_spec(TEXT)
    assert spec.changed({}) == spec
    assert not differing(spec, spec.changed({"inputs": {}, "noise": {}, "priors": {}}))


def test_specs_are_frozen():
    spec = load_spec("chinchilla")
    with pytest.raises(ValueError, match="frozen"):
        spec.title = "other"


def test_a_prior_prints_itself():
    assert (
        str(read_prior("T", {"dist": "LogNormal", "sigma": 0.8, "median": 2.5})) == "LogNormal(median=2.5, sigma=0.8)"
    )


def test_suggest():
    assert suggest("alpa", ["alpha", "beta"]) == " Did you mean 'alpha'?"
    assert suggest("zzz", ["alpha", "beta"]) == ""


@pytest.mark.parametrize(
    ("overlay", "message"),
    [
        ({"options": {"tokens": 5}}, "`options.tokens` is 5, but the response 'exact_match_10' is for blocks of 10"),
        (
            {"response": "exact_match_5"},
            r"is 10, .* blocks of 5: give `options\.tokens = 5` \(--option tokens=5\), or "
            r"`response='exact_match_10'` \(--response exact_match_10\)\.",
        ),
        ({"options": {"tokens": "five"}}, "must be a whole number >= 1, the tokens in a block. Got 'five'"),
    ],
)
def test_blocks_are_as_long_as_their_column_says(overlay, message):
    spec = load_spec("exact-match")
    with pytest.raises(ValueError, match=message):
        spec.changed(overlay)
    both = spec.changed({"options": {"tokens": 5}, "response": "exact_match_5"})
    assert both.get_law().constants({"log_ratio": 0.0}, {})["length"] == pytest.approx(5)
    assert spec.changed({"options": {"tokens": 5}, "response": "solved"}).response == "solved", (
        "a name that says no length"
    )
