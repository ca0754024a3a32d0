"""Posteriors of many tables that a graph simulates itself: compiled once, only the response exchanged; for models without a fast engine.

nutpie samples them, since PyMC's own sampler would compile the graph for each table.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pymc as pm
from threadpoolctl import threadpool_limits

from ..errors import InputError
from ..spec.build import build_model
from ..spec.noise import observed_name
from ..spec.spec import ModelSpec
from .quiet import quiet

_LIMIT, _LEAST = 1.05, 200  # R-hat, and effective draws, of a fit that passes
_NUTS = {"draws": 500, "tune": 500, "chains": 4, "target_accept": 0.95}


class Replication(NamedTuple):
    """A simulated response as modelled; true value and draws, shape (draw,), of each variable; which are sampled; whether it passed."""

    response: np.ndarray
    truth: dict[str, np.ndarray]
    draws: dict[str, np.ndarray]
    sampled: list[str]
    passed: bool


def sample_simulated(
    spec: ModelSpec, rows: pd.DataFrame, *, replications: int, random_seed: int
) -> Iterator[Replication]:
    """Draw parameters and responses of the same runs from the graph's prior, and sample the posterior of each.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    rows : pandas.DataFrame
        Inputs of the runs, and any response.
    replications : int
        Tables.
    random_seed : int
        Seed of all of them.

    Yields
    ------
    Replication
        With all variables that are sampled, elements of vectors apart, and the scalars that follow from them.

    Raises
    ------
    ValueError
        If nutpie is not installed.
    """
    try:
        import nutpie
    except ImportError:
        raise InputError(
            f"Model '{spec.law}' has groups, cells, profiles or counts, so its calibration needs nutpie: pip install 'bayescale[nutpie]'."
        ) from None
    observed = observed_name(spec)
    model = build_model(spec, rows)
    free = [rv.name for rv in model.free_RVs]
    scalars = [one.name for one in model.deterministics if one.ndim == 0]
    with model, quiet():
        prior = pm.sample_prior_predictive(replications, random_seed=random_seed)
    names = [*free, *scalars]
    compiled = nutpie.compile_pymc_model(
        model, var_names=names, default_initialization_strategy="prior", freeze_model=False
    )
    truths = {name: prior["prior"][name].to_numpy()[0] for name in names}
    responses = prior["prior_predictive"][observed].to_numpy()[0]
    for i, response in enumerate(responses):
        with threadpool_limits(limits=1), np.errstate(all="ignore"):
            tree = nutpie.sample(
                compiled.with_data(**{f"{observed}_measured": response}),
                **_NUTS,
                cores=1,
                seed=random_seed + i,
                progress_bar=False,
            )
        posterior = tree["posterior"].to_dataset()
        truth = _apart({name: value[i] for name, value in truths.items()}, 0)
        yield Replication(
            np.asarray(response),
            truth,
            _apart({name: _in_turn(posterior[name].to_numpy()) for name in names}, 1),
            [name for name in truth if name.partition("[")[0] in free],
            _passed(posterior[free]),
        )


def _in_turn(draws: np.ndarray) -> np.ndarray:
    """Return draws (chain, draw, ...) of all chains in turn, so that every k-th one thins each chain, as the last axis."""
    return np.moveaxis(np.swapaxes(draws, 0, 1).reshape(-1, *draws.shape[2:]), 0, -1)


def _apart(values: dict[str, np.ndarray], scalar: int) -> dict[str, np.ndarray]:
    """Return the elements of vectors under names such as T[2]; a scalar has `scalar` axes."""
    found: dict[str, np.ndarray] = {}
    for name, value in values.items():
        if np.ndim(value) == scalar:
            found[name] = value
        else:
            found.update({f"{name}[{i}]": part for i, part in enumerate(value)})
    return found


def _passed(posterior: Any) -> bool:
    """Whether chains agree and have moved enough."""
    import arviz_stats as azs

    rhat, ess = azs.rhat(posterior), azs.ess(posterior)
    worst = max(float(value.max()) for value in rhat.values())
    return worst < _LIMIT and min(float(value.min()) for value in ess.values()) >= _LEAST
