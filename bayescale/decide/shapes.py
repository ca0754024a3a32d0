"""Choosing among the sizes that can be trained: a list of shapes, each with its own FLOP a token where it gives them."""

from dataclasses import replace

import numpy as np
import pandas as pd

from .draws import LossDraws
from .risk import Risk
from .search import Choice, Own, best_tokens
from .spending import LOG_6, Spending


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
        raise ValueError(
            f"No shape fits --max-params {spending.max_params:.4g}: the smallest has {shapes[counted].min():.4g} "
            f"{counted.replace('_', ' ')}. Allow that many, or add smaller shapes."
        )
    paid = small[[np.isfinite(_most(row, spending)) for row in small.itertuples()]]
    if not len(paid):
        raise ValueError(
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
    rows = list(shapes.itertuples())
    n = np.log(shapes["params"].to_numpy(float))
    d = np.array([_most(row, spending) for row in rows])
    own_d = draws.log_useful_tokens(n[:, None], d[:, None]) if draws.rises else d[:, None]
    own_loss = draws.loss(n[:, None], own_d)
    place = own_loss.argmin(axis=0)
    best = own_loss.min(axis=0)
    own = Own(n[place], np.broadcast_to(own_d, own_loss.shape)[place, np.arange(len(place))], best)
    if draws.rises:
        few = draws.thinned(1000)
        few_best = few.loss(n[:, None], few.log_useful_tokens(n[:, None], d[:, None])).min(axis=0)
        d = np.array(
            [
                best_tokens(few, of_shape(row, spending), risk, few_best, np.array([log_params]))[0]
                for row, log_params in zip(rows, n, strict=True)
            ]
        )
    loss = draws.loss(n[:, None], d[:, None])
    values = risk(loss, best)
    chosen = int(np.argmin(values))
    shares = np.bincount(loss.argmin(axis=0), minlength=len(rows)) / loss.shape[1]
    return Choice(float(n[chosen]), float(d[chosen]), float(values[chosen]), loss[chosen], own), chosen, shares
