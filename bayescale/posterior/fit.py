"""`fit`: select the rows for a spec, sample its posterior on them and check it; all in one tree."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from .. import __version__
from ..errors import InputError, InputTypeError
from ..runs.columns import PARAMS_KINDS
from ..runs.select import EVERY_FAMILY
from ..spec.learnt import ratio_prior
from ..spec.spec import ModelSpec
from . import engines
from .check import check_fit
from .profiles import add_envelope
from .rows import fitted_rows
from .store import FORMAT

_ALIKE = 0.1  # posterior probability of the learnt priors below which it is said


def fit(
    spec: ModelSpec,
    runs: pd.DataFrame,
    *,
    where: str | Sequence[str] = (),
    family: str | None = None,
    params_kind: str = "unknown",
    loss_unit: str | None = None,
    best_of: str | Sequence[str] = (),
    all_rows: bool = False,
    random_seed: int | np.random.Generator | None = None,
    **sample_kwargs: Any,
) -> xr.DataTree:
    """Sample the posterior of a scaling law on a table of runs, and check it.

    Parameters
    ----------
    spec : ModelSpec
        The model, from `load_spec`.
    runs : pandas.DataFrame
        One row per run, from `read_runs`.
    where : str or sequence of str
        Filters on rows, such as ``"tokens<=1e9"``; stored in the fit.
    family : str, optional
        The family to fit, if the runs have several.
    params_kind : {"unknown", "total", "non-embedding", "active"}
        What `params` counts; a plan of another kind is refused.
    loss_unit : str
        Unit of the loss; it labels every table and axis. Default: that of the data set of `read_runs`, otherwise nats/token.
    best_of : str or sequence of str
        Columns of settings, such as ``("lr", "batch_tokens")``: of the rows with equal inputs only those with the best setting are used.
    all_rows : bool
        Use every row as a run, also checkpoints and the trials of a sweep.
    random_seed : int, numpy.random.Generator or None
        Seed; the one used is stored.
    **sample_kwargs
        `engine`, "auto", "fast" or "nuts". The fast one samples on arrays within a second or so: by importance sampling, or broken laws
        by SMC. NUTS is PyMC's, which groups, covariates, cells and counts need. "auto" takes the fast one where it can, and a long run of
        NUTS if the fast one does not pass its own gate. `max_seconds` (120): no further attempt is begun that would take longer
        in all. `draws`, `tune`, `chains`, `cores` and `progressbar` are for both engines; anything else that `pymc.sample` takes
        (target_accept, nuts_sampler, ...) selects NUTS.

    Returns
    -------
    xarray.DataTree
        Groups `posterior` (dims chain, draw; sampled parameters and the law's constants), `sample_stats`, `log_likelihood`,
        `log_prior`, `posterior_predictive`, `prior`, `prior_predictive`, `observed_data` (log loss, dims run) and
        `constant_data` (all columns of the fitted rows, the law's anchors). Attributes describe the numbers; `check` holds the
        table of `check_fit`.

    Raises
    ------
    ValueError
        If rows, columns or options are not valid.

    Examples
    --------
    >>> runs = read_runs("runs.csv")  # doctest: +SKIP
    >>> idata = fit(load_spec("chinchilla"), runs, random_seed=1)  # doctest: +SKIP
    """
    if not isinstance(spec, ModelSpec):
        raise InputTypeError(
            f"`spec` must come from load_spec, e.g. fit(load_spec('chinchilla'), runs). Got {type(spec).__name__}."
        )
    if params_kind == "unknown":  # an imported table records what its params count
        params_kind = str(runs.attrs.get("params_kind", "unknown"))
    if params_kind not in PARAMS_KINDS:
        raise InputError(f"`params_kind` must be one of {', '.join(PARAMS_KINDS)}. Got {params_kind!r}.")
    said_unit = loss_unit
    loss_unit = str(runs.attrs.get("loss_unit", "nats/token")) if loss_unit is None else loss_unit
    if not loss_unit.strip():
        raise InputError("`loss_unit` must name a unit, e.g. nats/token or bits/byte. Got an empty string.")
    family = EVERY_FAMILY if family is None and spec.groups and spec.groups.by == "family" else family
    where = [where] if isinstance(where, str) else list(where)
    spec, rows, left_out = fitted_rows(
        spec, runs, where=where, family=family, loss_unit=said_unit, best_of=best_of, all_rows=all_rows
    )
    columns = _columns(rows)  # before sampling: nothing may be lost after it
    seed = stored_seed(random_seed)
    idata = engines.sampled(spec, rows, random_seed=seed, **sample_kwargs)
    profile = spec.get_law().profile
    if profile and profile.per == "size":
        add_envelope(idata)
    data = idata["constant_data"].to_dataset()
    idata["constant_data"] = xr.DataTree(data.assign({k: v for k, v in columns.items() if k not in data.variables}))
    idata.attrs.update(
        bayescale_format=FORMAT,
        bayescale_version=__version__,
        spec=spec.text,
        spec_changes=json.dumps(spec.changes),
        params_kind=params_kind,
        loss_unit=loss_unit,
        where=json.dumps(where),
        family=family or "",
        source=str(runs.attrs.get("source", "a DataFrame")),
        notes=json.dumps({**rows.attrs.get("notes", {}), **_unlike(spec, idata)}),
        left_out=left_out.to_json(orient="records"),
        dropped=json.dumps(runs.attrs.get("dropped", []), default=str),
        random_seed=seed,
    )
    idata.attrs["check"] = check_fit(idata).to_json(orient="records", double_precision=15)
    return idata


def _unlike(spec: ModelSpec, idata: xr.DataTree) -> dict[str, str]:
    """Return a note if the runs contradict what was learnt from public suites, so that the model's own priors decide."""
    learnt = spec.get_learnt()
    share = (
        1.0 if learnt is None else learnt.share({name: idata["posterior"][name].to_numpy() for name in learnt.priors})
    )
    if share >= _ALIKE:
        return {}
    said = f"probability {share:.0%}" if share >= 0.01 else "probability below 1%"
    data = {str(name): value for name, value in idata["constant_data"].data_vars.items()}
    except_ratio = ", except on the best tokens per parameter" if ratio_prior(learnt, data) else ""
    text = f"Law '{spec.law}': these runs are unlike the suites that its priors come from ({said}): wide ones decide{except_ratio}."
    return {f"unlike_{spec.law}": text}


def stored_seed(random_seed: int | np.random.Generator | None) -> int:
    """Return one integer to store, so that any fit can be made again."""
    if isinstance(random_seed, np.random.Generator):
        return int(random_seed.integers(2**31))
    if random_seed is None:
        return int(np.random.SeedSequence().generate_state(1)[0] % 2**31)
    if isinstance(random_seed, bool) or not isinstance(random_seed, int | np.integer) or random_seed < 0:
        raise InputError(f"`random_seed` must be an integer >= 0. Got {random_seed!r}.")
    return int(random_seed)


def _columns(rows: pd.DataFrame) -> xr.Dataset:
    """Return all columns of the fitted rows, dims run, under names that netCDF allows."""
    data: dict[str, Any] = {}
    for column in rows.columns:
        name = str(column).replace("/", "__").strip(". ") or "column"
        while name in data:
            name += "_"
        numeric = pd.api.types.is_numeric_dtype(rows[column])
        texts = rows[column].astype(object).where(rows[column].notna(), "")
        data[name] = ("run", rows[column].to_numpy(dtype=float) if numeric else texts.to_numpy().astype(str))
    return xr.Dataset(data)
