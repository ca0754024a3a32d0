"""`Metric`: a metric of a task in every draw of the loss, from a second fit."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...errors import InputError, named
from ...forecasts.averaged import whose_draws
from ...forecasts.through import check_units
from ...posterior import Fit


@dataclass(frozen=True)
class Metric:
    """A share from 0 to 1 as a function of the loss, one value per draw.

    Attributes
    ----------
    name : str
        The response of its fit.
    share : callable
        From losses of shape (..., draw) to the metric.
    rises : bool
        Whether a lower loss raises it.
    fitted : tuple of float
        Smallest and largest loss in its fit.
    unit : str
        Unit of the loss.
    """

    name: str
    share: Callable[[np.ndarray], np.ndarray]
    rises: bool
    fitted: tuple[float, float]
    unit: str

    def missed(self, loss: np.ndarray) -> np.ndarray:
        """Return the percentage points missed: fewer is better, whichever way the metric goes."""
        share = self.share(loss)
        return 100 * (1 - share if self.rises else share)

    def outside(self, loss: np.ndarray) -> str:
        """Return a warning if the median loss lies outside the losses that the metric was fitted to."""
        least, most = self.fitted
        middle = float(np.median(loss))
        if least <= middle <= most:
            return ""
        seen = f"{least:.4g} to {most:.4g} that {self.name} was fitted to"
        return f"The loss of {middle:.4g} {self.unit} lies outside the {seen}: the metric has no drift."


def metric_of(metrics: Sequence[Fit], fit: Fit, n_draws: int) -> Metric:
    """Return the metric of a fit, with one of its draws for each draw of the loss.

    Parameters
    ----------
    metrics : sequence of Fit
        Of a share (accuracy, error, exact match) against only the loss: one, or those of an average.
    fit : Fit
        The fit that gives the loss, or the first of an average.
    n_draws : int
        Draws of the loss. Each gets a random draw of the metric: the two were fitted separately, so they are independent.

    Returns
    -------
    Metric
        As a function of losses of shape (..., n_draws).

    Raises
    ------
    ValueError
        If a fit takes more than the loss, gives no share, or is for another unit of loss.
    """
    sizes = metrics[0].draws.sizes
    weights = {one.name: one.weight for one in metrics}
    owner = whose_draws(weights, (sizes["chain"], sizes["draw"]), metrics[0].mixing_seed).ravel()
    order = np.random.default_rng(metrics[0].seed).permutation(max(owner.size, n_draws))[:n_draws] % owner.size
    each = [_one(one, fit, order) for one in metrics]

    def share(loss: np.ndarray) -> np.ndarray:
        found = each[0].share(loss)
        for i, one in enumerate(each[1:], start=1):
            found = np.where(owner[order] == i, one.share(loss), found)
        return found

    fitted = (max(one.fitted[0] for one in each), min(one.fitted[1] for one in each))
    return replace(each[0], share=share, fitted=fitted)


def _one(metric: Fit, fit: Fit, order: np.ndarray) -> Metric:
    """Return the metric of one fit, with its draws in an order."""
    what = f"The fit of the metric, {named('metric')},"
    spec, law, losses = metric.spec, metric.law, fit.spec.response
    if list(spec.inputs.values()) != [losses] or spec.groups is not None:
        takes = ", ".join(map(repr, spec.inputs.values())) + (" by group" if spec.groups is not None else "")
        raise InputError(f"{what} must take only '{losses}'; this one takes {takes}.")
    check_units(metric, fit)
    name = next(iter(spec.inputs))
    constants = {key: metric.draws[key].to_numpy().ravel() for key in law.loss_constants}
    paired = {key: value[order] for key, value in constants.items()}
    fitted = metric.data[losses].to_numpy()
    ends = [float(np.mean(law.loss(**{name: loss}, **constants))) for loss in (fitted.min(), fitted.max())]
    if not (min(ends) >= 0 and max(ends) <= 1):
        raise InputError(
            f"A point, {named('usd_per_point')}, is a hundredth of a share from 0 to 1; '{spec.response}' goes from {min(ends):.3g} to "
            f"{max(ends):.3g} in its fit, {named('metric')}."
        )
    return Metric(
        spec.response,
        lambda loss: law.loss(**{name: loss}, **paired),
        rises=ends[0] >= ends[1],
        fitted=(float(fitted.min()), float(fitted.max())),
        unit=metric.loss_unit,
    )
