"""Forecasts of others: the usual least squares in the same run, and other tools by their own Python."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from . import huber
from .curve_fits import FORMS, fitted
from .ours import SEED
from .scores import scored_draws, scored_points
from .tasks import Task, thinned

SAMPLES = 100  # of the bootstrap
TOOLS = Path(os.environ.get("BENCHMARK_TOOLS", Path(__file__).parents[1] / ".tools" / "bin" / "python"))
_WAIT = 1800  # seconds for both tools


def rival_rows(task: Task, train: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Yield a row for each usual method."""
    measured = task.test["loss"].to_numpy(float)
    if task.kind == "curve":
        yield from _curve_rows(task, train, measured)
        return
    largest = train.loc[(train["params"] * train["tokens"]).idxmax(), "loss"]
    yield {"method": "last value", **scored_points(np.full(len(measured), float(largest)), measured)}
    if task.kind == "loss":
        rng = np.random.default_rng(SEED)
        drawn, density = huber.forecast(train, task.test, SAMPLES, rng)
        yield {"method": "Huber, bootstrap", **scored_draws(drawn, measured, density)}


def _curve_rows(task: Task, train: pd.DataFrame, measured: np.ndarray) -> Iterator[dict[str, Any]]:
    x, y = train["x"].to_numpy(float), train["loss"].to_numpy(float)
    new = task.test["x"].to_numpy(float)
    yield {"method": "last value", **scored_points(np.full(len(measured), y[np.argmax(x)]), measured)}
    for form in FORMS:
        some = thinned(train) if form in ("M4", "BNSL") else train  # these take seconds on hundreds of points
        curve = fitted(form, some["x"].to_numpy(float), some["loss"].to_numpy(float))
        yield {"method": form, **scored_points(np.maximum(curve(new), 1e-12), measured)}


def tool_rows(task: Task, train: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Yield a row for each other tool; each is used as its documentation says, with the noise of a new run."""
    asked = {
        "train": train[["params", "tokens", "loss"]].to_dict("list"),
        "test": task.test[["params", "tokens"]].to_dict("list"),
    }
    script = Path(__file__).with_name("tools.py")
    done = subprocess.run(
        [str(TOOLS), str(script)], input=json.dumps(asked), capture_output=True, text=True, timeout=_WAIT, check=False
    )
    if done.returncode:
        yield {"method": "other tools", "note": done.stderr.strip().splitlines()[-1][:200]}
        return
    for method, said in json.loads(done.stdout).items():
        if "fault" in said:
            yield {"method": method, "passed": False, "note": said["fault"][:200]}
        else:
            yield {"method": method, **scored_draws(np.array(said["drawn"]), task.test["loss"].to_numpy(float))}
