"""Names of sampled parameters in what users read: the constants that the printed table shows, with the sampled name in brackets."""

from collections.abc import Mapping

import numpy as np
import xarray as xr

from ...spec.spec import ModelSpec

_LEVEL = "the level of the {response} in the middle of the runs"
_ONE = {"size": "size term A/{params}^alpha", "data": "data term B/{tokens}^beta", "power": "power term A/{x}^alpha"}


def printed(spec: ModelSpec, name: str, data: xr.Dataset | None = None) -> str:
    """Return the name under which a user knows a sampled parameter.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    name : str
        A sampled parameter, or a constant, which keeps its name.
    data : xarray.Dataset, optional
        `constant_data`, with the anchors; needed to find the constants that a parameter decides.

    Returns
    -------
    str
        Such as "data term B/tokens^beta (u2)", "beta (log_beta)" or "N_c, D_c (v)".
    """
    law = spec.get_law()
    if name not in spec.priors or name in law.loss_constants:
        return name
    said = _term(spec, name) or (_decided(spec, name, data) if data is not None else "")
    return f"{said} ({name})" if said else name


def _term(spec: ModelSpec, name: str) -> str:
    law = spec.get_law()
    own = name.removeprefix("log_")
    if own in law.loss_constants:
        return own
    if name == law.level:
        return _LEVEL.format(response=spec.response)
    if not law.gives_loss or not {"A", "alpha"} <= set(law.loss_constants):
        return ""
    if law.inputs == ("x",) and name == "u1":
        return _ONE["power"].format(**spec.inputs)
    term = {"u1": "size", "u2": "data"}.get(name, "") if {"B", "beta"} <= set(law.loss_constants) else ""
    return _ONE[term].format(**spec.inputs) if term else ""


def _decided(spec: ModelSpec, name: str, data: xr.Dataset) -> str:
    """Return the constants that a parameter moves while the others stand at the middle of their priors; the fewest other than all."""
    law = spec.get_law()
    anchors = {
        str(key): float(value) for key, value in data.data_vars.items() if value.ndim == 0 and value.dtype.kind == "f"
    }
    middle = {key: 0.5 if prior.dist == "Beta" else 1.0 for key, prior in spec.priors.items()}
    try:
        before, after = (law.constants({**middle, name: middle[name] + step}, anchors) for step in (0.0, 0.01))
    except KeyError:  # an anchor of the model rather than of the law
        return ""
    moved = [key for key in law.loss_constants if key in before and not _equal(before, after, key)]
    return ", ".join(moved) if len(moved) <= 3 else ""


def _equal(before: Mapping[str, float], after: Mapping[str, float], key: str) -> bool:
    return bool(np.isclose(before[key], after[key], rtol=1e-9, atol=0))
