"""Read a formula such as ``E + A / params**alpha + B / tokens**beta`` into a small tree.

The text is data: no part of it is run as Python. What is not listed in `ALLOWED` is refused in one line that names the place, and length
and depth are bounded before anything recurses. Parts without names are computed once, so a number that overflows is refused here.
"""

import keyword
import math
import re
from dataclasses import dataclass
from typing import NoReturn

from ...errors import InputError

MAX_LENGTH, _MAX_DEPTH, _MAX_NAME = 200, 12, 30
ALLOWED = "names, numbers, + - * / **, exp( ), log( ) and parentheses"
FUNCTIONS = ("exp", "log")
# Names of roles, and of what a fit holds in addition to the constants of its law.
RESERVED = frozenset(
    (
        *("level", "amplitude", "exponent", "power", "other", "middle", "params_exponent"),
        *("sigma", "nu", "weight", "n_items", "member", "group", "group_index", "cell", "run", "plan", "chain", "draw"),
        *("family", "split", "drift", "expected_loss", "observed_loss", "extrapolation_decades"),
    )
)
_RESERVED_STARTS = ("log_", "ratio_", "spread_", "z_")
_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<name>[A-Za-z_][A-Za-z0-9_]*)|(?P<sign>\*\*|[-+*/()]))",
    re.ASCII,
)
_MODEL_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*", re.ASCII)


@dataclass(frozen=True)
class Number:
    """A number."""

    value: float


@dataclass(frozen=True)
class Name:
    """An input or a parameter."""

    name: str


@dataclass(frozen=True)
class Sum:
    """Terms, each with its sign, 1 or -1."""

    terms: tuple[tuple[int, "Node"], ...]


@dataclass(frozen=True)
class Product:
    """Factors, each with its power, 1 or -1."""

    factors: tuple[tuple[int, "Node"], ...]


@dataclass(frozen=True)
class Power:
    """A base and its exponent."""

    base: "Node"
    exponent: "Node"


@dataclass(frozen=True)
class Call:
    """`exp` or `log` of an argument."""

    function: str
    argument: "Node"


Node = Number | Name | Sum | Product | Power | Call


def is_formula(law: str) -> bool:
    """Whether the text of `law` is a formula, and not the name of a law."""
    return not _MODEL_NAME.fullmatch(law)


def tidy(text: str) -> str:
    """Return a formula with single spaces."""
    return " ".join(text.split()) if len(text) <= MAX_LENGTH else text


def parse_formula(text: str) -> Node:
    """Read a formula.

    Parameters
    ----------
    text : str
        At most 200 characters of names, numbers, + - * / **, exp( ), log( ) and parentheses.

    Returns
    -------
    Number, Name, Sum, Product, Power or Call
        The outermost operation.

    Raises
    ------
    ValueError
        In one line, with the place.

    Examples
    --------
    >>> parse_formula("2 * tokens**-1")
    Product(factors=((1, Number(value=2.0)), (1, Power(base=Name(name='tokens'), exponent=Number(value=-1.0)))))
    """
    if len(text) > MAX_LENGTH:
        raise InputError(
            f"A formula of a law has at most {MAX_LENGTH} characters. Got {len(text):,}; rename or leave out terms."
        )
    return _Reader(text).read()


def children(node: Node) -> tuple[Node, ...]:
    """Return the parts of a node."""
    match node:
        case Sum(terms):
            return tuple(term for _, term in terms)
        case Product(factors):
            return tuple(factor for _, factor in factors)
        case Power(base, exponent):
            return base, exponent
        case Call(_, argument):
            return (argument,)
    return ()


def names_in(node: Node) -> list[str]:
    """Return the names of a formula in order, once for each use."""
    return [node.name] if isinstance(node, Name) else [name for part in children(node) for name in names_in(part)]


def renamed(node: Node, names: dict[str, str]) -> Node:
    """Return the formula with other names."""
    match node:
        case Name(name):
            return Name(names.get(name, name))
        case Sum(terms):
            return Sum(tuple((sign, renamed(term, names)) for sign, term in terms))
        case Product(factors):
            return Product(tuple((power, renamed(factor, names)) for power, factor in factors))
        case Power(base, exponent):
            return Power(renamed(base, names), renamed(exponent, names))
        case Call(function, argument):
            return Call(function, renamed(argument, names))
    return node


def written(node: Node, inside: bool = False) -> str:
    """Return a part of a formula as text, for messages."""
    match node:
        case Number(value):
            return f"{value:g}"
        case Name(name):
            return name
        case Call(function, argument):
            return f"{function}({written(argument)})"
        case Power(base, exponent):
            return f"{written(base, True)}**{written(exponent, True)}"
        case Product(factors):
            text = "".join(f" {'*' if power > 0 else '/'} {written(one, True)}" for power, one in factors)
            text = text.removeprefix(" * ") if factors[0][0] > 0 else f"1{text}"
        case Sum(terms):
            text = "".join(f" {'+' if sign > 0 else '-'} {written(one, True)}" for sign, one in terms)
            text = text.removeprefix(" + ") if terms[0][0] > 0 else f"-{text.removeprefix(' - ')}"
    return f"({text})" if inside else text


class _Reader:
    """Tokens of a formula, read by recursive descent."""

    def __init__(self, text: str) -> None:
        self.text, self.place, self.depth = text, 0, 0
        self.kind, self.token, self.start = "", "", 0
        self.step()

    def read(self) -> Node:
        if not self.kind:
            raise InputError(f"The formula of the law is empty: write one of {ALLOWED}.")
        node = self.sum()
        if self.kind:
            fix = "write * for a product" if self.kind != "sign" else "it closes nothing"
            self.refuse(f"'{self.token}' follows without an operator; {fix}")
        return node

    def step(self) -> None:
        found = _TOKEN.match(self.text, self.place)
        if found is None:
            rest = self.text[self.place :].lstrip()
            self.start = len(self.text) - len(rest)
            if rest:
                hint = "; write ** for a power" if rest[0] == "^" else ""
                self.refuse(f"{rest[0]!a} is not allowed{hint}")
            self.kind, self.token = "", ""
            return
        self.kind, self.token = str(found.lastgroup), found[found.lastgroup or 0]
        self.start, self.place = found.start(found.lastgroup or 0), found.end()

    def take(self, *signs: str) -> str:
        """Return the next token and move on if it is one of these signs; otherwise an empty string."""
        if self.kind != "sign" or self.token not in signs:
            return ""
        sign = self.token
        self.step()
        return sign

    def refuse(self, why: str) -> NoReturn:
        raise InputError(
            f"The law {tidy(self.text)!a} cannot be read at character {self.start + 1}: {why}. A formula has {ALLOWED}."
        )

    def sum(self) -> Node:
        terms = [(1, self.product())]
        while sign := self.take("+", "-"):
            terms.append((1 if sign == "+" else -1, self.product()))
        if len(terms) == 1:
            return terms[0][1]
        flat: list[tuple[int, Node]] = []
        for sign_, term in terms:
            inner = term.terms if isinstance(term, Sum) else ((1, term),)
            flat += [(sign_ * own, node) for own, node in inner]
        return self.folded(Sum(tuple(flat)))

    def product(self) -> Node:
        factors = [(1, self.unary())]
        while sign := self.take("*", "/"):
            factors.append((1 if sign == "*" else -1, self.unary()))
        if len(factors) == 1:
            return factors[0][1]
        flat: list[tuple[int, Node]] = []
        negative = False
        for power, factor in factors:
            if isinstance(factor, Sum) and len(factor.terms) == 1 and factor.terms[0][0] < 0:
                negative, factor = not negative, factor.terms[0][1]
            elif isinstance(factor, Number) and factor.value <= 0:
                negative, factor = not negative, Number(-factor.value)
                if not factor.value:
                    self.refuse("a product with the number 0 is 0 or nothing")
            inner = factor.factors if isinstance(factor, Product) else ((1, factor),)
            flat += [(power * own, node) for own, node in inner]
        node = self.folded(Product(tuple(flat)))
        return self.folded(Sum(((-1, node),))) if negative else node

    def unary(self) -> Node:
        self.deeper()
        if sign := self.take("+", "-"):
            node = self.unary()
            if sign == "-":
                node = node.terms[0][1] if _is_negated(node) else self.folded(Sum(((-1, node),)))  # type: ignore[union-attr]
        else:
            node = self.power()
        self.depth -= 1
        return node

    def power(self) -> Node:
        base = self.atom()
        return self.folded(Power(base, self.unary())) if self.take("**") else base

    def atom(self) -> Node:
        kind, token = self.kind, self.token
        if kind == "number":
            return self.number()
        if kind == "name":
            return self.name()
        if self.take("("):
            node = self.sum()
            if not self.take(")"):
                self.refuse("a parenthesis is not closed")
            return node
        self.refuse(f"a name or a number is missing before {token!r}" if token else "it ends in the middle")

    def number(self) -> Node:
        value = float(self.token)
        if not math.isfinite(value):
            self.refuse(f"the number {self.token} is too large")
        self.step()
        return Number(value)

    def name(self) -> Node:
        name = self.token
        if name in FUNCTIONS:
            self.step()
            if not self.take("("):
                self.refuse(f"{name} needs its argument in parentheses")
            node = self.sum()
            if not self.take(")"):
                self.refuse("a parenthesis is not closed")
            return self.folded(Call(name, node))
        taken = name in RESERVED or name.startswith(_RESERVED_STARTS)
        if taken or "__" in name or name.startswith("_") or keyword.iskeyword(name) or len(name) > _MAX_NAME:
            self.refuse(f"the name {name!r} is reserved or too long; choose another name")
        self.step()
        if self.kind == "sign" and self.token == "(":
            self.refuse(f"{name}( ) is not a function of a law; the functions are {' and '.join(FUNCTIONS)}")
        return Name(name)

    def deeper(self) -> None:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            self.refuse(f"it is nested more than {_MAX_DEPTH} deep")

    def folded(self, node: Node) -> Node:
        """Return a number for an operation on numbers; refuse it if its value is not a finite number."""
        parts = children(node)
        numbers = [part.value for part in parts if isinstance(part, Number)]
        if len(numbers) < len(parts):
            return node
        try:
            value = _computed(node, numbers)
        except (OverflowError, ValueError, ZeroDivisionError):
            value = math.nan
        if not math.isfinite(value):
            self.refuse(f"{written(node)} is not a finite number")
        return Number(value)


def _is_negated(node: Node) -> bool:
    return isinstance(node, Sum) and len(node.terms) == 1


def _computed(node: Node, numbers: list[float]) -> float:
    match node:
        case Sum(terms):
            return sum(sign * number for (sign, _), number in zip(terms, numbers, strict=True))
        case Product(factors):
            return math.prod(n if power > 0 else 1 / n for (power, _), n in zip(factors, numbers, strict=True))
        case Power():
            return math.pow(*numbers)
    assert isinstance(node, Call)
    return math.exp(numbers[0]) if node.function == "exp" else math.log(numbers[0])
