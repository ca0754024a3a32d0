"""Decide with the laws of an average that hold where the plan lies."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pandas as pd

from ...posterior import Fit, has_say, without_say
from ..question.request import Request
from .open import Problem, problem_of


def decide_where_laws_hold(
    fits: Sequence[Fit], request: Request, decide: Callable[[Problem], pd.DataFrame], row: str | None = None
) -> pd.DataFrame:
    """Decide with all fits; if one of them has no say on a plan of the answer, decide again without it.

    A law that describes the neighbourhood of the optimum alone would otherwise rule out plans that were never near it, such as those of a
    model that is served much.

    Parameters
    ----------
    fits : sequence of Fit
        One, or those of an average.
    request : Request
        The question.
    decide : callable
        From the problem to a table with `params`, `tokens` and `warning`.
    row : str, optional
        Name of the only row whose plan matters.

    Returns
    -------
    pandas.DataFrame
        The table of the decision, whose warnings name the laws that had no say.
    """
    problem = problem_of(fits, request)
    table = decide(problem)
    if len(problem.fits) < len(fits):
        used = {fit.name for fit in problem.fits}
        others = ", ".join(fit.name for fit in fits if fit.name not in used)
        said = f"Decided without {others}: the published decay of repeats does not apply to it."
        return table.assign(warning=[f"{said} {text}".strip() for text in table["warning"]])
    plans = table if row is None else table.loc[[row]]
    ratio = (plans["tokens"] / plans["params"]).to_numpy(float)
    kept = [fit for fit in fits if has_say(fit, ratio).all()]
    if not kept or len(kept) == len(fits):
        return table
    silent = [fit for fit in fits if not has_say(fit, ratio).all()]
    total = sum(fit.weight for fit in kept)
    attrs = table.attrs
    table = decide(problem_of([replace(fit, weight=fit.weight / total) for fit in kept], request))
    table.attrs.update({name: value for name, value in attrs.items() if name not in table.attrs})
    notes = []
    for name, at in (table["tokens"] / table["params"]).items():
        own = [without_say(fit, float(at)) for fit in silent if not has_say(fit, at)] if row in (None, name) else []
        left = (
            []
            if own or row is not None
            else [f"Decided without {', '.join(fit.name for fit in silent)}, as its other plans are."]
        )
        notes.append(" ".join([*own, *left]))
    return table.assign(warning=[f"{one} {text}".strip() for one, text in zip(notes, table["warning"], strict=True)])
