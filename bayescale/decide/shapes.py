"""Choosing among the sizes that can be trained: a list of shapes, each with its own FLOP a token where it gives them."""

from dataclasses import replace

import numpy as np
import pandas as pd

from ..errors import InputError
from .consequences import SHARES, short_of_one, some_draws
from .draws import LossDraws
from .risk import Risk
from .search import Choice, Own, best_tokens
from .spending import LOG_6, Spending

_DRAWS = 1000  # over which the best tokens of a shape are averaged, where more can do harm


def feasible_shapes(shapes: pd.DataFrame, spending: Spending) -> pd.DataFrame:
    """Rows that `max_params` allows (by `params_total` where it is given) and that the budget can pay for.

    Raises
    ------
    ValueError
        If there is none; the message names what binds and the nearest request.
    """
    counted = "params_total" if "params_total" in shapes else "params"
    small = shapes[shapes[counted] <= spending.max_params * (1 + 1e-9)]
    if not len(small):
        raise InputError(
            f"No shape fits --max-params {spending.max_params:.4g}: the smallest has {shapes[counted].min():.4g} "
            f"{counted.replace('_', ' ')}. Allow that many, or add smaller shapes."
        )
    paid = small[[np.isfinite(_most(row, spending)) for row in small.itertuples()]]
    if not len(paid):
        raise InputError(
            f"The budget (--{spending.budget}) pays for no shape: serving even {small['params'].min():.4g} params costs more. "
            "Raise the budget, lower the demand (--inference-tokens), or add smaller shapes."
        )
    return paid


def of_shape(row: object, spending: Spending) -> Spending:
    """Return the budget as one shape meets it, with its own FLOP a token."""
    spending = replace(spending, max_params=np.inf)
    flops = getattr(row, "flops_per_token", None)
    if flops is None:
        return spending
    log_params = float(np.log(row.params))  # type: ignore[attr-defined]
    return replace(spending, log_params=(log_params,), log_ratio=(float(np.log(flops)) - LOG_6 - log_params,))


def _most(row: object, spending: Spending) -> float:
    """Natural log of the most tokens of a shape; -inf where it cannot be paid for."""
    log_params = np.array([np.log(row.params)])  # type: ignore[attr-defined]
    return float(of_shape(row, spending).log_tokens(log_params)[0])


def choose_shape(
    draws: LossDraws, spending: Spending, risk: Risk, shapes: pd.DataFrame
) -> tuple[Choice, int, np.ndarray]:
    """Return the choice among shapes, its row, and the share of draws in which each shape is the best of them."""
    n, d = _own_tokens(draws, spending, shapes)
    own_loss = draws.loss(n, d)
    place, best = own_loss.argmin(axis=0), own_loss.min(axis=0)
    own = Own(n[place, 0], np.broadcast_to(d, own_loss.shape)[place, np.arange(len(place))], best)
    tokens = _tokens(draws, spending, risk, shapes)
    loss = draws.loss(n, tokens[:, None])
    values = risk(loss, best)
    chosen = int(np.argmin(values))
    shares = np.bincount(loss.argmin(axis=0), minlength=len(shapes)) / loss.shape[1]
    choice = Choice(float(n[chosen, 0]), float(tokens[chosen]), float(values[chosen]), loss[chosen], own)
    return choice, chosen, shares


def wasted_by_shape(
    draws: LossDraws, spending: Spending, shapes: pd.DataFrame, loss: np.ndarray, spent: float
) -> np.ndarray:
    """As `consequences.wasted`, each draw's own best plan being one of the shapes."""
    mask = some_draws(draws.size)
    few = draws.at(mask)
    best = []
    for share in SHARES:
        n, d = _own_tokens(few, spending.scaled(spent * share), shapes)
        best.append(np.where(np.isfinite(d), few.loss(n, np.where(np.isfinite(d), d, 0.0)), np.inf).min(axis=0))
    return short_of_one(np.array(best), loss[mask])


def flat_shapes(
    draws: LossDraws, spending: Spending, risk: Risk, shapes: pd.DataFrame, choice: Choice, spent: float, within: float
) -> tuple[float, float]:
    """Natural logs of the smallest and largest shape that reach what the best one can with (1 - within) of the spending."""
    n = np.log(shapes["params"].to_numpy(float))

    def values(amount: float) -> np.ndarray:
        d = _tokens(draws, spending.scaled(amount), risk, shapes)
        losses = draws.loss(n[:, None], np.where(np.isfinite(d), d, 0.0)[:, None])
        return np.where(np.isfinite(d), risk(losses, choice.own.loss), np.inf)

    good = n[values(spent) <= max(values(spent * (1 - within)).min(), choice.value)]
    return float(good.min(initial=choice.log_params)), float(good.max(initial=choice.log_params))


def _own_tokens(draws: LossDraws, spending: Spending, shapes: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Natural logs of the shapes' params, (shape, 1), and of the tokens that serve each draw best, (shape, draw) or (shape, 1)."""
    n = np.log(shapes["params"].to_numpy(float))[:, None]
    d = np.array([_most(row, spending) for row in shapes.itertuples()])[:, None]
    return n, draws.log_useful_tokens(n, d) if draws.rises else d


def _tokens(draws: LossDraws, spending: Spending, risk: Risk, shapes: pd.DataFrame) -> np.ndarray:
    """Natural log of the tokens that each shape is trained on; shape (shape,)."""
    if not draws.rises:
        return np.array([_most(row, spending) for row in shapes.itertuples()])
    few = draws.thinned(_DRAWS)
    best = few.loss(*_own_tokens(few, spending, shapes)).min(axis=0)
    return np.array(
        [
            best_tokens(few, of_shape(row, spending), risk, best, np.array([np.log(row.params)]))[0]  # type: ignore[arg-type]
            for row in shapes.itertuples()
        ]
    )
