"""Tables of runs simulated from a model: inputs such as people choose, parameters from the priors, and the model's own noise."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ..errors import InputError
from ..laws.law import Law, compute, tokens_within
from ..laws.noise import COUNTS
from ..spec.density import Density
from ..spec.noise import additive_noise, from_link, to_link
from ..spec.spec import ModelSpec

_TRIES = 10_000  # draws of the prior until the law allows one and gives it a value
_FEW = 20  # runs below which a sweep has few values in each cell
_ITEMS = 1000  # of a test


class Simulated(NamedTuple):
    """A simulated table, the parameters behind it, and the anchors by which they have their meaning."""

    table: pd.DataFrame
    truth: dict[str, float]
    anchors: dict[str, float]


def random_runs(rng: np.random.Generator, n: int) -> pd.DataFrame:
    """Return n runs with the inputs of every law in them, log-uniform, and losses that follow no law.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of all numbers.
    n : int
        Runs.

    Returns
    -------
    pandas.DataFrame
        1e7 to 3e9 params on 3 to 300 tokens for each; one to 50 epochs, one in two of the runs; batches of 3e4 to 3e6 tokens.
    """
    params = np.exp(rng.uniform(np.log(1e7), np.log(3e9), n))
    tokens = params * np.exp(rng.uniform(np.log(3), np.log(300), n))
    batch = np.exp(rng.uniform(np.log(3e4), np.log(3e6), n))
    return pd.DataFrame(
        {
            "run": [f"r{j}" for j in range(n)],
            "params": params,
            "tokens": tokens,
            "flops": compute(params, tokens),
            "unique_tokens": tokens / np.exp(np.maximum(rng.uniform(-1, 4, n), 0)),
            "batch_tokens": batch,
            "steps": tokens / batch,
            "loss": rng.uniform(1.8, 4.0, n),
        }
    )


def design(spec: ModelSpec, rng: np.random.Generator, n: int) -> pd.DataFrame:
    """Return the inputs of n runs as a model needs them: a curve, a sweep in cells, budgets, sizes, families, or runs at random.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    rng : numpy.random.Generator
        Source of all numbers.
    n : int
        Runs. A sweep has complete cells, so it may have a few less.

    Returns
    -------
    pandas.DataFrame
        `run`, the inputs, and what else the model takes; the response is 1, or 0.5 for a share, until it is simulated.
    """
    law = spec.get_law()
    table = random_runs(rng, n)
    table["accuracy"] = rng.uniform(0.3, 0.98, n)
    if "steps" in law.inputs:  # with batches at random there would be runs of ten steps
        table["steps"] = np.exp(rng.uniform(np.log(1e3), np.log(3e5), n))
    if law.moves:  # a curve, as a run logs it
        table["tokens"] = np.geomspace(1e8, 1e8 * np.exp(rng.uniform(3, 8)), n)
    elif law.surface or law.profile:
        table = _in_blocks(table, law, rng)
    more: dict[str, Any] = {spec.response: 1.0}
    if spec.noise.link != "log" or spec.noise.dist == COUNTS:
        more[spec.response] = 0.5
    if spec.noise.dist == COUNTS:
        more["n_items"] = float(_ITEMS)
    if spec.groups:
        more[spec.groups.by] = [f"g{j % (2 if n < _FEW else 4)}" for j in range(len(table))]
    return table[["run", *spec.inputs.values()]].assign(**more)


def _in_blocks(table: pd.DataFrame, law: Law, rng: np.random.Generator) -> pd.DataFrame:
    """Return runs in blocks of three to five: the sweep of a cell, the sizes of a budget, the lengths of a size."""
    per_size = law.profile is not None and law.profile.per == "size"
    width = 5 if len(table) >= _FEW else 3 if per_size else 4
    n = len(table) // width * width
    table, step = table.iloc[:n].reset_index(drop=True), np.arange(n) % width - (width - 1) / 2
    first = table.iloc[np.arange(n) // width * width].reset_index(drop=True)
    if law.surface:
        lr, decay = 2e-3 * np.exp(rng.normal(0, 0.3, n)) * 2.0**step, 0.1 * np.exp(rng.uniform(-2, 2, n))
        return table.assign(**first[list(law.surface.cells)], lr=lr, weight_decay=decay)
    if per_size:
        return table.assign(params=first["params"], tokens=first["tokens"] * 3.0**step)
    params = np.sqrt(first["flops"] / 120) * 2.0**step
    return table.assign(params=params, tokens=tokens_within(first["flops"], params), flops=first["flops"])


def simulate(spec: ModelSpec, table: pd.DataFrame, rng: np.random.Generator) -> Simulated:
    """Draw parameters from the priors, as far as the law allows them, and measure the runs of a table with the model's noise.

    Parameters
    ----------
    spec : ModelSpec
        A model that `has_density`.
    table : pandas.DataFrame
        Inputs of the runs, and any response, at which priors that look at it are held.
    rng : numpy.random.Generator
        Source of all numbers.

    Returns
    -------
    Simulated
    """
    density = Density(spec, table)
    spec = density.spec  # with the fade of this number of runs
    for _ in range(_TRIES):
        values = density.values(density.draw(rng, 1))
        with np.errstate(all="ignore"):
            curve = to_link(spec, np.asarray(density.curve(values))[:, 0])
        if np.isfinite(curve).all() and np.all(density.allowed(values)):
            break
    else:
        raise InputError(f"Model '{spec.law}': none of {_TRIES} draws of its priors gives the runs a finite response.")
    noise = additive_noise(spec, values)
    away = noise.standard((len(table), 1), rng) * noise.scale(density.decades)
    with np.errstate(all="ignore"):
        measured = from_link(spec, curve + away[:, 0])
    simulated = table.assign(**{spec.response: measured})
    simulated.attrs["loss_unit"] = "nats/token"  # a prior also gives losses that look like those of another unit
    anchors = {name: float(value) for name, value in density.data.items() if np.ndim(value) == 0}
    return Simulated(simulated, {name: float(value[0]) for name, value in values.items()}, anchors)
