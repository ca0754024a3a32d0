"""`forecast`: draws of the loss of plans, as the law's curve times its drift beyond the runs, and with one run's noise.

The law itself goes wrong beyond its data: on public suites, 90% bands made of parameter and noise uncertainty alone, by any tool, covered
18 to 50% of the runs ten or more times larger than the fitted ones. So the law's loss is multiplied by exp(drift): zero inside the data,
Normal beyond, with an sd that grows with the decades of extrapolation. One standard draw per posterior draw is shared by all plans, so
plans at one compute drift together, and a choice between them is not drowned in it.
"""

import json
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import InputError, InputTypeError
from ..laws import LAWS
from ..laws.law import compute
from ..posterior import fit_weights, fitted_spec, is_average, weighed_fits
from ..runs import read_plans
from ..spec.data import law_loss
from ..spec.groups import local_draws, unseen_groups
from ..spec.noise import COUNTS, draw_observed, from_link, log_density, to_link
from ..spec.spec import ModelSpec
from .averaged import first_said, mix_forecasts

MAX_EXTRAPOLATION = 3.0


def forecast(
    idata: xr.DataTree,
    plans: pd.DataFrame,
    *,
    through: xr.DataTree | None = None,
    drift: bool = True,
    max_extrapolation: float = MAX_EXTRAPOLATION,
    random_seed: int | np.random.Generator | None = None,
) -> xr.Dataset:
    """Draw the loss of plans.

    Parameters
    ----------
    idata : xarray.DataTree
        From `fit`, `average_fits` or `load_fit`; of an average the draws are those of its fits, as many of each as its weight says.
    plans : pandas.DataFrame
        One row per plan, with the columns that the law takes; `run` names them; a measured `loss` is scored.
    through : xarray.DataTree, optional
        A fit whose response is an input of this one, such as a loss for a law of accuracy: its draws take the place of that column, so
        that both fits' uncertainties are carried.
    drift : bool
        Whether the law may go wrong beyond its runs.
    max_extrapolation : float
        Decades of compute (or of the law's one input) beyond the largest fitted run that are allowed.
    random_seed : int, numpy.random.Generator or None
        Seed of drift and noise; None takes the fit's own, so that forecasts of one fit share their drift.

    Returns
    -------
    xarray.Dataset
        `drift`, `expected_loss` (the law's curve times exp(drift): the median over runs, given the parameters) and `observed_loss` (one
        run's), dims (chain, draw, plan), in the fit's loss unit; `log_density` of the log of a measured `loss`, where plans have one;
        coordinates of plan: the plan's columns and `extrapolation_decades`. Attributes say what the numbers mean.

    Raises
    ------
    ValueError
        If a column is missing or a plan lies too far out.

    Examples
    --------
    >>> forecast(idata, pd.DataFrame({"params": [70e9], "tokens": [1.4e12]}))  # doctest: +SKIP
    """
    if is_average(idata):
        weights = fit_weights(idata)
        each = {
            name: forecast(
                one, plans, through=through, drift=drift, max_extrapolation=max_extrapolation, random_seed=random_seed
            )
            for name, one in weighed_fits(idata).items()
        }
        return mix_forecasts(each, weights, int(idata.attrs["random_seed"]))
    spec = fitted_spec(idata)
    check_gives_loss(spec)
    draws = idata["posterior"].to_dataset()
    upstream = None
    if through is not None:
        _check_link(spec, fitted_spec(next(iter(weighed_fits(through).values()))))
        check_units(idata, through)
        upstream = forecast(through, plans, drift=drift, max_extrapolation=max_extrapolation, random_seed=random_seed)
    plans = _complete(spec, plans, upstream)
    draws = local_draws(spec, idata, plans, "plan", random_seed=int(idata.attrs["random_seed"]))
    # Without the numbers of chains and draws, which are put back at the end: aligning them takes as long as all the rest.
    numbers = {name: draws[name] for name in ("chain", "draw") if name in draws.coords}
    draws = draws.drop_vars(list(numbers))
    given, measured_inputs = _inputs(spec, plans), _inputs(spec, plans)
    if upstream is not None:
        pairing = int(idata.attrs["random_seed"])  # the same for both: a run's noise belongs to its own expected loss
        given |= _paired(spec, upstream, draws, "expected", pairing)
        measured_inputs |= _paired(spec, upstream, draws, "observed", pairing)
    signed = signed_decades(idata, spec, given)
    signed = signed.median(("chain", "draw")) if upstream is not None else signed
    check_reach(spec, plans["run"].tolist(), signed.to_numpy(), max_extrapolation)
    beyond = signed.clip(min=0)
    # Plan by plan, so that a plan's numbers do not hang on those that follow it.
    rng = np.random.default_rng(int(idata.attrs["random_seed"]) if random_seed is None else random_seed)
    drifts = drift_standard(draws["sigma"].shape, rng) * beyond * (spec.drift.per_decade if drift else 0.0)
    curve = law_loss(spec, draws, given)
    below, n_items = (-signed).clip(min=0), _n_items(idata, plans)
    expected = from_link(spec, to_link(spec, curve) + drifts)
    # A run is as good at a task as its own loss says, noise and all.
    own = (
        from_link(spec, to_link(spec, law_loss(spec, draws, measured_inputs)) + drifts)
        if upstream is not None
        else expected
    )
    names = {"expected": f"expected_{spec.response}", "observed": f"observed_{spec.response}"}
    result = xr.Dataset(
        {
            "drift": drifts,
            names["expected"]: expected,
            names["observed"]: draw_observed(spec, draws, own, below, n_items, rng),
        }
    ).transpose("chain", "draw", "plan")
    if spec.response in plans:
        measured = xr.DataArray(plans[spec.response].to_numpy(float), dims="plan")
        density = log_density(spec, draws, own, measured, below, n_items)
        result["log_density"] = density.transpose("chain", "draw", "plan")
    result = _label(result, plans, beyond, idata, drift).assign_coords(numbers)
    result.attrs["unseen"] = json.dumps(unseen_groups(spec, idata, plans))
    return result if upstream is None else _labelled_through(result, upstream, spec, given)


def drift_standard(shape: tuple[int, ...], rng: np.random.Generator) -> xr.DataArray:
    """Return one standard draw per posterior draw, the same for every plan; drawn before anything whose size depends on the plans."""
    return xr.DataArray(rng.standard_normal(shape), dims=("chain", "draw"))


def _n_items(idata: xr.DataTree, plans: pd.DataFrame) -> xr.DataArray:
    """Test items of each plan: its own, else those of the fitted runs where they all had one number; NaN where unknown."""
    data = idata["constant_data"]
    fitted = np.unique(data["n_items"].to_numpy()) if "n_items" in data else np.array([])
    same = float(fitted[0]) if len(fitted) == 1 else np.nan
    own = plans["n_items"].to_numpy(float) if "n_items" in plans else np.full(len(plans), np.nan)
    return xr.DataArray(np.where(np.isfinite(own), own, same), dims="plan")


def check_gives_loss(spec: ModelSpec) -> None:
    """Raise ValueError where the law gives the best size of a compute, or the best rate of a plan, and no loss of it."""
    if spec.get_law().best:
        raise InputError(f"Law '{spec.law}' gives the best learning rate of a plan and no loss: use best_rates.")
    if spec.get_law().keep:
        able = ", ".join(name for name, law in LAWS.items() if law.sizes_models and not law.keep)
        raise InputError(
            f"Law '{spec.law}' gives the best size of a compute and no loss: `allocate` takes this fit, a forecast needs one of {able} "
            f"(--model {able.split(',')[0]})."
        )


def signed_decades(idata: xr.DataTree, spec: ModelSpec, inputs: dict[str, xr.DataArray]) -> xr.DataArray:
    """Decades of reach beyond the largest fitted run; negative below it."""
    reach = np.log(spec.get_law().reach(**inputs))
    return (reach - float(idata["constant_data"]["log_reach_max"])) / np.log(10)


def _inputs(spec: ModelSpec, plans: pd.DataFrame) -> dict[str, xr.DataArray]:
    return {
        name: xr.DataArray(plans[column].to_numpy(float), dims="plan")
        for name, column in spec.inputs.items()
        if column in plans
    }


def _check_link(spec: ModelSpec, upstream: ModelSpec) -> None:
    if upstream.response not in spec.inputs.values():
        raise InputError(
            f"The fit to go through gives '{upstream.response}', and this one takes {', '.join(map(repr, spec.inputs.values()))}: one of "
            "them must be the other's response."
        )


def check_units(idata: xr.DataTree, through: xr.DataTree) -> None:
    kinds = {idata.attrs["params_kind"], through.attrs["params_kind"]} - {"unknown"}
    if len(kinds) > 1:
        raise InputError(
            f"The two fits count params in two ways, {' and '.join(sorted(kinds))}: fit both with one count."
        )
    own, other = idata.attrs["loss_unit"], through.attrs["loss_unit"]
    if own != other:
        raise InputError(
            f"The fit to go through gives a loss in {other}, this one was fitted to losses in {own}: fit both in one unit."
        )


def _paired(spec: ModelSpec, upstream: xr.Dataset, draws: xr.Dataset, kind: str, seed: int) -> dict[str, xr.DataArray]:
    """Give each draw of this fit one of the other's, at random: the two were fitted apart, so they are independent."""
    response = upstream.attrs["response"]
    values = upstream[f"{kind}_{response}"].transpose("chain", "draw", "plan").to_numpy()
    values = values.reshape(-1, values.shape[-1])
    shape = draws["sigma"].shape
    order = np.random.default_rng(seed).permutation(max(len(values), draws["sigma"].size)) % len(values)
    paired = values[order[: draws["sigma"].size]].reshape(*shape, -1)
    name = next(name for name, column in spec.inputs.items() if column == response)
    return {name: xr.DataArray(paired, dims=("chain", "draw", "plan"))}


def _labelled_through(
    result: xr.Dataset, upstream: xr.Dataset, spec: ModelSpec, given: dict[str, xr.DataArray]
) -> xr.Dataset:
    """Say of the joint forecast how far out its plans are for the fit that they enter first, and carry the warnings of both."""
    result["extrapolation_decades"] = upstream["extrapolation_decades"]
    checks = [*json.loads(upstream.attrs["check"]), *json.loads(result.attrs["check"])]
    ranges = json.loads(upstream.attrs["ranges"])
    response = upstream.attrs["response"]
    name = next(name for name, column in spec.inputs.items() if column == response)
    least, most = json.loads(result.attrs["ranges"])[response]
    middles = given[name].median(("chain", "draw")).to_numpy()
    outside = [
        ""
        if least <= middle <= most
        else f"Its {response} of {middle:.4g} lies outside the {least:.4g} to {most:.4g} that this law was "
        "fitted to, and this law has no drift."
        for middle in middles
    ]
    return result.assign_attrs(
        through=1,
        outside=json.dumps(outside),
        unseen=first_said("unseen", result, upstream),
        check=json.dumps(checks),
        ranges=json.dumps(ranges),
        inputs=upstream.attrs["inputs"],
        flops_ratio=upstream.attrs["flops_ratio"],
    )


def _complete(spec: ModelSpec, plans: pd.DataFrame, upstream: xr.Dataset | None) -> pd.DataFrame:
    """Check the plans' columns; flops and the like are filled as for runs. What comes from upstream need not be there."""
    if not isinstance(plans, pd.DataFrame):
        raise InputTypeError(f"`plans` must be a DataFrame. Got {type(plans).__name__} instead.")
    plans = read_plans(plans)
    if upstream is not None:
        plans = plans.drop(columns=upstream.attrs["response"], errors="ignore")
    own = [column for column in spec.inputs.values() if upstream is None or column != upstream.attrs["response"]]
    if {"unique_tokens", "tokens"} <= set(spec.inputs):
        plans = _each_token_once(spec, plans)
    missing = [column for column in own if column not in plans]
    if missing:
        raise InputError(
            f"The plans lack {', '.join(repr(name) for name in missing)}, which this fit takes; they have "
            f"{', '.join(map(str, plans.columns))}. Give {' '.join(map(_option, missing))}."
        )
    for column in own:
        values = pd.to_numeric(plans[column], errors="coerce").to_numpy(float)
        bad = np.flatnonzero(~(np.isfinite(values) & (values > 0)))
        if len(bad):
            raise InputError(
                f"Column '{column}' of the plans must be > 0 in every row. Got {plans[column].iloc[bad[0]]!r} "
                f"in plan {plans['run'].iloc[bad[0]]}."
            )
    return plans


def _each_token_once(spec: ModelSpec, plans: pd.DataFrame) -> pd.DataFrame:
    """Give the plans that name no pool one as large as the run, so that every token is new."""
    pool, tokens = spec.inputs["unique_tokens"], spec.inputs["tokens"]
    if tokens not in plans:
        return plans
    return plans.assign(**{pool: plans[pool].fillna(plans[tokens]) if pool in plans else plans[tokens]})


def check_reach(spec: ModelSpec, names: list[str], signed: np.ndarray, most: float) -> None:
    """Raise ValueError where a plan lies more decades beyond the fitted runs than are allowed."""
    if not most >= 0:
        raise InputError(f"`max_extrapolation` must be a number of decades >= 0, e.g. 3. Got {most!r} instead.")
    far = int(np.argmax(signed))
    if signed[far] > most:
        what = "compute" if "params" in spec.inputs else f"'{next(iter(spec.inputs.values()))}'"
        raise InputError(
            f"Plan {names[far]} lies {signed[far]:.2f} decades of {what} beyond the largest fitted run, more than "
            f"{most:g}. Train larger pilot runs, or allow it with --max-extrapolation {np.ceil(signed[far]):g}."
        )


def _label(
    result: xr.Dataset, plans: pd.DataFrame, beyond: xr.DataArray, idata: xr.DataTree, drift: bool
) -> xr.Dataset:
    """Attach the plans' columns and what the numbers mean."""
    names = plans["run"].astype(str).to_numpy(dtype=str)
    coordinates: dict[str, Any] = {"plan": names, "extrapolation_decades": ("plan", beyond.to_numpy())}
    for column in plans.columns:
        # A column that bears one of our own names (as in a table of ours read back) must not replace what is computed.
        if column != "run" and column not in coordinates and column not in (*result, "log_density"):
            numeric = pd.api.types.is_numeric_dtype(plans[column])
            coordinates[str(column)] = (
                "plan",
                plans[column].to_numpy(float) if numeric else plans[column].astype(str).to_numpy(dtype=str),
            )
    result = result.assign_coords(coordinates)
    spec = fitted_spec(idata)
    result.attrs = {
        "response": spec.response,
        "counts": int(spec.noise.dist == COUNTS),
        "link": spec.noise.link,
        "loss_unit": idata.attrs["loss_unit"],
        "params_kind": idata.attrs["params_kind"],
        "with_drift": int(drift),
        "fade": spec.noise.fade,
        "inputs": json.dumps(spec.inputs),
        "ranges": json.dumps(_ranges(idata, spec)),
        "flops_ratio": json.dumps(_flops_ratio(idata, spec)),
        "check": idata.attrs.get("check", "[]"),
    }
    return result


def _ranges(idata: xr.DataTree, spec: ModelSpec) -> dict[str, list[float]]:
    """Least and largest of each input column, and of tokens per parameter, among the fitted runs."""
    data = idata["constant_data"]
    values = {column: data[name] for name, column in spec.inputs.items()}
    if {"params", "tokens"} <= set(spec.inputs):
        values["tokens per parameter"] = data["tokens"] / data["params"]
    return {name: [float(value.min()), float(value.max())] for name, value in values.items()}


def _flops_ratio(idata: xr.DataTree, spec: ModelSpec) -> list[float]:
    """Least and largest flops over 6 x params x tokens among the fitted runs, where a law of flops was fitted; else nothing."""
    data = idata["constant_data"]
    if "flops" not in spec.inputs.values() or not {"flops", "params", "tokens"} <= set(data.data_vars):
        return []
    ratio = data["flops"] / compute(data["params"], data["tokens"])
    return [float(ratio.min()), float(ratio.max())]


def _option(column: str) -> str:
    return f"--{column} VALUE" if column in ("params", "tokens") else f"--at {column}=VALUE"
