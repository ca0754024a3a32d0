"""Which engine samples a model, and what is tried if it does not succeed."""

import time
from typing import Any

import pandas as pd
import xarray as xr

from ..errors import InputError, given, named
from ..spec.density import has_density
from ..spec.spec import ModelSpec
from .compiled import ensure_compile_folder

ENGINES = ("auto", "fast", "nuts")
_SHARED = ("draws", "tune", "chains", "cores", "progressbar")  # arguments that any engine takes
_LONGER, _ACCEPT = 4000, 0.99  # draws per chain and acceptance of NUTS where the fast engine did not succeed
_LONGER_TAKES = 6  # times as long as the default draws, compilation included
_DRAWS, _CHAINS = 1000, 4
_NUTS_TAKES = (
    2  # times as long as all attempts before, at least: it is not begun on tables on which it would take hours
)


def sampled(
    spec: ModelSpec,
    rows: pd.DataFrame,
    *,
    random_seed: int,
    engine: str = "auto",
    max_seconds: float = 120.0,
    **sample_kwargs: Any,
) -> xr.DataTree:
    """Sample a model by the engine that suits it; arguments as for `fit`.

    Raises
    ------
    ValueError
        If the engine does not support the model or an argument.
    """
    if engine not in ENGINES:
        raise InputError(f"{named('engine')} must be one of {', '.join(ENGINES)}. Got {engine!r}.")
    for_nuts = [name for name in sample_kwargs if name not in _SHARED]
    able = has_density(spec)
    if engine == "fast":
        _check_fast(spec, for_nuts, able)
    if engine == "auto" and able and spec.get_law().moves and for_nuts and "nuts_sampler" not in for_nuts:
        raise InputError(
            f"`{for_nuts[0]}` is for NUTS, whose chains do not cross between explanations of a broken law: leave it out, or insist with "
            f"{given(engine='nuts')}."
        )
    if engine == "nuts" or for_nuts:
        return _by_nuts(spec, rows, random_seed=random_seed, **sample_kwargs)
    if not able:
        return _by_nuts_until_mixed(spec, rows, max_seconds, random_seed=random_seed, **sample_kwargs)
    from .fast import large_note, sample_fast  # SciPy's functions take time to import

    start = time.monotonic()
    own = {name: value for name, value in sample_kwargs.items() if name != "progressbar"}
    if note := large_note(len(rows), own.get("draws", _DRAWS), own.get("chains", _CHAINS)):
        rows.attrs.setdefault("notes", {})["large"] = note
    idata, accepted = sample_fast(spec, rows, random_seed=random_seed, max_seconds=max_seconds, **own)
    if accepted or engine == "fast" or _NUTS_TAKES * (time.monotonic() - start) > max_seconds:
        return idata
    draws = sample_kwargs.get("draws", _DRAWS)
    step = max(_LONGER // draws, 1)
    longer = {"draws": step * draws, "tune": _LONGER // 2, "target_accept": _ACCEPT}
    return _thinned(_by_nuts(spec, rows, random_seed=random_seed, **{**sample_kwargs, **longer}), step)


def _check_fast(spec: ModelSpec, for_nuts: list[str], able: bool) -> None:
    if for_nuts:
        raise InputError(f"`{for_nuts[0]}` is for NUTS: leave it out, or sample with {given(engine='nuts')}.")
    if not able:
        raise InputError(
            f"{named('engine')} 'fast' does not support groups, covariates, cells or counts, and model '{spec.law}' has some; leave it out."
        )


def _by_nuts(spec: ModelSpec, rows: pd.DataFrame, **options: Any) -> xr.DataTree:
    ensure_compile_folder()
    from .nuts import sample_model  # PyMC takes seconds to import

    return sample_model(spec, rows, **options)


def _by_nuts_until_mixed(spec: ModelSpec, rows: pd.DataFrame, max_seconds: float, **options: Any) -> xr.DataTree:
    """Sample by NUTS; if chains disagree after the default draws, once more and longer, unless that would take too long."""
    from .check.sampling import sampling_checks

    start = time.monotonic()
    idata = _by_nuts(spec, rows, **options)
    asked = any(name in options for name in ("draws", "tune", "chains"))
    if asked or _LONGER_TAKES * (time.monotonic() - start) > max_seconds:
        return idata
    draws = idata["posterior"].to_dataset()[list(spec.sampled)]
    rows_of_check = sampling_checks(draws, idata["sample_stats"].to_dataset())
    if all(row["passed"] for row in rows_of_check if row["severity"] == "fail"):
        return idata
    longer = {"draws": _LONGER, "tune": _LONGER // 2, "target_accept": _ACCEPT}
    return _thinned(_by_nuts(spec, rows, **{**options, **longer}), _LONGER // _DRAWS)


def _thinned(idata: xr.DataTree, step: int) -> xr.DataTree:
    """Keep every `step`-th draw, so that all fits of a table have the same number; statistics of the sampler are about all that it drew."""
    for name in ("posterior", "log_likelihood", "log_prior", "posterior_predictive"):
        group = idata[name].to_dataset().isel(draw=slice(None, None, step))
        idata[name] = xr.DataTree(group.assign_coords(draw=range(group.sizes["draw"])))
    return idata
