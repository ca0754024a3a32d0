"""Check whether prior and runs agree."""

from typing import Any

import xarray as xr

from ..store import fitted_spec
from .names import printed
from .verdict import verdict

_PRIOR_TAIL = 0.05


def prior_checks(idata: xr.DataTree) -> list[dict[str, Any]]:
    """Return the check `prior_conflict`, which names the parameters for which prior and runs disagree."""
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
    return [
        verdict(
            "prior_conflict",
            float(len(conflict)),
            0,
            "at most",
            f"Runs and prior disagree on {', '.join(printed(spec, name, data) for name in conflict)}. First look for "
            "wrong rows, then at the prior in the model file.",
        )
    ]


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
