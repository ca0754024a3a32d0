"""Which runs are fitted and which are held out: the largest ones at several cuts, and few runs drawn from the rest."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from ...errors import InputError, named
from ...runs.problems import counted
from ...spec.data import model_inputs
from ...spec.spec import ModelSpec
from .profiles import Profile, profiles_of

_LEAST = 5  # runs that a fit takes
_EDGE = 1e-9  # of a logarithm: rounding of a run that lies on a cut
_APART = 1.5  # factor between the largest fitted runs of two cuts; nearer ones would count the same forecasts twice
_TRIES = 50


@dataclass(frozen=True)
class Holdout:
    """Which runs of a table are held out.

    Attributes
    ----------
    cuts : sequence of float
        Shares of the largest run's compute (or of the largest value of a curve's input), in (0, 1): of each, the runs up to there are
        fitted and all larger ones held out. A cut is left out if fewer than 5 runs are before it, or hardly fewer than before a larger one.
    sizes : sequence of int
        Also fit that many runs, drawn from those before each cut; 0 stands for all of them and is always there.
    repeats : int
        How often runs are drawn for each size.
    each_law : bool
        Score each law of an average too.
    random_seed : int
        Seed of what is drawn and of all fits.
    """

    cuts: Sequence[float] = (0.3, 0.1, 0.03, 0.01)
    sizes: Sequence[int] = ()
    repeats: int = 3
    each_law: bool = False
    random_seed: int = 1

    def __post_init__(self) -> None:
        bad = [cut for cut in self.cuts if isinstance(cut, bool) or not 0 < cut < 1]
        if bad or not len(self.cuts):
            raise InputError(f"`cuts` (--cut) must be shares of the largest run, in (0, 1), such as 0.1. Got {bad}.")
        for name, values, least in (("sizes", self.sizes, _LEAST), ("repeats", [self.repeats], 1)):
            wrong = [value for value in values if isinstance(value, bool) or value != int(value) or value < least]
            if wrong:
                raise InputError(f"{named(name)} must be whole numbers >= {least}. Got {wrong[0]!r}.")


class Cell(NamedTuple):
    """One fit of a backtest, and the runs that it forecasts.

    Attributes
    ----------
    cut : float
        Share of the largest run's reach up to which runs may be fitted.
    size, repeat : int
        Number of runs drawn and number of the draw; 0 if all runs before the cut are fitted.
    small, large : pandas.DataFrame
        The runs fitted, and those held out, with their `reach`.
    seed : int
        Of the fit.
    profiles : list of Profile
        Of the held-out runs: those for which the fit chooses a size.
    """

    cut: float
    size: int
    repeat: int
    small: pd.DataFrame
    large: pd.DataFrame
    seed: int
    profiles: list[Profile]


def make_cells(spec: ModelSpec, rows: pd.DataFrame, holdout: Holdout) -> list[Cell]:
    """Return the cells of a backtest, the largest cut first.

    Parameters
    ----------
    spec : ModelSpec
        A model to be fitted; its law says what is extrapolated: compute, or a curve's input.
    rows : pandas.DataFrame
        The runs that may be used.
    holdout : Holdout
        What is held out.

    Raises
    ------
    ValueError
        If no cut has 5 runs before it, at different sizes, and a run beyond.
    """
    reach = np.asarray(spec.get_law().reach(**model_inputs(spec, rows)), dtype=float)
    rows, logs = rows.assign(reach=reach), np.log(reach)
    profiles = _profiles(spec, rows)
    cells: list[Cell] = []
    last = np.inf
    for number, cut in enumerate(sorted(holdout.cuts, reverse=True)):
        head = logs <= logs.max() + np.log(cut) + _EDGE
        if head.sum() < _LEAST or head.all() or not _vary(spec, rows[head]):
            continue
        if logs[head].max() > last - np.log(_APART):
            continue
        last = logs[head].max()
        small, large = (rows[part].reset_index(drop=True) for part in (head, ~head))
        beyond = _beyond(profiles, float(small["reach"].max()))
        cells.append(Cell(cut, 0, 0, small, large, holdout.random_seed, beyond))
        for size in holdout.sizes:
            for repeat in range(1, holdout.repeats + 1) if size < len(small) else ():
                rng = np.random.default_rng([holdout.random_seed, number, size, repeat])
                drawn = _drawn(spec, small, size, rng)
                if drawn is not None:
                    cells.append(Cell(cut, size, repeat, drawn, large, holdout.random_seed + repeat, beyond))
    if not cells:
        raise InputError(_too_few(logs, holdout.cuts))
    return sorted(cells, key=lambda cell: (-cell.cut, cell.size, cell.repeat))


def _profiles(spec: ModelSpec, rows: pd.DataFrame) -> list[Profile]:
    """Return the measured profiles, if the law chooses sizes by the loss."""
    law = spec.get_law()
    if not (law.sizes_models and law.gives_loss and not law.others and spec.response.startswith("loss")):
        return []
    named = {"params", "tokens"} <= {*spec.inputs.values()}
    return profiles_of(rows.assign(loss=rows[spec.response]), pools=law.counts_epochs) if named else []


def _beyond(profiles: Sequence[Profile], largest: float) -> list[Profile]:
    """Return, for each pool of unique tokens, the profile with most compute whose runs are all larger than the fitted ones."""
    top: dict[str, Profile] = {}
    for one in profiles:
        if (6 * one.rows["params"] * one.rows["tokens"]).min() > largest:
            top[str(one.pool)] = one
    return list(top.values())


def _drawn(spec: ModelSpec, small: pd.DataFrame, size: int, rng: np.random.Generator) -> pd.DataFrame | None:
    """Draw runs of different sizes, in the order of the table; None if that does not happen."""
    for _ in range(_TRIES):
        drawn = small.iloc[np.sort(rng.choice(len(small), size, replace=False))].reset_index(drop=True)
        if _vary(spec, drawn):
            return drawn
    return None


def _vary(spec: ModelSpec, rows: pd.DataFrame) -> bool:
    return all(rows[column].nunique() > 1 for column in spec.inputs.values())


def _too_few(logs: np.ndarray, cuts: Sequence[float]) -> str:
    most = max(cuts)
    below = int((logs <= logs.max() + np.log(most) + _EDGE).sum())
    return (
        f"A backtest needs {_LEAST} runs of different sizes before a cut. Of {counted(len(logs), 'run')}, {below} have at most {most:.3g} "
        "of the largest one's compute: add smaller runs, or cut nearer the largest (`cuts`, --cut 0.5)."
    )
