"""How well laws that are fitted to the smaller runs of a table forecast its larger ones, and the weights, drift and spread that follow.

What is asked of a law is a forecast of runs larger than the fitted ones, so this is what it is scored by. Neither leave-one-out nor the
evidence asks that: both reward the law that interpolates best. The points beyond a cut err together (one curve, one recipe), so they
count as one observation, their mean log density; and few cuts tell little, so weights are shrunk to equal ones.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ..laws.distance import Drift, distance, reached_by, signed_decades
from ..posterior.fast import sample_briefly
from ..posterior.spread import moved
from ..progress import steps
from ..spec.data import model_inputs
from ..spec.noise import additive_noise, drifted, log_density, log_mean_exp, to_link
from ..spec.spec import ModelSpec

CUTS = (0.35, 0.5, 0.65, 0.8)  # of the range of the runs in log compute, or along another reach
_LEAST_HEAD, _LEAST_TAIL = 5, 2
_DRAWS = 1000  # of each fit to a head
_TRIED = 2  # laws with which it is tried whether small runs count in full, the best ones
_ONE_SD = (0.1587, 0.5, 0.8413)  # a Normal's mean less one sd, mean, and mean plus one sd
_NEAREST = 0.3  # decades: runs nearer beyond a cut count as so far, since they say nothing about an error per decade
_OUTSIDE = 0.05  # predictive probability on either side of a 90% band
# Cuts that weigh as much as the belief that all laws are equally good, drift as usual, and are off by what they say.
_SHRINK = 3.0


class _Scored(NamedTuple):
    """A forecast of the runs beyond a cut: mean log density of a run; of each the probability of a lower value, median, sd and distance."""

    score: float
    below: np.ndarray
    median: np.ndarray
    sd: np.ndarray
    distance: np.ndarray


def split_at(reach: np.ndarray) -> list[np.ndarray]:
    """Return which runs are in the head of each cut, those with the smaller reach.

    Parameters
    ----------
    reach : array of float, shape (run,)
        Compute of each run, or whatever extrapolation is counted along.

    Returns
    -------
    list of array of bool, shape (run,)
        Different heads, each of at least 5 runs at two values of reach, with at least 2 runs beyond; none if there are too few runs.
    """
    logs = np.log(reach)
    edges = logs.min() + np.array(CUTS) * np.ptp(logs)
    heads = {tuple(logs <= edge): logs <= edge for edge in edges}
    return [
        head
        for head in heads.values()
        if head.sum() >= _LEAST_HEAD and (~head).sum() >= _LEAST_TAIL and np.ptp(logs[head]) > 0
    ]


def forward_scores(specs: Mapping[str, ModelSpec], rows: pd.DataFrame, *, random_seed: int) -> pd.DataFrame:
    """Score each law's forecasts of larger runs, from fits to the smaller ones at several cuts.

    Parameters
    ----------
    specs : mapping of str to ModelSpec
        Models of the same response that `has_density`, by name.
    rows : pandas.DataFrame
        The rows that all of them fit.
    random_seed : int
        Seed of all fits.

    Returns
    -------
    pandas.DataFrame
        Index law, one column for each cut, named by the number of runs before it: mean log density of a run beyond the cut, with the
        law's drift; minus infinity if it forecasts no value. No columns if there are too few runs. Its attributes `below`, `median`,
        `sd` and `distance` have for each cut and law, shape (run beyond,), the predictive probability of a lower value than measured,
        the predictive median and sd on the scale of the noise, and the distance beyond the cut in decades.
    """
    found = {
        int(head.sum()): {name: _score(spec, rows, head, random_seed) for name, spec in specs.items()}
        for head in steps(_heads(specs, rows), "Forecasting from the smaller runs")
    }
    scores = {n: {name: one.score for name, one in laws.items()} for n, laws in found.items()}
    table = pd.DataFrame(scores, index=list(specs), dtype=float).rename_axis("law")
    for key in _Scored._fields[1:]:
        table.attrs[key] = {n: {name: getattr(one, key) for name, one in laws.items()} for n, laws in found.items()}
    return table


def missed(scores: pd.DataFrame, weights: Mapping[str, float]) -> str:
    """Return a sentence if the larger runs contradict the average's forecasts from the smaller ones; an empty one if they do not.

    Parameters
    ----------
    scores : pandas.DataFrame
        From `forward_scores`.
    weights : mapping of str to float
        Of the laws, summing to one.

    Returns
    -------
    str
        Says so where most runs beyond the last cut lie outside the 90% bands, and most beyond half of all cuts. The runs beyond a cut err
        together, so a single miss is no surprise.
    """
    below: dict[int, dict[str, np.ndarray]] = scores.attrs.get("below", {})
    mixed = [np.sum([weights[name] * laws[name] for name in weights], axis=0) for laws in below.values()]
    outside = [float(np.mean((one < _OUTSIDE) | (one > 1 - _OUTSIDE))) > 0.5 for one in mixed]
    if not outside or not outside[-1] or sum(outside) < max(len(outside) / 2, min(len(outside), 2)):
        return ""
    last = mixed[-1]
    side = "below" if np.median(last) < 0.5 else "above"
    cuts = f"at {sum(outside)} of {len(outside)} cuts" if len(outside) > 1 else "at the one cut"
    return (
        f"The smaller runs of this table forecast its larger ones badly: {cuts} most of these lie outside the 90% bands, {side} them at "
        "the last; `bayescale backtest` shows by how much."
    )


def kept_spread(scores: pd.DataFrame, weights: Mapping[str, float]) -> float:
    """Return the share of the posterior's spread that forecasts need, as the average's forecasts of the larger runs suggest.

    Its square is the mean over cuts of the squared errors, in predictive sds, in which the belief that forecasts are off by what they say
    counts as three cuts, as equal weights do. Fade widens a posterior in case the law does not hold for small runs; a table shows how much
    of that it needs. It takes something off by chance too: of forecasts that are off by just what they say, whose errors at four cuts are
    all one error, 90% bands would hold 82% (86% with independent errors). On public suites they hold more (benchmarks/README.md).

    Parameters
    ----------
    scores : pandas.DataFrame
        From `forward_scores`.
    weights : mapping of str to float
        Of the laws, summing to one.

    Returns
    -------
    float
        At most 1: where errors are larger than forecasts say, the laws drift more (`own_drift`) and the posterior is as wide as it is. 1
        without a cut.
    """
    errors = _squared_errors(scores, weights)
    found = np.sqrt((_SHRINK + sum(errors)) / (_SHRINK + len(errors)))
    return float(min(found, 1.0)) if np.isfinite(found) else 1.0


def own_drift(scores: pd.DataFrame, weights: Mapping[str, float], usual: float) -> float:
    """Return the drift per decade of the average that its forecasts of the larger runs from the smaller ones suggest.

    Each cut gives one estimate of its variance: what squared errors have beyond the variance of the forecasts, per squared decade. Their
    mean, in which the usual drift counts as three cuts, as equal weights do, replaces it. Forecasts that are better than they say show at
    most that there is no drift, because their variance is mostly that of the parameters.

    Parameters
    ----------
    scores : pandas.DataFrame
        From `forward_scores`.
    weights : mapping of str to float
        Of the laws, summing to one.
    usual : float
        Drift with which the laws forecast.

    Returns
    -------
    float
        The usual one without a cut.
    """
    errors, shares, beyond = _squared_errors(scores, weights), _shares(weights), 0.0
    medians, sds, distances = (_by_law(scores, weights, key) for key in _Scored._fields[2:])
    cuts = len(errors)
    for n, error in enumerate(errors):
        middle = shares @ medians[n]
        variance = np.mean(shares @ (sds[n] ** 2 + (medians[n] - middle) ** 2))
        beyond += (error - 1) * variance / np.mean(np.maximum(distances[n], _NEAREST) ** 2)
    prior, count = _SHRINK * usual**2, _SHRINK + cuts
    found = np.sqrt(max(prior + cuts * usual**2 + beyond, prior) / count)
    return float(found) if np.isfinite(found) else usual


def _squared_errors(scores: pd.DataFrame, weights: Mapping[str, float]) -> list[float]:
    """Return the mean squared error of the average's forecasts beyond each cut, in sds of a Normal with the same probabilities."""
    from scipy.special import ndtri  # slow to import

    least, shares = 1 / _DRAWS, _shares(weights)
    return [
        float(np.mean(ndtri((shares @ one).clip(least, 1 - least)) ** 2)) for one in _by_law(scores, weights, "below")
    ]


def _shares(weights: Mapping[str, float]) -> np.ndarray:
    """Return the weights of the laws that have any."""
    return np.array([weight for weight in weights.values() if weight > 0])


def _by_law(scores: pd.DataFrame, weights: Mapping[str, float], key: str) -> list[np.ndarray]:
    """Return an attribute of the scores for each cut, shape (law, run beyond), of the laws that have weight."""
    cuts = scores.attrs.get(key, {}).values()
    return [np.stack([laws[name] for name, weight in weights.items() if weight > 0]) for laws in cuts]


def _heads(specs: Mapping[str, ModelSpec], rows: pd.DataFrame) -> list[np.ndarray]:
    first = next(iter(specs.values()))
    return split_at(np.asarray(first.get_law().reach(**model_inputs(first, rows))))


def _score(spec: ModelSpec, rows: pd.DataFrame, head: np.ndarray, seed: int) -> _Scored:
    """Score a law's forecast of the runs beyond a cut, on the scale of the noise, with the law's drift and spread as in `forecast`."""
    small, large = (rows[part].reset_index(drop=True) for part in (head, ~head))
    density, values = sample_briefly(spec, small, draws=_DRAWS, random_seed=seed)
    law = density.law
    if spec.drift.spread < 1:  # asked for
        values = {**values, **moved(law, values, density.data, spec.drift.spread)}
    measured: Any = large[spec.response].to_numpy(float)[:, None]
    draws: Any = values
    inputs = {name: value[:, None] for name, value in model_inputs(spec, large).items()}
    reached = reached_by(law, density.data, float(density.data["log_reach_max"]))
    rng = np.random.default_rng(seed)
    standard = rng.standard_normal(_DRAWS) if spec.drift.per_decade else np.zeros(_DRAWS)
    beyond = distance(law, inputs, reached)
    drift = Drift(standard, spec.drift.per_decade).at(beyond)
    below = np.maximum(-signed_decades(law, inputs, reached), 0)
    with np.errstate(all="ignore"):
        curve = law.loss(**inputs, **{name: values[name] for name in law.loss_constants})
        expected: Any = np.asarray(drifted(spec, curve, drift))
        each = log_density(density.spec, draws, expected, measured, below, None)
        score = np.mean(log_mean_exp(np.nan_to_num(np.asarray(each), nan=-np.inf), axis=1))
        noise = additive_noise(density.spec, draws)
        drawn = to_link(spec, expected) + noise.standard(expected.shape, rng) * noise.scale(below)
        lower = np.mean(drawn < to_link(spec, measured), axis=1)
        low, median, high = np.nanquantile(drawn, _ONE_SD, axis=1)
    # Half of the middle 68%, since tails and draws far out would make the sd itself.
    sd, far = (high - low) / 2, np.broadcast_to(beyond[:, 0], low.shape)
    return _Scored(float(np.nan_to_num(score, nan=-np.inf)), lower, median, sd, far)


def law_holds(specs: Mapping[str, ModelSpec], rows: pd.DataFrame, scores: pd.DataFrame, *, random_seed: int) -> float:
    """Return how much better the larger runs are forecast if small runs count in full: log odds for a law that holds exactly.

    A cut's runs count once, as in the weights. On public suites, 96 tables of 8 to 103 runs, the largest value was 1.7; on simulated sweeps
    that follow a law exactly it is about 0.6 for each cut. To fire more often does harm: without drift, six tables of 12 and 20 public runs
    had 0.8 to 1.8, and with all runs in full the 90% bands of four of these held none of the larger runs.

    Parameters
    ----------
    specs : mapping of str to ModelSpec
        Models, by name; one without a fade of its own choice is not tried.
    rows : pandas.DataFrame
        The rows that all of them fit.
    scores : pandas.DataFrame
        From `forward_scores`.
    random_seed : int
        Seed of all fits.

    Returns
    -------
    float
        Sum over cuts of the best law's gain. A cut that gains nothing ends the search; it begins with the last cut, whose many runs show
        best that a law does not hold.
    """
    tried = [name for name in scores.mean(axis=1).sort_values(ascending=False).index if specs[name].noise.fade_runs]
    tried = tried[:_TRIED]
    heads = {int(head.sum()): head for head in _heads(specs, rows)}
    total = 0.0
    for n, column in reversed(list(scores.items())) if tried else ():
        exact = [specs[name].changed({"noise": {"fade": 0.0}}) for name in tried]
        gain = max(_score(spec, rows, heads[int(str(n))], random_seed).score for spec in exact) - float(column.max())
        total += gain
        if not gain > 0:
            return min(total, 0.0)
    return total


def weigh(scores: pd.DataFrame, *, in_full: bool = False) -> dict[str, float]:
    """Return weights that sum to one, in proportion to exp(n_cuts x score / (n_cuts + 3)), of the score averaged over cuts.

    Parameters
    ----------
    scores : pandas.DataFrame
        From `forward_scores`. A law that forecasts no value at some cut has weight 0.
    in_full : bool
        Weights in proportion to exp(n_cuts x score): for a table over which a law holds, cuts tell as much as they seem to.

    Returns
    -------
    dict of str to float
        Equal weights if there is no cut, or no law forecasts anything.
    """
    mean, cuts = scores.mean(axis=1).fillna(0.0).to_numpy(), scores.shape[1]
    if not np.isfinite(mean).any():
        mean = np.zeros(len(mean))
    raw = np.exp((cuts if in_full else cuts / (cuts + _SHRINK)) * (mean - mean.max()))
    return dict(zip(map(str, scores.index), (raw / raw.sum()).tolist(), strict=True))
