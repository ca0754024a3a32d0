"""Parts of a fit of approach 1 or 2 other than its draws: the rows that it takes, and the envelope of its sizes."""

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import InputError
from ..laws.approaches import envelope, envelope_computes, size_curve
from ..laws.law import LOG_6
from ..spec.data import model_inputs
from ..spec.spec import ModelSpec

_DRAWS = ("chain", "draw")


def keep_rows(spec: ModelSpec, rows: pd.DataFrame, left_out: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Leave out the rows that the law does not use, each with its reason.

    Parameters
    ----------
    spec : ModelSpec
        Of a law with a `profile`.
    rows, left_out : pandas.DataFrame
        From `select_rows`.

    Returns
    -------
    rows, left_out : pandas.DataFrame
        The same tables after this step.

    Raises
    ------
    ValueError
        If the table does not support the approach.
    """
    law = spec.get_law()
    assert law.profile is not None
    reasons = np.array(law.profile.keep(model_inputs(spec, rows), rows[spec.response].to_numpy(float)), dtype=object)
    out = reasons != ""
    more = pd.DataFrame({"run": rows["run"].astype(str)[out].to_numpy(), "reason": reasons[out].astype(str)})
    kept = rows[~out].reset_index(drop=True)
    kept.attrs = rows.attrs
    if out.any():
        notes = {
            **rows.attrs.get("notes", {}),
            law.name: f"{law.name} can use {(~out).sum()} of {len(out)} rows.",
        }
        kept.attrs = {**rows.attrs, "notes": notes}
    return kept, pd.concat([left_out, more], ignore_index=True)


def add_envelope(idata: xr.DataTree) -> None:
    """Add the constants of N*(C) to the posterior of approach 1: `log_G`, `params_exponent` and `curvature`.

    At log-spaced compute budgets at which three sizes can be compared, each draw's best size is the vertex of the parabola through the
    size with the lowest loss and its two neighbours. A straight line through these vertices, draw by draw, gives G and a. The vertices
    are many readings of few curves; the draws carry the uncertainty, not the number of vertices.
    """
    data, draws = idata["constant_data"], idata["posterior"].to_dataset()
    params, tokens = data["params"].to_numpy(), data["tokens"].to_numpy()
    log_flops, covered = envelope_computes(params, tokens)
    log_sizes = np.log(data["sizes"].to_numpy())
    level, ratio, exponent = (
        draws[name].transpose(*_DRAWS, "size").to_numpy().reshape(-1, 1, len(log_sizes))
        for name in ("log_level", "ratio", "exponent")
    )
    log_tokens = log_flops[:, None] - LOG_6 - log_sizes - float(data["log_tokens_mean"])
    found = envelope(log_sizes, size_curve(log_tokens, level, ratio, exponent), covered)
    inside = found["inside"].mean(axis=0) >= 0.5
    if inside.sum() < 2:
        raise InputError(
            "Approach 1 finds no envelope: at every compute budget the smallest or the largest size that can be compared is best. Train "
            "sizes on both sides of the best one, or fit the model 'chinchilla' (--model chinchilla), which takes any runs."
        )
    x, best = log_flops[inside] - LOG_6, found["log_params"][:, inside]
    off = x - x.mean()
    slope = best @ off / (off @ off)
    values = {
        "log_G": best.mean(axis=1) - slope * x.mean(),
        "params_exponent": slope,
        "curvature": found["curvature"][:, inside].mean(axis=1),
    }
    shape = (draws.sizes["chain"], draws.sizes["draw"])
    idata["posterior"] = xr.DataTree(draws.assign({k: (_DRAWS, v.reshape(shape)) for k, v in values.items()}))
    idata["constant_data"] = xr.DataTree(
        data.to_dataset().assign(envelope_flops=("compute", np.exp(log_flops[inside])))
    )
