"""Checks of an estimated floor: a hair under the last runs, or so far below them that no run shows it."""

from typing import Any

import numpy as np
import xarray as xr

from ...spec.data import law_loss
from ...spec.spec import ModelSpec
from .residuals import few_draws
from .verdict import verdict

_HAIR = 0.02  # of the best run's response that is above the floor
_PLATEAU = np.log(2)  # of reach, over which runs must lie as near to the floor to show a plateau
_BROKEN = "bnsl"
_NEAR = 0.5  # share of the best run's response that is the floor


def floor_checks(idata: xr.DataTree, spec: ModelSpec) -> list[dict[str, Any]]:
    """Return `floor_reached` and `floor_in_sight` of a law with a floor E, and the first of a falling curve with a limit a."""
    law, data = spec.get_law(), idata["constant_data"]
    rises = {**law.options, **spec.options}.get("direction") == "rising"  # from E, which no run need be near
    floor_name = "a" if law.name == _BROKEN else "E"
    if not law.gives_loss or rises or spec.noise.link != "log" or floor_name not in law.loss_constants:
        return []
    draws = few_draws(idata, spec)
    floor = draws[floor_name]
    if not bool((floor > 0).all()):  # a law without one
        return []
    inputs = {name: data[name] for name in law.inputs}
    share = (floor / law_loss(spec, draws, inputs)).median(("chain", "draw"), skipna=False).to_numpy()
    log_reach = np.log(law.reach(**{name: value.to_numpy() for name, value in inputs.items()}))
    if floor_name == "a" and share.argmax() != log_reach.argmax():  # a curve that rises, or has turned
        return []
    best = float(share.max())
    near = share > 1 - _HAIR
    plateau = float(np.ptp(log_reach[near])) > _PLATEAU if near.any() else False
    without = (
        " For a response that has no floor, fit without one (--option floor=false)." if "floor" in law.options else ""
    )
    reached = verdict(
        "floor_reached",
        0.0 if plateau else best,
        1 - _HAIR,
        "at most",
        f"The estimated floor {floor_name} lies {1 - best:.1%} under the best run, and hardly any other run is as near: the forecast "
        "beyond the runs is flat because of it. A schedule that decays to zero leaves such an end; longer runs would show whether it is "
        "a floor.",
        bears_on=("forecast",),
    )
    if floor_name == "a":  # whose prior leaves open whether there is one
        return [reached]
    return [
        reached,
        verdict(
            "floor_in_sight",
            best,
            _NEAR,
            "at least",
            f"No run is near its floor: of the best run's {spec.response}, E is {best:.0%}, so E comes from the prior more than from the "
            f"runs, and with it how fast the law still falls. Add larger or longer runs.{without}",
            bears_on=("forecast",),
        ),
    ]
