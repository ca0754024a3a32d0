"""Checks whether the law can follow the runs at all: draws that are not numbers, a law that explains nothing, patterns it leaves.

Patterns are looked for in standardised residuals, against functions of the inputs that a law of the wrong shape leaves behind, and in
the directions that its parameters leave free: with few runs they take up most of the residuals, and what they leave looks like a
pattern. Without this, nine runs and five parameters gave a false alarm in 4% of simulated tables of the right law; with it, 0.5%
(0.5% to 2% over tables of 6 to 20 runs of both kinds).
"""

from typing import Any

import numpy as np
import xarray as xr

from ...spec.noise import observed_name
from ...spec.spec import ModelSpec
from .others import BREAKS, instead, supports
from .residuals import Residuals
from .verdict import verdict

_EXPLAINED, _NOTHING = 0.5, 0.1
_FOLLOWED = 0.5  # share that a parabola explains, and the probability that it does by chance
_BY_CHANCE = 0.001
_FEWEST, _FREE, _SIMULATED, _LEVEL = 6, 3, 4000, 0.01
_SOME = 500  # draws that show the directions a law moves; with all of them, long tables would take minutes
_LEFT = 0.2  # norm of a function that is left by the law: less could not be seen
_CORRELATION = 0.4  # with many runs even a pattern that does not matter is certain
_CLIPPED = 3.0  # in scales of the noise: one outlier makes no pattern
_STEEPER = 1.3
_END_LEVEL, _HALVED = 0.005, 6  # and runs of a third from which its second half is also looked at


def finite_check(idata: xr.DataTree, residuals: Residuals) -> dict[str, Any]:
    """Check that all draws, and the law at the runs, are numbers."""
    draws = idata["posterior"].to_dataset()
    bad = [str(name) for name, value in draws.data_vars.items() if not np.isfinite(value).all()]
    bad += [] if np.isfinite(residuals.curves).all() or bad else ["the expected response of the runs"]
    return verdict(
        "finite_draws",
        float(len(bad)),
        0,
        "at most",
        f"Some draws are not finite numbers, in {', '.join(bad)}: no interval or forecast of this fit means anything. Check the units of "
        "the columns, and the priors in the model file.",
        fails=True,
    )


def follow_checks(idata: xr.DataTree, spec: ModelSpec, residuals: Residuals) -> list[dict[str, Any]]:
    """Return `explained`, which fails the fit if a parabola follows the runs and the law does not, `residual_pattern` and `end_slope`."""
    law, data = spec.get_law(), idata["constant_data"]
    logs = {column: np.log(data[name].to_numpy()) for name, column in spec.inputs.items()}
    checks = [_explained_check(spec, residuals, logs)]
    if law.gives_loss:
        checks.append(_pattern_check(spec, residuals, logs, data))
        if len(logs) == 1 and residuals.factors:
            checks.append(_end_check(spec, residuals, *logs.items()))
    return checks


def explained(away: np.ndarray, measured: np.ndarray) -> float:
    """Return the share of the variance of the measured response that the law explains; 0 if all are equal."""
    variance = float(np.var(measured))
    return 1 - float(np.mean(away**2)) / variance if variance > 0 else 0.0


def _explained_check(spec: ModelSpec, residuals: Residuals, logs: dict[str, np.ndarray]) -> dict[str, Any]:
    share = explained(residuals.away, residuals.measured)
    what = f"The law explains {max(share, 0):.0%} of the spread of {observed_name(spec)} among these runs"
    bears_on: tuple[Any, ...] = ("forecast", "sizes") if spec.get_law().profile else ("forecast",)
    middle = np.median(np.abs(residuals.measured - np.median(residuals.measured)))
    lost = share < _NOTHING and np.median(np.abs(residuals.away)) > middle / 2
    smooth, chance = parabola(residuals.measured, list(logs.values())) if spec.get_law().gives_loss else (0.0, 1.0)
    if lost and smooth > _FOLLOWED and chance < _BY_CHANCE:
        other = instead(spec, len(residuals.away)) if len(logs) == 1 else ""
        advice = (
            f"{what}, where a parabola in ln {' and ln '.join(logs)} explains {smooth:.0%}: it cannot follow them. Check units and "
            f"columns.{other}"
        )
        return verdict("explained", share, _EXPLAINED, "at least", advice, fails=True, bears_on=bears_on)
    advice = f"{what}: they do not follow it. Check units and columns; if only noise separates the runs, add runs further apart."
    return verdict("explained", share, _EXPLAINED, "at least", advice, bears_on=bears_on)


def parabola(measured: np.ndarray, logs: list[np.ndarray]) -> tuple[float, float]:
    """Share of the variance that a parabola in each input explains, and the probability that it explains as much by chance."""
    from scipy.special import fdtrc  # scipy.stats takes a second to import

    columns = [np.ones(len(measured)), *(_scaled(one) ** power for one in logs for power in (1, 2))]
    design = np.stack(columns, axis=1)
    rank = int(np.linalg.matrix_rank(design))
    left = measured - design @ np.linalg.lstsq(design, measured, rcond=None)[0]
    share, free = explained(left, measured), len(measured) - rank
    if rank < 2 or free < 1 or share <= 0:
        return 0.0, 1.0
    if share >= 1:
        return 1.0, 0.0
    return share, float(fdtrc(rank - 1, free, share / (1 - share) * free / (rank - 1)))


def _pattern_check(spec: ModelSpec, residuals: Residuals, logs: dict[str, np.ndarray], data: Any) -> dict[str, Any]:
    parameters = len(spec.priors) + len(spec.covariate_columns)
    if spec.groups:
        parameters += len(spec.groups.partial) * int(data["group_index"].max())
    moved = moved_directions(residuals.curves, residuals.scale, parameters)
    standard = np.clip(residuals.away / residuals.scale, -_CLIPPED, _CLIPPED)
    name, correlation, chance = pattern(standard, logs, moved)
    open_ = chance < _LEVEL and abs(correlation) > _CORRELATION
    return verdict(
        "residual_pattern",
        abs(correlation) if open_ else (np.nan if np.isnan(correlation) else min(abs(correlation), _CORRELATION)),
        _CORRELATION,
        "at most",
        f"The residuals keep a pattern that the law cannot follow: {_in_words(name, correlation, spec)} (correlation "
        f"{abs(correlation):.2f}, p = {max(chance, 1 / _SIMULATED):.2g}). Beyond the runs it becomes an error."
        + instead(spec, len(standard)),
        bears_on=("forecast",),
    )


def pattern(
    standard: np.ndarray, logs: dict[str, np.ndarray], moved: np.ndarray
) -> tuple[tuple[str, ...], float, float]:
    """Find the function of the inputs that residuals follow most, in the directions that the law leaves free.

    Parameters
    ----------
    standard : numpy.ndarray, shape (run,)
        Residuals in scales of the noise.
    logs : dict of str to array
        Column -> natural logs of the input.
    moved : numpy.ndarray, shape (run, direction)
        Orthonormal directions that parameters of the law move.

    Returns
    -------
    tuple
        Name of the function: its kind and its columns; correlation with it; probability of one as large by chance, over all functions.
        NaN and 1 if there are too few runs.
    """

    def left_of(values: np.ndarray) -> np.ndarray:
        return np.asarray(values - moved @ (moved.T @ values))

    functions = {name: left_of(values) for name, values in _functions(logs).items()}
    functions = {name: values / norm for name, values in functions.items() if (norm := np.linalg.norm(values)) > _LEFT}
    left, free = left_of(standard), len(standard) - moved.shape[1]
    if len(standard) < _FEWEST or free < _FREE or not functions or not np.linalg.norm(left) > 0:
        return (), np.nan, 1.0
    design = np.stack(list(functions.values()))
    found = design @ (left / np.linalg.norm(left))
    best = int(np.argmax(np.abs(found)))
    # Chance residuals are standard normal in the free directions. Only those that the functions span need to be drawn; the others add to
    # the length.
    size, directions = np.linalg.eigh(design @ design.T)
    spanned = size > _LEFT**2
    rng = np.random.default_rng(sum(map(ord, "pattern")))
    chance = rng.standard_normal((_SIMULATED, int(spanned.sum())))
    length = np.sqrt((chance**2).sum(axis=1) + 2 * rng.gamma(max(free - spanned.sum(), 0) / 2, size=_SIMULATED))
    along = chance @ (directions[:, spanned] * np.sqrt(size[spanned])).T
    most = np.abs(along).max(axis=1) / length
    return list(functions)[best], float(found[best]), float(np.mean(most >= abs(found[best])))


def moved_directions(curves: np.ndarray, scale: np.ndarray, parameters: int) -> np.ndarray:
    """Directions of standardised residuals that the law moves, from its draws at the runs, shape (draw, run) on the link's scale.

    The draws of a law with p parameters spread over about p directions; residuals keep nothing along these.
    """
    some = curves[:: max(len(curves) // _SOME, 1)]
    _, _, directions = np.linalg.svd((some - some.mean(axis=0)) / scale, full_matrices=False)
    return np.asarray(directions[:parameters].T)


def _functions(logs: dict[str, np.ndarray]) -> dict[tuple[str, ...], np.ndarray]:
    """Functions of the inputs with mean 0 and norm 1; higher ones are orthogonal to lower ones."""
    found: dict[tuple[str, ...], np.ndarray] = {}
    linear = {column: _scaled(values) for column, values in logs.items()}
    for column, values in linear.items():
        distinct = len(np.unique(np.round(values, 6)))
        lower = [np.ones(len(values))]
        for power, kind in ((1, "slope"), (2, "bend"), (3, "wave")):
            if distinct > power:
                _add(found, (kind, column), values**power, lower)
    names = list(linear)
    for i, one in enumerate(names):
        for other in names[i + 1 :]:
            lower = [np.ones(len(linear[one])), linear[one], linear[other]]
            _add(found, ("product", one, other), linear[one] * linear[other], lower)
    return found


def _add(
    found: dict[tuple[str, ...], np.ndarray], name: tuple[str, ...], values: np.ndarray, lower: list[np.ndarray]
) -> None:
    design = np.stack(lower, axis=1)
    left = values - design @ np.linalg.lstsq(design, values, rcond=None)[0]
    lower.append(values)
    if (norm := float(np.linalg.norm(left))) > 1e-6 * np.sqrt(len(values)):
        found[name] = left / norm


def _scaled(values: np.ndarray) -> np.ndarray:
    spread = float(np.std(values))
    return (values - values.mean()) / spread if spread > 0 else 0 * values


def _in_words(name: tuple[str, ...], correlation: float, spec: ModelSpec) -> str:
    if not name:
        return ""
    kind, column, *other = name
    up = correlation > 0
    if kind == "product":
        return f"{column} helps {'less' if up else 'more'} at many {other[0]} than the law allows, and {'more' if up else 'less'} at few"
    if kind == "slope":
        return f"measured {spec.response} {'rises above' if up else 'falls below'} the law as {column} grows"
    if kind == "bend":
        return f"runs at both ends of {column} lie {'above' if up else 'below'} the law, those between {'below' if up else 'above'} it"
    return f"measured {spec.response} waves around the law along {column}, and lies {'above' if up else 'below'} it at the largest"


def _end_check(spec: ModelSpec, residuals: Residuals, along: tuple[str, np.ndarray]) -> dict[str, Any]:
    column, log_x = along
    before, last, chance = end_slopes(log_x, residuals.measured)
    compare = "compare numbers of breaks (bayescale fit-breaks), or " if supports(BREAKS, len(log_x)) else ""
    growing = before * last > 0 and abs(last) > _STEEPER * abs(before) and chance < _END_LEVEL
    return verdict(
        "end_slope",
        np.nan if np.isnan(last) else (abs(last / before) if growing else min(abs(last / before), _STEEPER)),
        _STEEPER,
        "at most",
        f"The curve steepens at its end: per factor of e in {column}, ln {spec.response} changes by {last:.2g} over the last runs and by "
        f"{before:.2g} over the third of them before. Its last slope may still be growing (a learning rate that still decays ends a curve "
        f"so), and a forecast beyond the runs depends on it: {compare}add longer runs.",
        bears_on=("forecast",),
    )


def end_slopes(log_x: np.ndarray, measured: np.ndarray) -> tuple[float, float, float]:
    """Slopes over the third of the runs before the last third and over the last, and the probability of such a difference by chance.

    The last sixth takes the place of the last third if its slope is surely steeper: a schedule that decays shows late in a curve.
    """
    from scipy.special import stdtr  # scipy.stats takes a second to import

    order = np.argsort(log_x, kind="stable")
    third = max(3, len(order) // 3)
    if len(order) < 2 * third:
        return np.nan, np.nan, 1.0
    parts = [order[-2 * third : -third], order[-third:]]
    if any(len(np.unique(np.round(log_x[part], 6))) < 3 for part in parts):
        return np.nan, np.nan, 1.0
    if third >= _HALVED and len(np.unique(np.round(log_x[order[-(third // 2) :]], 6))) >= 3:
        parts.append(order[-(third // 2) :])
    # Noise is what a parabola leaves: around a line, the bend of a schedule would count as noise.
    left, free = zip(*(_left(log_x[part], measured[part]) for part in parts[:2]), strict=True)
    slopes, widths = zip(*(_slope(log_x[part], measured[part]) for part in parts), strict=True)
    noise = max(sum(left) / sum(free), 1e-12)
    chances = [
        min(
            2
            * (len(parts) - 1)
            * float(stdtr(sum(free), -abs(slope - slopes[0]) / np.sqrt(noise * (width + widths[0])))),
            1.0,
        )
        for slope, width in zip(slopes[1:], widths[1:], strict=True)
    ]
    late = len(parts) == 3 and 0 < slopes[1] / slopes[2] < 1 and chances[1] < _END_LEVEL
    return slopes[0], slopes[2 if late else 1], chances[1 if late else 0]


def _slope(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Return the slope of a line and its variance, in variances of the noise."""
    x = x - x.mean()
    return float(x @ (y - y.mean()) / (x @ x)), float(1 / (x @ x))


def _left(x: np.ndarray, y: np.ndarray) -> tuple[float, int]:
    """Return the sum of squares that a parabola leaves (of three points, a line), and its degrees of freedom."""
    design = np.vander(x - x.mean(), 3 if len(x) > 3 else 2)
    away = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
    return float(away @ away), len(x) - design.shape[1]
