"""Risks: one number for a plan from its loss in every draw; the plan with the lowest is chosen, so lower is always better.

A risk is a function ``risk(loss, best)`` of arrays with the draws on the last axis: `loss` of the plans, shape (..., draw), and `best`, the
loss of each draw's own best plan under the same budget and limits, shape (draw,), from which regrets are counted. Expected regret is not
one of them: `best` does not depend on the plan, so it gives the same choice as the mean. The largest regret is not one either, because it
grows with the number of draws.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from ...errors import InputError, named, option, suggest

Risk = Callable[..., np.ndarray]  # (loss, best)
FORMS = "mean, quantile:Q, cvar:TAIL, target, regret-quantile:Q, regret-cvar:TAIL"


def mean() -> Risk:
    """Mean loss over the draws: risk-neutral."""

    def risk(loss: np.ndarray, best: Any = None) -> np.ndarray:
        return loss.mean(axis=-1)

    return _convex(risk)


def quantile(q: float) -> Risk:
    """Quantile of the loss, q in (0, 1): with probability q the law's loss is no worse.

    Parameters
    ----------
    q : float
        Such as 0.9.

    Returns
    -------
    callable
        ``risk(loss, best)``.
    """
    _check_open("q", q)

    def risk(loss: np.ndarray, best: Any = None) -> np.ndarray:
        return np.quantile(loss, q, axis=-1)

    return risk


def cvar(tail: float) -> Risk:
    """Mean loss over the worst share `tail` of the draws, in (0, 1]; a tail of 1 gives the mean.

    Parameters
    ----------
    tail : float
        Such as 0.1: the worst tenth. (Some texts give the level 1 - tail.)

    Returns
    -------
    callable
        ``risk(loss, best)``.

    References
    ----------
    Rockafellar and Uryasev 2000, Optimization of conditional value-at-risk: min over t of t + E(loss - t)+ / tail, which the empirical
    quantile attains.
    """
    if not 0 < tail <= 1:
        raise InputError(
            f"`tail` of cvar ({option('risk')} cvar:TAIL) must be in (0, 1], the worst share of draws, e.g. 0.1. Got {tail!r}."
        )

    def risk(loss: np.ndarray, best: Any = None) -> np.ndarray:
        n = loss.shape[-1]
        place = min(max(int(np.ceil((1 - tail) * n - 1e-9)) - 1, 0), n - 1)
        edge = np.partition(loss, place, axis=-1)[..., place, None]
        return edge[..., 0] + np.maximum(loss - edge, 0).mean(axis=-1) / tail

    return _convex(risk)


def regret_quantile(q: float) -> Risk:
    """Quantile of the regret, the loss above that of the draw's own best plan; q in (0, 1)."""
    of_loss = quantile(q)
    return lambda loss, best: of_loss(loss - best)


def regret_cvar(tail: float) -> Risk:
    """Mean regret over the worst share `tail` of the draws, in (0, 1]."""
    of_loss = cvar(tail)
    return _convex(lambda loss, best: of_loss(loss - best))


def _convex(risk: Risk) -> Risk:
    """Mark a risk that is convex if the losses are, so that it has one minimum; others are searched more closely."""
    vars(risk)["convex"] = True
    return risk


def parse_risk(text: str) -> Risk | None:
    """Return the risk that a string names; None for `target`, which needs a target to become a function.

    Parameters
    ----------
    text : str
        mean, quantile:Q, cvar:TAIL, target, regret-quantile:Q or regret-cvar:TAIL.

    Returns
    -------
    callable or None
        ``risk(loss, best)``.

    Raises
    ------
    ValueError
        If the string does not name a risk, or its number is out of range.

    Examples
    --------
    >>> float(parse_risk("cvar:0.5")(np.array([1.0, 2.0, 3.0, 4.0]), None))
    3.5
    """
    name, _, value = text.strip().partition(":")
    makers: dict[str, Callable[[float], Risk]] = {
        "quantile": quantile,
        "cvar": cvar,
        "regret-quantile": regret_quantile,
        "regret-cvar": regret_cvar,
    }
    if name in ("mean", "target") and not value:
        return mean() if name == "mean" else None
    if name not in makers:
        hint = "" if name in ("mean", "target") else suggest(name, ["mean", "target", *makers])
        why = " Expected regret gives the same choice as the mean, and is always reported." if name == "regret" else ""
        raise InputError(f"{named('risk')} must be one of {FORMS}. Got '{text}'.{hint}{why}")
    try:
        number = float(value)
    except ValueError:
        form = "TAIL" if "cvar" in name else "Q"
        raise InputError(f"{named('risk')} takes {name}:{form} with a number, e.g. {name}:0.1. Got '{text}'.") from None
    return makers[name](number)


def _check_open(name: str, value: float) -> None:
    if not 0 < value < 1:
        raise InputError(
            f"`{name}` of quantile ({option('risk')} quantile:{name.upper()}) must be in (0, 1), e.g. 0.9. Got {value!r}."
        )
