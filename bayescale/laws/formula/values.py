"""The value of a formula for floats, NumPy, xarray and PyTensor: positive products and powers are sums of logs, as in the built-in laws."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .parse import Call, Name, Node, Number, Power, Product, Sum


@dataclass(frozen=True)
class Values:
    """Values of names.

    Attributes
    ----------
    of : mapping of str to number or array
        Value of each name.
    logs : mapping of str to number or array
        Natural logs of some names, to be taken only once.
    positive : frozenset of str
        Names that are positive by their role.
    """

    of: Mapping[str, Any]
    logs: Mapping[str, Any]
    positive: frozenset[str]


def is_positive(node: Node, names: frozenset[str]) -> bool:
    """Whether a formula is positive whatever the values of these positive names."""
    match node:
        case Number(value):
            return value > 0
        case Name(name):
            return name in names
        case Sum(terms):
            return all(sign > 0 and is_positive(term, names) for sign, term in terms)
        case Product(factors):
            return all(is_positive(factor, names) for _, factor in factors)
        case Power(base, _):
            return is_positive(base, names)
    assert isinstance(node, Call)
    return node.function == "exp"


def value(node: Node, values: Values) -> Any:
    """Return the value of a formula; NaN or infinite where it has none."""
    match node:
        case Number(number):
            return number
        case Name(name):
            return values.of[name]
        case Sum(terms):
            parts = [value(term, values) if sign > 0 else -value(term, values) for sign, term in terms]
            total = parts[0]
            for part in parts[1:]:
                total = total + part
            return total
        case Call(function, argument):
            return np.exp(value(argument, values)) if function == "exp" else log_value(argument, values)
    if is_positive(node, values.positive):
        return np.exp(log_value(node, values))
    if isinstance(node, Power):
        return value(node.base, values) ** value(node.exponent, values)
    assert isinstance(node, Product)
    positive = tuple((power, one) for power, one in node.factors if is_positive(one, values.positive))
    found = np.exp(log_value(Product(positive), values)) if positive else 1.0
    for power, one in node.factors:
        if not is_positive(one, values.positive):
            found = found * value(one, values) if power > 0 else found / value(one, values)
    return found


def log_value(node: Node, values: Values) -> Any:
    """Return the natural log of a formula, without forming large powers of positive numbers."""
    match node:
        case Number(number):
            return math.log(number) if number > 0 else math.nan
        case Name(name):
            return values.logs[name] if name in values.logs else np.log(values.of[name])
    if not is_positive(node, values.positive) or isinstance(node, Sum):
        return np.log(value(node, values))
    match node:
        case Product(factors):
            total: Any = 0.0
            for power, one in factors:
                total = total + log_value(one, values) if power > 0 else total - log_value(one, values)
            return total
        case Power(base, exponent):
            return value(exponent, values) * log_value(base, values)
    assert isinstance(node, Call)
    return value(node.argument, values)
