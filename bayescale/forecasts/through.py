"""Forecasts through a second fit: its response is an input of the first, such as the loss for a law for accuracy."""

import json
from collections.abc import Mapping

import numpy as np
import xarray as xr

from ..errors import InputError
from ..posterior import Fit
from ..spec.spec import ModelSpec
from .averaged import first_said


def check_link(fit: Fit, upstream: Fit) -> None:
    """Raise if the response of one fit is not an input of the other."""
    if upstream.spec.response not in fit.spec.inputs.values():
        raise InputError(
            f"The fit given as `through` (--through) predicts '{upstream.spec.response}', but this one takes "
            f"{', '.join(map(repr, fit.spec.inputs.values()))}: the response of the first must be an input of the second."
        )


def check_units(fit: Fit, through: Fit) -> None:
    """Raise if two fits use different units of loss or different counts of params."""
    kinds = {fit.params_kind, through.params_kind} - {"unknown"}
    if len(kinds) > 1:
        raise InputError(
            f"The two fits count params differently, {' and '.join(sorted(kinds))}: fit both with the same count."
        )
    if fit.loss_unit != through.loss_unit:
        raise InputError(
            f"The fit given as `through` (--through) predicts a loss in {through.loss_unit}, but this one was fitted to losses in "
            f"{fit.loss_unit}: fit both in the same unit."
        )


def paired(spec: ModelSpec, upstream: xr.Dataset, draws: xr.Dataset, kind: str, seed: int) -> dict[str, xr.DataArray]:
    """Pair each draw of this fit with a random draw of the other; the two were fitted separately, so they are independent."""
    response = upstream.attrs["response"]
    values = upstream[f"{kind}_{response}"].transpose("chain", "draw", "plan").to_numpy()
    values = values.reshape(-1, values.shape[-1])
    shape = draws["sigma"].shape
    order = np.random.default_rng(seed).permutation(max(len(values), draws["sigma"].size)) % len(values)
    chosen = values[order[: draws["sigma"].size]].reshape(*shape, -1)
    return {_input(spec, response): xr.DataArray(chosen, dims=("chain", "draw", "plan"))}


def labelled_through(
    result: xr.Dataset, upstream: xr.Dataset, spec: ModelSpec, given: Mapping[str, xr.DataArray]
) -> xr.Dataset:
    """Label the joint forecast with how far out its plans are for the upstream fit, and with the warnings of both fits."""
    checks = [*json.loads(upstream.attrs["check"]), *json.loads(result.attrs["check"])]
    response = upstream.attrs["response"]
    least, most = json.loads(result.attrs["ranges"])[response]
    middles = given[_input(spec, response)].median(("chain", "draw")).to_numpy()
    outside = [
        ""
        if least <= middle <= most
        else f"Its {response} of {middle:.4g} lies outside the {least:.4g} to {most:.4g} that this law was "
        "fitted to, and this law has no drift."
        for middle in middles
    ]
    return result.assign_coords(
        extrapolation_decades=upstream["extrapolation_decades"],
        far=upstream["far"],
        unseen_group=("plan", first_said("unseen_group", result, upstream)),
        outside=("plan", np.array(outside, dtype=str)),
    ).assign_attrs(
        through=1,
        check=json.dumps(checks),
        ranges=upstream.attrs["ranges"],
        inputs=upstream.attrs["inputs"],
        flops_ratio=upstream.attrs["flops_ratio"],
    )


def _input(spec: ModelSpec, response: str) -> str:
    return next(name for name, column in spec.inputs.items() if column == response)
