"""Which columns of a table are settings of a run (chosen before it), and along which its checkpoints are counted.

What a run yields (losses, scores, times) and what names it are neither: replicates differ in all of them.
"""

import re

import numpy as np
import pandas as pd

from .columns import COLUMNS, plain
from .values import is_blank

_KNOWN = (
    *("lr", "batch_tokens", "weight_decay", "dropout", "unique_tokens", "epochs", "params", "tokens"),
    *("family", "width", "layers", "steps"),
)
_YIELDED = re.compile(
    r"loss|ppl|perplex|acc|err|score|metric|bpb|bpc|nll|entropy|grad|norm|match|reward|rate_of|_lo$|_hi$|_se$|_std$"
    r"|time|second|minute|hour|date|duration|runtime|elapsed|wall|created|updated|throughput|_per_|mfu|memory|cost|flop"
    r"|seed|^run|name|id$|uuid|hash|path|url|host|node|device|gpu|comment|note|state|status|user|color|svg|in_fit|index|row"
)
_STEPS = frozenset(
    (
        *("step", "steps", "iter", "iters", "iteration", "iterations", "update", "updates", "num_updates"),
        *("global_step", "train_step", "train_steps", "training_steps", "optimizer_steps", "epoch", "epochs"),
        *("samples", "samples_seen", "examples", "examples_seen", "consumed_samples", "tokens", "train_tokens"),
        *("tokens_seen", "consumed_tokens", "num_tokens", "training_tokens"),
    )
)
_IDS = re.compile(r"(^|_)(id|uid|uuid|hash|job|trial|experiment|exp)(_name|_id)?$|^(hyper|config|run)_(id|name)$")


def is_step_like(column: str) -> bool:
    """Return whether a column counts how far a run has come, such as steps, epochs, samples or tokens."""
    return plain(column).strip("_") in _STEPS


def step_column(rows: pd.DataFrame) -> str:
    """Return the column with the optimiser steps, or "" if there is none."""
    counts = ("epoch", "sample", "example", "token")
    found = [name for name in map(str, rows) if is_step_like(name) and not any(word in plain(name) for word in counts)]
    return next((name for name in found if pd.api.types.is_numeric_dtype(rows[name])), "")


def id_columns(rows: pd.DataFrame) -> list[str]:
    """Return the columns other than `run` that may name runs."""
    return [str(name) for name in rows if name not in COLUMNS and _IDS.search(plain(str(name)))]


def setting_columns(rows: pd.DataFrame, taken: set[str]) -> list[str]:
    """Return the columns with settings of a run that vary, except those that the law takes; known ones first.

    An unknown column is a setting if its values are shared by several rows: what a run yields is nearly always its own.
    """
    known = [name for name in _KNOWN if name in rows and name not in taken and keys(rows[name]).nunique() > 1]
    unknown = [str(name) for name in rows if name not in COLUMNS and name not in taken and _is_setting(rows[name])]
    return known + [name for name in unknown if name not in known]


def keys(cells: pd.Series) -> pd.Series:
    """Return cells as values that can be grouped: numbers as they are, all others as text, and all blanks equal."""
    if pd.api.types.is_numeric_dtype(cells.dtype):
        return pd.Series(cells.to_numpy(dtype=float, na_value=np.nan), index=cells.index).fillna(-np.inf)
    return pd.Series(["" if is_blank(cell) else str(cell).strip() for cell in cells], index=cells.index, dtype=object)


def _is_setting(cells: pd.Series) -> bool:
    if _YIELDED.search(plain(str(cells.name))):
        return False
    distinct = keys(cells).nunique()
    return 1 < distinct <= len(cells) / 2
