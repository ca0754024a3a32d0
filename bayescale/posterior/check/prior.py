"""Check whether prior and runs agree."""

from typing import Any

import numpy as np
import xarray as xr

from ...errors import given
from ...laws.distance import LN_10
from ...spec.learnt import BEYOND, best_ratio, ratio_prior, usual_range
from ...spec.prior import Prior
from ...spec.spec import ModelSpec
from ..store import fitted_spec
from .names import printed
from .verdict import verdict

_PRIOR_TAIL = 0.05


def prior_checks(idata: xr.DataTree) -> list[dict[str, Any]]:
    """Return `prior_conflict`, which names the parameters for which prior and runs disagree, and `usual_ratio` where it counts."""
    spec = fitted_spec(idata)
    data = idata["constant_data"].to_dataset()
    ratio = ratio_prior(spec.get_learnt(), {name: data[column] for name, column in spec.inputs.items()})
    return [_conflict(idata), *([] if ratio is None else [_usual_ratio(idata, spec, ratio)])]


def _usual_ratio(idata: xr.DataTree, spec: ModelSpec, ratio: Prior) -> dict[str, Any]:
    """Check whether the best tokens per parameter beyond the runs are like those of public suites, which the prior leans to."""
    from scipy.special import stdtr

    law, draws = spec.get_law(), idata["posterior"].to_dataset()
    constants = {name: draws[name].to_numpy().ravel() for name in law.loss_constants}
    reach = float(idata["constant_data"]["log_reach_max"])
    best = np.broadcast_to(best_ratio(law, constants, reach + BEYOND * LN_10), (draws["sigma"].size,))
    mu, sd, nu = (ratio.numbers[name] for name in ("mu", "sigma", "nu"))
    low, middle, high = np.exp(np.quantile(best, [_PRIOR_TAIL, 0.5, 1 - _PRIOR_TAIL]))
    below = float(stdtr(nu, (np.log(middle) - mu) / sd))
    least, _, most = usual_range(ratio, _PRIOR_TAIL)
    return verdict(
        "usual_ratio",
        min(below, 1 - below),
        _PRIOR_TAIL,
        "at least",
        f"{BEYOND:g} decades of compute beyond these runs, {middle:.3g} tokens per parameter (90% from {low:.3g} to {high:.3g}) would be "
        f"best. Public suites have {least:.2g} to {most:.2g}, and the prior leans towards these. First look for wrong rows and units of "
        f"params and tokens; {given(priors='vague')} leaves public suites out.",
        bears_on=("choice",),
    )


def _conflict(idata: xr.DataTree) -> dict[str, Any]:
    spec, data = fitted_spec(idata), idata["constant_data"].to_dataset()
    names = [*spec.priors, "sigma"]
    # Power-scaling flags any parameter that prior and runs both inform: with few runs, all of them. In a conflict that matters, the
    # posterior also lies in a tail of the prior, which is looked at first, since ArviZ takes a second to import.
    # Runs that disagree with what other suites told give it up by themselves, so there the model's own prior must be against them too.
    middle = {name: float(idata["posterior"][name].median()) for name in names}
    extreme = [name for name in names if _in_tail(float((idata["prior"][name] < middle[name]).mean()))]
    if learnt := spec.get_learnt():
        others = ("sigma", spec.get_law().level)
        extreme = [name for name in extreme if name in others or _in_tail(learnt.own_below(name, middle[name]))]
    conflict = [name for name in extreme if name in _flagged(idata, extreme)]
    return verdict(
        "prior_conflict",
        float(len(conflict)),
        0,
        "at most",
        f"Runs and prior disagree on {', '.join(printed(spec, name, data) for name in conflict)}. First look for "
        "wrong rows, then at the prior in the model file.",
    )


def _in_tail(below: float) -> bool:
    return not _PRIOR_TAIL < below < 1 - _PRIOR_TAIL


def _flagged(idata: xr.DataTree, names: list[str]) -> set[str]:
    """Return the parameters that power-scaling flags; none if a failed sampler left too few different draws to weigh."""
    import arviz_stats as azs

    try:
        table = azs.psense_summary(idata, var_names=names)
    except ValueError:  # the largest weights are all those of one draw
        return set()
    return {str(name) for name in table.index[table["diagnosis"].str.contains("conflict")]}
