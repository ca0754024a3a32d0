"""Rules of a model file: each breaks with its message; changes keep the text; numbers are finite."""

import pytest

from bayescale import load_spec
from bayescale.spec import parse_spec
from bayescale.spec.prior import Prior, read_prior, suggest

TEXT = """title = "A law"  # a comment that survives
law = "chinchilla"
reference = "Hoffmann et al. 2022"
inputs = { params = "params", tokens = "tokens" }
[priors]
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
NU = 'nu = { dist = "Gamma", alpha = 2, beta = 0.1 }\n'
T = 'T = { dist = "LogNormal", median = 2.5, sigma = 0.8 }\n'


def edited(old, new):
    assert TEXT.count(old) == 1, old
    return TEXT.replace(old, new)


BROKEN = {
    "unknown key at the top": (
        'title = "A law"',
        'tilte = "A law"',
        r"unknown key `tilte`; known are title, .*Did you mean 'title'\?",
    ),
    "unknown key in noise": (
        "fade = 0.06",
        "fad = 0.06",
        r"unknown key `noise\.fad`; known are .*fade.*Did you mean 'fade'\?",
    ),
    "unknown key in drift": (
        "per_decade =",
        "per_decad =",
        r"`drift\.per_decad`; known are per_decade\. Did you mean 'per_decade'\?",
    ),
    "unknown table": ("[drift]", "[drfit]", r"unknown key `drfit`.*Did you mean 'drift'\?"),
    "misspelt prior": (
        "log_alpha =",
        "log_alhpa =",
        r"`priors\.log_alhpa`: .*it has T, u1, u2.*Did you mean 'log_alpha'\?",
    ),
    "misspelt input": ("{ params = ", "{ param = ", r"`inputs\.param`: .*Did you mean 'params'\?"),
    "missing prior": (
        'u1 = { dist = "Normal", mu = -1.5, sigma = 1.0 }\n',
        "",
        r"`priors` lacks u1, which law 'chinchilla' needs",
    ),
    "missing input": (', tokens = "tokens" }', " }", r"`inputs` lacks tokens"),
    "missing noise": ("[noise]", "[nois]", r"`noise`: Field required"),
    "no such law": (
        'law = "chinchilla"',
        'law = "chinchila"',
        r"`law` must be one of .*chinchilla, .*power.*Did you mean 'chinchilla'\?",
    ),
    "no such dist": (
        'u1 = { dist = "Normal"',
        'u1 = { dist = "Nomral"',
        r"Prior `.*u1`: `dist` must be one of .*Did you mean 'Normal'\?",
    ),
    "numbers of another dist": (
        'HalfNormal", sigma = 0.02',
        'HalfNormal", mu = 0.02',
        r"Prior `noise\.sigma`: HalfNormal takes sigma\. Got mu\.",
    ),
    "no numbers": (", median = 2.5, sigma = 0.8 }", " }", r"Prior `T`: LogNormal takes median, sigma\. Got nothing\."),
    "negative sigma": (
        'HalfNormal", sigma = 0.02',
        'HalfNormal", sigma = -0.02',
        r"Prior `noise\.sigma`: `sigma` must be > 0\. Got -0\.02\.",
    ),
    "sigma of zero": (
        "median = 2.5, sigma = 0.8",
        "median = 2.5, sigma = 0",
        r"Prior `T`: `sigma` must be > 0\. Got 0\.",
    ),
    "negative median": ("median = 2.5", "median = -2.5", r"Prior `T`: `median` must be > 0\."),
    "text for a number": (
        "mu = -1.5, sigma = 1.0 }\nu2",
        'mu = "low", sigma = 1.0 }\nu2',
        r"Prior `u1`: `mu` must be a finite number\. Got 'low'\.",
    ),
    "infinite number": ("median = 2.5", "median = inf", r"`median` must be a finite number\. Got inf\."),
    "nan": ("median = 2.5", "median = nan", r"`median` must be a finite number\. Got nan\."),
    "true": ("median = 2.5", "median = true", r"`median` must be a finite number\. Got True\."),
    "a bare number as prior": (T, "T = 2.5\n", r"Prior `T` must be a table such as \{ dist = .*Got 2\.5\."),
    "level that is not LogNormal": (
        T,
        'T = { dist = "Normal", mu = 2.5, sigma = 0.8 }\n',
        r"Prior `T`, the level of the loss, must be LogNormal\. Got Normal\.",
    ),
    "nu with Normal": (
        'dist = "StudentT"',
        'dist = "Normal"',
        r"`noise\.nu` goes with StudentT, and with BetaBinomial .*Got dist = 'Normal'",
    ),
    "StudentT without nu": (NU, "", r"`noise\.nu` goes with StudentT.*Got dist = 'StudentT', nu = None"),
    "unknown noise": ('dist = "StudentT"', 'dist = "Cauchy"', r"`noise\.dist`: .*'Normal'.*Got 'Cauchy'\."),
    "negative fade": ("fade = 0.06", "fade = -0.06", r"`noise\.fade`: .*greater than or equal to 0\. Got -0\.06\."),
    "infinite fade": ("fade = 0.06", "fade = inf", r"`noise\.fade`: .*finite.*Got inf\."),
    "negative drift": ("per_decade = 0.02", "per_decade = -1", r"`drift\.per_decade`: .*greater than or equal to 0"),
    "bad TOML": ("[noise]", "[noise", r"is not TOML: .*line"),
    "text as a key": ('title = "A law"', 'text = "x"', r"`text` and `changes` are not keys of a model file"),
    "changes as a key": ('title = "A law"', "changes = {}", r"`text` and `changes` are not keys of a model file"),
    "inputs that are a list": (
        'inputs = { params = "params", tokens = "tokens" }',
        'inputs = ["params"]',
        r"`inputs`: .*dictionary",
    ),
}


def test_the_text_itself_is_a_model():
    spec = parse_spec(TEXT)
    assert spec.text == TEXT and spec.changes == {}
    assert spec.response == "loss" and spec.noise.fade == 0.06 and spec.drift.per_decade == 0.02
    assert spec.priors["u1"] == Prior("Normal", {"mu": -1.5, "sigma": 1.0})
    assert spec.get_law().name == "chinchilla"


@pytest.mark.parametrize("what", BROKEN)
def test_broken_rule(what):
    old, new, message = BROKEN[what]
    with pytest.raises(ValueError, match=message) as caught:
        parse_spec(edited(old, new), name="mine.toml")
    assert all(line.startswith("mine.toml") for line in str(caught.value).splitlines())


@pytest.mark.parametrize("what", ["priors", "noise", "inputs"])
def test_a_table_that_is_no_table(what):
    lines, kept, skipping = TEXT.splitlines(), [], False
    for line in lines:
        if line.startswith("["):
            skipping = line == f"[{what}]"
        if not skipping and not line.startswith("inputs"):
            kept.append(line)
    head = [f"{what} = 3"] + ([] if what == "inputs" else ['inputs = { params = "params", tokens = "tokens" }'])
    with pytest.raises(ValueError, match=f"`{what}`"):
        parse_spec("\n".join([*head, *kept]))


def test_every_problem_gets_its_line():
    text = TEXT.replace("fade = 0.06", "fade = -1").replace('title = "A law"', 'titel = "A law"')
    with pytest.raises(ValueError) as caught:
        parse_spec(text)
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


def test_changes_add_up():
    spec = (
        parse_spec(TEXT)
        .changed({"inputs": {"params": "a"}})
        .changed({"noise": {"fade": 0.1}})
        .changed({"inputs": {"tokens": "b"}})
    )
    assert spec.inputs == {"params": "a", "tokens": "b"} and spec.noise.fade == 0.1
    assert spec.changed({"inputs": {"params": "c"}}).inputs == {"params": "c", "tokens": "b"}


def test_nothing_changed_is_the_same_spec():
    spec = parse_spec(TEXT)
    assert spec.changed() == spec and spec.changed({"inputs": {}}) == spec


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"inputs": {"param": "x"}}, r"`inputs\.param`.*Did you mean 'params'\?"),
        ({"fade": -0.1}, r"`noise\.fade`: .*Got -0\.1"),
        ({"fade": float("nan")}, r"`noise\.fade`"),
    ],
)
def test_changes_obey_the_rules(change, message):
    with pytest.raises(ValueError, match=message):
        parse_spec(TEXT).changed(**change)


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
    ("change", "message"),
    [
        ({"options": {"tokens": 5}}, "`options.tokens` is 5, and the response 'exact_match_10' is of blocks of 10"),
        (
            {"response": "exact_match_5"},
            r"is 10, .* blocks of 5: give --option tokens=5, or --response exact_match_10\.",
        ),
        ({"options": {"tokens": "five"}}, "must be a whole number >= 1, the tokens in a block. Got 'five'"),
    ],
)
def test_blocks_are_as_long_as_their_column_says(change, message):
    spec = load_spec("exact-match")
    with pytest.raises(ValueError, match=message):
        spec.changed(**change)
    both = spec.changed({"options": {"tokens": 5}, "response": "exact_match_5"})
    assert both.get_law().constants({"log_ratio": 0.0}, {})["length"] == pytest.approx(5)
    assert spec.changed({"options": {"tokens": 5}, "response": "solved"}).response == "solved", (
        "a name that says no length"
    )
