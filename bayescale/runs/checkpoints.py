"""Adds checkpoints to a table of finished runs, for approach 1: only those that a run of that length might have reached."""

import numpy as np
import pandas as pd

from ..errors import InputError, named

_SHARE = 0.25  # of a run's tokens; earlier checkpoints are far from any finished run


def add_checkpoints(runs: pd.DataFrame, curves: pd.DataFrame) -> pd.DataFrame:
    """Return the runs with checkpoints as separate rows; all rows of a run together have the weight of one run.

    A checkpoint is used if its run is the shortest of its size that reaches so far, as in the envelope over lengths, and if it lies in
    the last three quarters of its run. Losses in mid-schedule are above those of a run that ends there (by 1 to 5% with a cosine, more
    for early ones), so a fit to them is biased: towards smaller sizes if the checkpoints come from long runs.

    Parameters
    ----------
    runs : pandas.DataFrame
        Finished runs, from `read_runs`.
    curves : pandas.DataFrame
        Columns run, tokens and loss, from `read_runs`; runs that are not in the table are skipped.

    Returns
    -------
    pandas.DataFrame
        Checkpoints are named RUN@TOKENS; `weight` is the weight of the run divided by its number of rows.

    Raises
    ------
    ValueError
        If no checkpoint belongs to a run of the table.

    Examples
    --------
    >>> runs = pd.DataFrame({"run": ["a"], "params": [1e6], "tokens": [8e6], "loss": [2.0]})
    >>> curves = pd.DataFrame({"run": ["a", "a", "a"], "tokens": [1e6, 4e6, 8e6], "loss": [3.0, 2.3, 2.0]})
    >>> add_checkpoints(runs, curves)[["run", "weight"]].values.tolist()
    [['a', 0.5], ['a@4e+06', 0.5]]
    """
    finished = runs.drop_duplicates("run", keep="last").set_index("run")
    points = curves.loc[curves["run"].isin(finished.index), ["run", "tokens", "loss"]]
    if points.empty:
        raise InputError(
            f"No checkpoint belongs to a run of the table; column 'run' of {named('curves')} must name the same runs in both files."
        )
    end = finished["tokens"].reindex(points["run"]).to_numpy(float)
    params = finished["params"].reindex(points["run"]).to_numpy(float)
    at = points["tokens"].to_numpy(float)
    same = np.abs(np.log(params[:, None]) - np.log(finished["params"].to_numpy(float))) < 0.01
    enough = finished["tokens"].to_numpy(float) >= at[:, None] * (1 - 1e-9)
    shortest = np.where(same & enough, finished["tokens"].to_numpy(float), np.inf).min(axis=1)
    use = (at < end * 0.999) & (at >= _SHARE * end) & (end <= shortest * 1.001)
    points, at = points[use], at[use]
    rows = finished.loc[points["run"]].reset_index(names="of")
    rows = rows.assign(tokens=at, loss=points["loss"].to_numpy(float))
    if "flops" in rows:
        rows["flops"] = rows["flops"] * at / finished["tokens"].reindex(rows["of"]).to_numpy(float)
    rows["run"] = [f"{name}@{tokens:.4g}" for name, tokens in zip(rows["of"], at, strict=True)]
    table = pd.concat([finished.reset_index().assign(of=lambda t: t["run"]), rows], ignore_index=True)
    own = table["weight"].fillna(1.0) if "weight" in table else 1.0
    table["weight"] = own / table.groupby("of")["run"].transform("size")
    table = table.drop(columns="of")
    table.attrs = runs.attrs
    return table
