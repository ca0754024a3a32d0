"""Formulas: what is read and what is refused, values on every kind of array, roles and constants in the middle of the runs."""

import time

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from bayescale.errors import InputError
from bayescale.laws import LAWS
from bayescale.laws.formula.law import formula_law, formula_roles
from bayescale.laws.formula.parse import parse_formula, written

HOSTILE = {
    "attribute": "E + A.__class__",
    "dunder": "E + __import__",
    "underscore": "_E + A / tokens**a",
    "call": "open(tokens)",
    "method": "E.real(tokens)",
    "eval": "eval(1)",
    "string": "E + 'a'",
    "double string": 'E + "a"',
    "comparison": "E < tokens",
    "equal": "E == tokens",
    "assignment": "E = tokens",
    "walrus": "(E := tokens)",
    "lambda": "lambda x: x",
    "subscript": "E[0] + tokens",
    "braces": "{E}",
    "condition": "E if tokens else A",
    "comma": "exp(E, A)",
    "two statements": "E; A",
    "line comment": "E # tokens",
    "caret": "E + A / tokens^a",
    "modulo": "E % tokens",
    "floor": "E // tokens",
    "matrix": "E @ tokens",
    "homoglyph": "E + \u0410 / tokens**a",
    "full width": "E + \uff21 / tokens**a",
    "nul": "E + \0",
    "escape": "E + \x1b[31m",
    "other digits": "E + \u0663",
    "huge power": "E + 9**9**9 / tokens",
    "huge number": "E + 1e999 / tokens",
    "huge exp": "E + exp(exp(exp(9))) / tokens",
    "complex power": "E + (-1)**0.5 / tokens",
    "zero": "E / 0 + tokens",
    "log of nothing": "E + log(0) * tokens",
    "open": "(E + tokens",
    "close": "E + tokens)",
    "empty": " ",
    "ends": "E +",
    "beside": "2 tokens",
    "no arguments": "E + exp()",
    "bare function": "E + exp * tokens",
    "reserved": "sigma + A / tokens**a",
    "of ours": "log_E + A / tokens**a",
    "long": "E + " * 100 + "tokens",
    "megabyte": "(" * 1_000_000,
    "deep": "(" * 90 + "E" + ")" * 90,
    "signs": "-" * 199 + "E",
    "powers": "E" + "**E" * 66,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_formula_is_refused_in_one_line(text):
    start = time.perf_counter()
    with pytest.raises(InputError) as refused:
        formula_law(text, ("tokens",))
    assert time.perf_counter() - start < 0.5
    message = str(refused.value)
    assert "\n" not in message and len(message) < 600 and message.isascii() and message.isprintable()


REASONS = {
    "is not a finite number": ("huge power", "huge exp", "complex power", "log of nothing"),
    "a product with the number 0": ("zero",),
    "is too large": ("huge number",),
    "nested more than 12 deep": ("deep", "signs", "powers"),
    "at most 200 characters": ("long", "megabyte"),
    "is reserved or too long": ("dunder", "underscore", "reserved", "of ours"),
    "is not a function of a law": ("call", "eval"),
    "is not allowed": ("attribute", "homoglyph", "full width", "other digits", "nul", "escape", "subscript", "caret"),
}


@pytest.mark.parametrize(("reason", "name"), [(reason, name) for reason, names in REASONS.items() for name in names])
def test_a_hostile_formula_is_refused_for_what_it_is(reason, name):
    """And not by luck, for something that the next formula of its kind would not have."""
    with pytest.raises(InputError, match=reason):
        formula_law(HOSTILE[name], ("tokens",))


@pytest.mark.parametrize("text", ["E + A / tokens**a.b", "E + A^tokens"])
def test_a_refusal_names_the_place_and_what_is_allowed(text):
    with pytest.raises(
        InputError, match=r"at character \d+: '[.^]' is not allowed.* \+ - \* / \*\*, exp\( \), log\( \)"
    ):
        parse_formula(text)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("A * B / tokens**a", "two amplitudes, A and B"),
        ("E + F + A / tokens**a", "several constants"),
        ("E + A * tokens**-(a * b)", "a and b, which runs cannot tell apart"),
        ("E + A / tokens**a + A * tokens", "A scales more than one part"),
        ("A + A * tokens**-A", "used as"),
        ("E + A * (tokens + D0)**-a", "D0 is added to 'tokens'.*--prior"),
        ("E + A * exp(-k * tokens)", "k .*--prior"),
        ("-A / tokens**a", "is negative"),
        ("E + A", "has no input"),
        ("C + A / tokens**a", "compute or a constant"),
        ("E + A / D**a + B / tokens**b", "D and tokens"),
    ],
)
def test_what_runs_cannot_determine_is_refused(text, match):
    with pytest.raises(InputError, match=match):
        formula_law(text, ("tokens",))


def test_operators_bind_as_in_python():
    names = {"x": 3.0, "y": 2.0, "z": 0.5}
    for text in (
        "-x**2",
        "2**-x",
        "x**y**z",
        "x - y - z",
        "x / y / z",
        "x / (y * z)",
        "-(x - y)",
        "x - (y - z)",
        "--x",
        "x * -y",
    ):
        law = _Formula(text)
        assert float(law(**names)) == pytest.approx(eval(text, {}, names)), text


class _Formula:
    """A formula of inputs alone, as a function."""

    def __init__(self, text):
        from bayescale.laws.formula.values import Values, value

        self.node, self.value, self.values = parse_formula(text), value, Values

    def __call__(self, **names):
        exact = {name: np.float64(v) if isinstance(v, float) else v for name, v in names.items()}
        with np.errstate(all="ignore"):
            return self.value(self.node, self.values(exact, {}, frozenset(names)))


_LEAVES = st.sampled_from(["x", "y", "z", "2", "0.5", "1.7"])
_FORMULAS = st.recursive(
    _LEAVES,
    lambda part: st.one_of(
        st.tuples(part, st.sampled_from("+-*/"), part).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        st.tuples(part, part).map(lambda t: f"({t[0]})**(-{t[1]})"),
        part.map(lambda t: f"exp(-({t}))"),
        part.map(lambda t: f"log({t})"),
    ),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(_FORMULAS, st.tuples(*[st.floats(0.5, 3)] * 3))
def test_floats_numpy_xarray_and_pytensor_agree(text, numbers):
    names = dict(zip("xyz", numbers, strict=True))
    try:
        law = _Formula(text)
    except InputError:  # a number that is not finite
        return
    with np.errstate(all="ignore"):
        plain = {name: np.float64(v) for name, v in names.items()}
        expected = eval(text, {"exp": np.exp, "log": np.log}, plain)
    got = [law(**names), law(**{n: np.full(2, v) for n, v in names.items()})]
    got.append(law(**{n: xr.DataArray([v, v], dims="run") for n, v in names.items()}))
    with pytensor.config.change_flags(mode="FAST_COMPILE"):
        symbolic = law(**{n: pt.as_tensor(np.full(2, v)) for n, v in names.items()})
        got.append(symbolic.eval() if hasattr(symbolic, "eval") else symbolic)
    for one in got:
        np.testing.assert_allclose(np.asarray(one, float), float(expected), rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize(
    ("text", "inputs", "sampled"),
    [
        ("E + A * tokens**-alpha", ("tokens",), ("middle", "ratio_A", "log_alpha")),
        ("A * tokens**-alpha", ("tokens",), ("middle", "log_alpha")),
        ("1.69 + A / tokens**a", ("tokens",), ("ratio_A", "log_a")),
        ("((Nc / N)**(a / b) + Dc / D)**b", ("params", "tokens"), ("middle", "ratio_Dc", "log_a", "log_b")),
        ("(A / N**a + B / D**b)**g", ("params", "tokens"), ("middle", "ratio_B", "log_a", "log_b", "log_g")),
        ("E + A / (N**a * D**b)", ("params", "tokens"), ("middle", "ratio_A", "log_a", "log_b")),
        ("E + A * exp(-b * log(tokens))", ("tokens",), ("middle", "ratio_A", "log_b")),
        ("E - A * tokens**-a", ("tokens",), ("middle", "ratio_A", "log_a")),
        ("A * (1 + B * D**-b) / N**a", ("params", "tokens"), ("middle", "ratio_B", "log_b", "log_a")),
    ],
)
def test_what_is_sampled_gives_the_response_in_the_middle(text, inputs, sampled):
    law = formula_law(text, inputs)
    assert law.sampled == sampled
    rng = np.random.default_rng(sum(map(ord, text)))
    values = {name: rng.normal(-1, 0.3, 5) for name in sampled} | {"middle": np.full(5, 2.5)}
    anchors = {f"log_{name}_mean": np.log(3e9) for name in inputs}
    constants = law.constants(values, anchors)
    assert set(law.loss_constants) == set(constants) - {"params_exponent"}
    middle = law.loss(**dict.fromkeys(inputs, 3e9), **{name: constants[name] for name in law.loss_constants})
    expected = 2.5 if "middle" in sampled else 1.69 * (1 + np.exp(values["ratio_A"]))
    np.testing.assert_allclose(middle, expected, rtol=1e-10)


def test_the_law_of_chinchilla_is_that_of_chinchilla():
    ours, built = formula_law("E + A / N**alpha + B / D**beta", ("params", "tokens")), LAWS["chinchilla"]
    rng = np.random.default_rng(0)
    values = {name: rng.normal(-1, 0.3, 9) for name in built.sampled} | {"T": rng.uniform(2, 3, 9)}
    renamed = dict(zip(ours.sampled, (values[name] for name in built.sampled), strict=True))
    anchors = {"log_params_mean": 20.0, "log_tokens_mean": 23.0}
    expected, got = built.constants(values, anchors), ours.constants(renamed, anchors)
    for name, value in expected.items():
        np.testing.assert_allclose(got[name], value, rtol=1e-10, err_msg=name)
    own = {name: got[name] for name in ours.loss_constants}
    for part, point in (("optimum", (1e22,)), ("compute_saved", (3.0, 2.9)), ("exponents", ())):
        one, other = getattr(ours.sizing, part)(*point, **own), getattr(built.sizing, part)(*point, **own)
        np.testing.assert_allclose(one, other, rtol=1e-10)
    assert formula_law("E + A / (N**a * D**b)", ("params", "tokens")).sizing.ratio_decades < np.inf


def test_terms_far_outside_the_runs_do_not_overflow():
    law = formula_law("E + A / params**alpha", ("params",))
    assert float(law.loss(params=1e12, E=1.0, A=1e300, alpha=30.0)) == 1.0


def test_roles():
    roles = formula_roles("E + A / params**alpha + (B / tokens)**beta", ("params", "tokens"))
    assert roles.of == {"E": "level", "A": "amplitude", "alpha": "exponent", "B": "amplitude", "beta": "exponent"}


def test_a_formula_is_written_again():
    for text in ("E + (A / tokens**a)", "-(A * x) + B", "exp(-k * x)"):
        assert parse_formula(written(parse_formula(text))) == parse_formula(text)
