"""`answer`: the table that choices come out as: each plan, what it spends, what the draws say of it, and the warnings that bear on it."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ...errors import InputError
from ...forecasts import bands
from ...forecasts.forecast import forecast_fits
from ..plans.risk import Risk, mean
from ..problem.checks import most_compute, most_outside, too_far
from ..problem.open import Problem
from ..question.request import UNITS
from .chosen import Chosen
from .row import row_of
from .warnings import choice_warning, count_warning, served

_KINDS = ("loss", "expected")
_EDGES = ("median", "lower", "upper")


def answer(problem: Problem, chosen: Sequence[Chosen], *, risk: str, measure: Risk | None) -> pd.DataFrame:
    """Return one row per choice; see `allocate` for the columns.

    A choice too far from the runs is left out, and the last of those that are answered says so; InputError where none is left.
    """
    kept, refused = [], []
    for one in chosen:
        row = row_of(problem, one, risk, measure or mean())
        why = _refused(problem, one, row)
        if why:
            refused.append(why)
        else:
            kept.append((one, row))
    if not kept:
        raise InputError(refused[0])
    table = pd.DataFrame([row for _, row in kept])
    summary = _forecast(problem, [one for one, _ in kept], table)
    names = [f"{kind}_{edge}" for kind in _KINDS for edge in _EDGES]
    own = table.pop("said").tolist()
    own[-1] = " ".join(filter(None, [own[-1], *refused]))
    table = table.join(summary[[*names, "probability", "extrapolation_decades"]])
    counted = count_warning(problem.fits)
    said = [choice_warning(problem.fits, row, counted) for _, row in summary.iterrows()]
    return table.assign(warning=[" ".join(filter(None, texts)) for texts in zip(own, said, strict=True)])


def _refused(problem: Problem, one: Chosen, row: dict[str, object]) -> str:
    """Say why a plan lies too far from the runs in tokens per parameter or epochs; an empty text where it does not."""
    pool = one.pool or problem.request.limits.unique_tokens
    why = too_far(
        problem.fits, one.params, float(np.exp(one.choice.log_tokens)), pool, problem.request.rules.max_extrapolation
    )
    return served(problem.request, row) + why if why else ""


def _forecast(problem: Problem, chosen: Sequence[Chosen], table: pd.DataFrame) -> pd.DataFrame:
    """Bands of the plans of a table."""
    request, spec = problem.request, problem.fits[0].spec
    plans = table[["params", "tokens"]].rename(columns=spec.inputs)
    plans = plans.assign(run=[_name(row) for _, row in table.iterrows()], **dict(request.at))
    pools = [one.pool or request.limits.unique_tokens for one in chosen]
    if None not in pools:
        plans["unique_tokens"] = pools
    for name in problem.shapes.inputs if problem.shapes is not None else ():
        plans[spec.inputs.get(name, name)] = [one.shapes.inputs[name][one.shape] for one in chosen if one.shapes]
    most = request.rules.max_extrapolation
    loss = forecast_fits(
        problem.fits,
        plans,
        drift=request.rules.drift,
        max_extrapolation=max(most_compute(most), most_outside(most)),
        random_seed=request.random_seed,
    )
    return bands(loss, prob=request.prob).reset_index(drop=True)


def _name(row: pd.Series) -> str:
    if row["budget_unit"] == "days":
        return f"of the deadline ({row['train_flops']:.3g} FLOP)"
    amount = row["budget"] if row["budget"] > 0 else row["risk_value"]
    return f"of {amount:.6g} {UNITS[row['budget_unit']]}"
