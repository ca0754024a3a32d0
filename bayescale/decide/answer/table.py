"""`answer`: the table of choices: each plan, what it spends, what the draws say about it, and the warnings that affect it."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ...errors import InputError
from ..plans.risk import Risk, mean
from ..problem.open import Problem
from ..question.request import UNITS
from .chosen import Chosen
from .forecasts import bands_of
from .row import row_of
from .warnings import choice_warning, count_warning, served

_KINDS = ("loss", "expected")
_EDGES = ("median", "lower", "upper")


def answer(
    problem: Problem, chosen: Sequence[Chosen], *, risk: str, measure: Risk | None, refused: Sequence[str] = ()
) -> pd.DataFrame:
    """Return one row per choice; see `allocate` for the columns.

    A choice too far from the runs is left out, as are those already `refused`; the warning of the last row says why. InputError if none is
    left.
    """
    kept, why_not = [], list(refused)
    for one in chosen:
        row = row_of(problem, one, risk, measure or mean())
        why = _refused(problem, one, row)
        if why:
            why_not.append(why)
        else:
            kept.append((one, row))
    if not kept:
        raise InputError(why_not[0])
    table = pd.DataFrame([row for _, row in kept])
    summary = _bands(problem, [one for one, _ in kept], table)
    names = [f"{kind}_{edge}" for kind in _KINDS for edge in _EDGES]
    own, without = table.pop("said").tolist(), table.pop("without_suites").tolist()
    own[-1] = " ".join(filter(None, [own[-1], *why_not]))
    table = table.join(summary[[*names, "probability", "extrapolation_decades"]])
    counted = count_warning(problem.fits)
    said = [choice_warning(problem.fits, row, counted) for _, row in summary.iterrows()]
    table = table.assign(warning=[" ".join(filter(None, texts)) for texts in zip(own, said, strict=True)])
    # How many times as wide the interval of params would be, and as large its middle, for each row.
    table.attrs["without_suites"] = without
    return table


def _refused(problem: Problem, one: Chosen, row: dict[str, object]) -> str:
    """Return why a plan lies too far beyond the runs, or an empty string."""
    inputs = {} if one.shapes is None else {name: float(v[one.shape]) for name, v in one.shapes.inputs.items()}
    why = problem.too_far(one.params, float(np.exp(one.choice.log_tokens)), one.pool, **inputs)
    return served(problem.request, row) + why if why else ""


def _bands(problem: Problem, chosen: Sequence[Chosen], table: pd.DataFrame) -> pd.DataFrame:
    """Bands of the plans of a table."""
    names = [_name(row) for _, row in table.iterrows()]
    pools = [problem.request.limits.unique_tokens if one.pool is None else one.pool for one in chosen]
    listed = problem.shapes.inputs if problem.shapes is not None else ()
    inputs = {name: [float(one.shapes.inputs[name][one.shape]) for one in chosen if one.shapes] for name in listed}
    return bands_of(problem, table, names, pools=pools, inputs=inputs)


def _name(row: pd.Series) -> str:
    if row["budget_unit"] == "days":
        return f"of the deadline ({row['train_flops']:.3g} FLOP)"
    amount = row["budget"] if row["budget"] > 0 else row["risk_value"]
    return f"of {amount:.6g} {UNITS[row['budget_unit']]}"
