"""A `Law` from a formula: its constants follow from what is sampled and the middle of the runs."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from inspect import Parameter, Signature
from typing import Any

import numpy as np

from ...errors import InputError
from ..chinchilla import compute_saved, exponents, optimum, params_exponent
from ..law import Law, Sizing, compute, log_means
from .parse import Call, Name, Node, Power, Product, Sum, children, is_formula, names_in, parse_formula, renamed
from .roles import EXPONENT, MIDDLE, OTHER, POWER, Roles, base_of, find_roles, is_constant, is_pure, needs_prior
from .values import Values, is_positive, log_value, value

__all__ = ["SHORT", "formula_law", "formula_names", "formula_roles", "is_formula"]

SHORT = {"N": "params", "D": "tokens"}  # as papers write them
_AMBIGUOUS = "C"  # compute, or a constant
_SCALES = (
    "flops",
    "tokens",
    "steps",
    "params",
)  # inputs along which extrapolation is counted, the first that a law takes
_NEAR_RUNS = Sizing(ratio_decades=2.0)


def formula_names(text: str, inputs: tuple[str, ...] = ()) -> list[str]:
    """Return the names of a formula, each once; N and D are params and tokens unless they are given as inputs."""
    return list(dict.fromkeys(names_in(_read(text, inputs))))


def formula_roles(text: str, inputs: tuple[str, ...], own: frozenset[str] = frozenset()) -> Roles:
    """Return the roles of a formula's parameters; see `find_roles`."""
    return find_roles(_read(text, inputs), frozenset(inputs), own)


@lru_cache(maxsize=64)
def formula_law(
    text: str, inputs: tuple[str, ...], own: frozenset[str] = frozenset(), signed: frozenset[str] = frozenset()
) -> Law:
    """Return the law of a formula.

    Parameters
    ----------
    text : str
        The formula; see `parse_formula`.
    inputs : tuple of str
        Names that are inputs; all others are parameters.
    own : frozenset of str
        Parameters that are sampled as they are.
    signed : frozenset of str
        Those of them that may be negative.

    Returns
    -------
    Law
        Named by the formula itself.

    Raises
    ------
    ValueError
        In one line, if the text is not a formula or its parameters cannot be learnt.

    Examples
    --------
    >>> formula_law("E + A * tokens**-alpha", ("tokens",)).sampled
    ('middle', 'ratio_A', 'log_alpha')
    """
    node = _read(text, inputs)
    taken = tuple(name for name in dict.fromkeys(names_in(node)) if name in inputs)
    roles = find_roles(node, frozenset(taken), own)
    for name, role in roles.of.items():
        if role == OTHER and name not in own:
            raise InputError(needs_prior(name, f"in '{text}' neither a floor, a factor of a term nor an exponent"))
    if not roles.of:
        raise InputError(
            f"The law '{text}' has no parameter to learn: all its names are inputs. Add one, such as an amplitude."
        )
    shape = _Shape(node, taken, roles, own, signed)
    closed = shape.additive_terms()
    return Law(
        name=text,
        inputs=taken,
        sampled=shape.sampled,
        loss=shape.loss(),
        anchors=log_means(*taken),
        constants=shape.constants if closed is None else _with_exponent(shape, closed),
        reach=_reach(taken),
        level=MIDDLE if roles.has_middle else "",
        sizing=_NEAR_RUNS if closed is None else _closed_forms(shape, closed),
        partial=not is_positive(node, shape.positive),
    )


def _read(text: str, inputs: tuple[str, ...]) -> Node:
    node = parse_formula(text)
    used = set(names_in(node))
    if _AMBIGUOUS in used and _AMBIGUOUS not in inputs:
        raise InputError(
            f"The name {_AMBIGUOUS} of the law '{text}' may be compute or a constant: write flops for compute, another name for a constant."
        )
    short = {short: full for short, full in SHORT.items() if short in used and short not in inputs}
    for name, full in short.items():
        if full in used:
            raise InputError(f"The law '{text}' has {name} and {full}, which are the same input: write one of them.")
    return renamed(node, short) if short else node


class _Shape:
    """A formula with the roles of its parameters."""

    def __init__(
        self, node: Node, inputs: tuple[str, ...], roles: Roles, own: frozenset[str], signed: frozenset[str]
    ) -> None:
        self.node, self.inputs, self.roles, self.own = node, inputs, roles, own
        self.names = frozenset(inputs)
        self.positive = frozenset({*inputs, *roles.of} - signed)
        rest = [
            name if name in own else f"log_{name}"
            for name, role in roles.of.items()
            if name in own or role in (EXPONENT, POWER)
        ]
        middle = [MIDDLE] if roles.has_middle else []
        self.sampled = (*middle, *(f"ratio_{name}" for name in roles.ratios), *rest)

    def loss(self) -> Callable[..., Any]:
        """Return the law as a function with named arguments."""

        def loss(**values: Any) -> Any:
            return self._value(self.node, values, {})

        both = (*self.inputs, *self.roles.of)
        loss.__signature__ = Signature([Parameter(name, Parameter.KEYWORD_ONLY) for name in both])  # type: ignore[attr-defined]
        return loss

    def _value(self, node: Node, values: Mapping[str, Any], logs: Mapping[str, Any]) -> Any:
        exact = {name: np.float64(one) if isinstance(one, int | float) else one for name, one in values.items()}
        with np.errstate(all="ignore"):
            logs = logs or {name: np.log(exact[name]) for name in self.inputs}
            return value(node, Values(exact, logs, self.positive))

    def constants(self, sampled: Mapping[str, Any], anchors: Mapping[str, Any]) -> dict[str, Any]:
        """Return the formula's parameters from what is sampled."""
        with np.errstate(all="ignore"):
            logs = {name: anchors[f"log_{name}_mean"] for name in self.inputs}
            of = {name: np.exp(log) for name, log in logs.items()}
            for name, role in self.roles.of.items():
                if name in self.own:
                    of[name] = sampled[name]
                elif role in (EXPONENT, POWER):
                    logs[name] = sampled[f"log_{name}"]
                    of[name] = np.exp(logs[name])
            spread = _Spread(self, Values(of, logs, self.positive), of, logs, sampled)
            spread.over(self.node, np.log(sampled[MIDDLE]) if self.roles.has_middle else None)
        return {name: of[name] for name in self.roles.of}

    def additive_terms(self) -> tuple[Callable[..., Any], Callable[..., Any]] | None:
        """Return size and exponent of the terms of params and of tokens, for E + A / params^alpha + B / tokens^beta; None for others."""
        if set(self.inputs) != {"params", "tokens"} or not isinstance(self.node, Sum):
            return None
        terms = [(sign, term) for sign, term in self.node.terms if not is_constant(term, self.names)]
        by = {names: term for _, term in terms if len(names := frozenset(names_in(term)) & self.names) == 1}
        pure = all(sign > 0 and is_pure(term, self.names) for sign, term in self.node.terms)
        if not pure or len(terms) != 2 or len(by) != 2 or len(self.node.terms) != 3:
            return None
        ones = dict.fromkeys(self.roles.of, 1.0)
        found = [self._power_of(by[frozenset({name})], name) for name in ("params", "tokens")]
        return (found[0], found[1]) if all(one(**ones)[1] > 0 for one in found) else None

    def floor_of(self, constants: Mapping[str, Any]) -> Any:
        """Return the floor of an additive law."""
        assert isinstance(self.node, Sum)
        floor = next(term for _, term in self.node.terms if is_constant(term, self.names))
        return value(floor, Values(constants, {}, self.positive))

    def _power_of(self, term: Node, name: str) -> Callable[..., Any]:
        """Return a function of the constants for A and alpha of a term A x^-alpha."""

        def power_of(**constants: Any) -> tuple[Any, Any]:
            with np.errstate(all="ignore"):
                at = [
                    log_value(term, Values({**constants, name: np.exp(x)}, {name: x}, self.positive))
                    for x in (0.0, 1.0)
                ]
            return np.exp(at[0]), at[0] - at[1]

        return power_of


class _Spread:
    """The size of the law in the middle of the runs, shared out among its terms down to their amplitudes."""

    def __init__(
        self, shape: _Shape, values: Values, of: dict[str, Any], logs: dict[str, Any], sampled: Mapping[str, Any]
    ) -> None:
        self.shape, self.values, self.of, self.logs, self.sampled = shape, values, of, logs, sampled

    def is_known(self, node: Node) -> bool:
        return all(name in self.of for name in names_in(node))

    def over(self, node: Node, log_size: Any) -> None:
        """Find the constants of a formula with this log of its value; None for one whose value follows from its parts."""
        if self.is_known(node):
            return
        match node:
            case Name(name):
                self.logs[name], self.of[name] = log_size, np.exp(log_size)
            case Product(factors):
                self._over_product(factors, log_size)
            case Power(base, exponent):
                known = log_size is not None
                self.over(base, log_size / value(exponent, self.values) if known else None)
            case Sum(terms):
                self._over_sum(terms, log_size)
            case Call():
                for part in children(node):
                    self.over(part, None)

    def _over_product(self, factors: tuple[tuple[int, Node], ...], log_size: Any) -> None:
        free = [(power, one) for power, one in factors if not self.is_known(one) and self._is_sized(one)]
        for _, one in factors:
            if not free or one is not free[0][1]:
                self.over(one, None)
        if not free or log_size is None:
            return
        power, last = free[0]
        rest = tuple((p, one) for p, one in factors if one is not last)
        left = log_size - log_value(Product(rest), self.values) if rest else log_size
        self.over(last, left if power > 0 else -left)

    def _is_sized(self, node: Node) -> bool:
        """Whether amplitudes give a formula any size: as in `is_free` of the roles."""
        match node:
            case Sum(terms):
                return all(self._is_sized(term) for _, term in terms)
            case Product(factors):
                return any(self._is_sized(one) for _, one in factors)
            case Power(base, _):
                return self._is_sized(base)
        return isinstance(node, Name) and node.name not in self.of

    def _over_sum(self, terms: tuple[tuple[int, Node], ...], log_size: Any) -> None:
        for _, term in terms:
            if not self._is_sized(term):
                self.over(term, None)
        free = [i for i, (_, term) in enumerate(terms) if not self.is_known(term)]
        if len(free) < len(terms):  # the terms of a known floor
            base = next(
                i for i, (s, t) in enumerate(terms) if i not in free and s > 0 and is_constant(t, self.shape.names)
            )
            log_base = log_value(terms[base][1], self.values)
            for i in free:
                self.over(terms[i][1], log_base + self._ratio(terms[i][1]))
            return
        base = base_of(terms, self.shape.names)
        ratios = {i: self._ratio(terms[i][1]) for i in free if i != base}
        added: Any = sum((np.exp(u) for i, u in ratios.items() if terms[i][0] > 0), 0.0)
        taken: Any = sum((np.exp(u) for i, u in ratios.items() if terms[i][0] < 0), 0.0)
        log_base = log_size + np.log1p(taken) - np.log1p(added)
        self.over(terms[base][1], log_base)
        for i, u in ratios.items():
            # What is subtracted is relative to the difference, so that no draw makes it negative there.
            self.over(terms[i][1], (log_base if terms[i][0] > 0 else log_size) + u)

    def _ratio(self, term: Node) -> Any:
        return self.sampled[f"ratio_{next(name for name in names_in(term) if name in self.shape.roles.ratios)}"]


def _reach(inputs: tuple[str, ...]) -> Callable[..., Any]:
    if {"params", "tokens"} <= set(inputs):
        return lambda params, tokens, **_: compute(params, tokens)
    along = next((name for name in _SCALES if name in inputs), inputs[0])
    return lambda **values: values[along]


def _with_exponent(
    shape: _Shape, terms: tuple[Callable[..., Any], Callable[..., Any]]
) -> Callable[..., dict[str, Any]]:
    def constants(sampled: Mapping[str, Any], anchors: Mapping[str, Any]) -> dict[str, Any]:
        found = shape.constants(sampled, anchors)
        alpha, beta = (term(**found)[1] for term in terms)
        return {**found, "params_exponent": params_exponent(alpha=alpha, beta=beta)}

    return constants


def _exponents(constants: Mapping[str, Any]) -> tuple[Any, Any]:
    return exponents(alpha=constants["alpha"], beta=constants["beta"])


def _closed_forms(shape: _Shape, terms: tuple[Callable[..., Any], Callable[..., Any]]) -> Sizing:
    """Return the closed forms of Chinchilla's law for a formula of its shape, whatever its names."""

    def own(constants: Mapping[str, Any]) -> dict[str, Any]:
        (A, alpha), (B, beta) = (term(**constants) for term in terms)
        floor = shape.floor_of(constants)
        return {"E": floor, "A": A, "alpha": alpha, "B": B, "beta": beta}

    return Sizing(
        optimum=lambda flops, **constants: optimum(flops, **own(constants)),
        compute_saved=lambda loss, best_loss, **constants: compute_saved(loss, best_loss, **own(constants)),
        exponents=lambda **constants: _exponents(own(constants)),
    )
