"""Models for tasks: accuracy against loss or against scale, error against loss, exact match against accuracy, loss on other text.

Each is fitted to pairs of measurements from the same run, so it has no noise of scale. A second fit predicts the loss of a plan, and
`forecast(..., through=)` joins the two draw by draw.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import InputError
from .arrays import logistic
from .law import Law

_Numbers = Mapping[str, Any]


def inverse(loss: Any) -> Any:
    """Extrapolation along a loss is counted downwards."""
    return 1 / loss


def itself(x: Any) -> Any:
    """Extrapolation is counted along the input itself."""
    return x


def accuracy_in_loss(loss: Any, *, floor: Any, ceiling: Any, k: Any, L0: Any) -> Any:
    """Accuracy, falling from `ceiling` at zero loss to `floor` (chance): halfway at L0, steepness k (OLMo ladder, arXiv:2412.04403).

    Parameters
    ----------
    loss : float or array
        Loss, any unit.
    floor, ceiling, k, L0 : float or array
        In the ladder's notation, b = ceiling and a = floor - ceiling.

    Returns
    -------
    float or array
        Share of right answers.
    """
    return (floor - ceiling) * logistic(k * (loss - L0)) + ceiling


def _loss_anchors(inputs: _Numbers, response: Any = None) -> dict[str, float]:
    return {"loss_mean": float(np.mean(inputs["loss"]))}


def _check_chance(chance: Any) -> None:
    number = isinstance(chance, int | float) and not isinstance(chance, bool)
    if chance is not None and not (number and 0 <= chance < 1):
        raise InputError(
            f"`options.chance` must be a share from 0 to below 1, such as 0.25 for four choices. Got {chance!r}."
        )


def _accuracy(chance: float | None = None) -> Law:
    """Return the law for accuracy against loss, with a chance level that is stated (`chance`) or sampled (None)."""
    _check_chance(chance)

    def constants(sampled: _Numbers, anchors: _Numbers) -> dict[str, Any]:
        """Ceiling as a share of the range above chance; how far up from chance to it the mean loss is, as a logit; ln steepness there."""
        k = np.exp(sampled["log_steepness"]) / anchors["loss_mean"]
        floor = sampled["chance"] if chance is None else chance + 0 * k
        return {
            "floor": floor,
            "ceiling": floor + (1 - floor) * sampled["head"],
            "k": k,
            "L0": anchors["loss_mean"] + sampled["middle"] / k,
        }

    return Law(
        name="accuracy",
        inputs=("loss",),
        sampled=(*(("chance",) if chance is None else ()), "head", "middle", "log_steepness"),
        loss=accuracy_in_loss,
        anchors=_loss_anchors,
        constants=constants,
        reach=inverse,
        level="",
        chance="floor",
        keeps_repeats=True,
        spans=False,
        options={"chance": None},
        configured=_accuracy,
    )


def accuracy_in_scale(x: Any, *, floor: Any, ceiling: Any, k: Any, log_x0: Any) -> Any:
    """Accuracy against params, tokens or FLOP: a sigmoid in ln x from `floor` to `ceiling`, halfway at x0, with steepness k in ln x.

    Parameters
    ----------
    x : float or array
        Any scale, > 0.
    floor, ceiling, k, log_x0 : float or array
        Chance, limit, steepness (> 0) and natural log of the halfway scale.

    Returns
    -------
    float or array
        Share of right answers.
    """
    return floor + (ceiling - floor) * logistic(k * (np.log(x) - log_x0))


def _scale_anchors(inputs: _Numbers, response: Any = None) -> dict[str, float]:
    return {"log_x_mean": float(np.mean(np.log(inputs["x"])))}


def _accuracy_scale(chance: float | None = None) -> Law:
    """Return the law for accuracy against a scale, with a chance level that is stated (`chance`) or sampled (None)."""
    _check_chance(chance)

    def constants(sampled: _Numbers, anchors: _Numbers) -> dict[str, Any]:
        """Floor below T, the accuracy in the middle of the rows, and ceiling above it, as shares of the remaining range; ln steepness.

        With a stated chance level, T is the share of the way from it to 1.
        """
        k = np.exp(sampled["log_steepness"])
        T = sampled["T"] if chance is None else chance + (1 - chance) * sampled["T"]
        floor = T * sampled["low"] if chance is None else chance + 0 * T
        ceiling = T + (1 - T) * sampled["head"]
        log_x0 = anchors["log_x_mean"] + (np.log(ceiling - T) - np.log(T - floor)) / k
        return {"floor": floor, "ceiling": ceiling, "k": k, "log_x0": log_x0}

    return Law(
        name="accuracy-scale",
        inputs=("x",),
        sampled=("T", *(("low",) if chance is None else ()), "head", "log_steepness"),
        loss=accuracy_in_scale,
        anchors=_scale_anchors,
        constants=constants,
        reach=itself,
        level="",
        chance="floor",
        keeps_repeats=True,
        options={"chance": None},
        configured=_accuracy_scale,
    )


def top1_error(loss: Any, *, eps: Any, k: Any, gamma: Any) -> Any:
    """Error averaged over tasks, eps - k e^(-gamma loss) (Gadre et al. 2024, eq. 5); eps is near the error at chance."""
    return eps - k * np.exp(-gamma * loss)


def _error_constants(sampled: _Numbers, anchors: _Numbers) -> dict[str, Any]:
    """Gadre's constants from T, the error at the mean loss, the share of the way from T to 1 at which it ends, and ln gamma."""
    gamma = np.exp(sampled["log_gamma"])
    eps = sampled["T"] + (1 - sampled["T"]) * sampled["gap"]
    return {"eps": eps, "k": (eps - sampled["T"]) * np.exp(gamma * anchors["loss_mean"]), "gamma": gamma}


def match(accuracy: Any, *, length: Any) -> Any:
    """Exact match of a block, accuracy^length: every token right (Schaeffer et al. 2023, arXiv:2304.15004).

    Parameters
    ----------
    accuracy : float or array
        Share of single tokens that are right, in (0, 1).
    length : float or array
        Tokens in the block; if errors come together, an effective length below the true one.

    Returns
    -------
    float or array
        Share of blocks that are completely right.
    """
    return np.exp(length * np.log(accuracy))


def _of_accuracy(accuracy: Any) -> Any:
    return accuracy


def _match_anchors(inputs: _Numbers, response: Any = None) -> dict[str, float]:
    return {}


def linear(loss: Any, *, offset: Any, slope: Any = 1.0) -> Any:
    """Loss on another text distribution, offset + slope x loss; Kaplan et al. 2020 (§3.2.2) find a slope of 1."""
    return offset + slope * loss


def _transfer_constants(sampled: _Numbers, anchors: _Numbers) -> dict[str, Any]:
    """Offset from T, the loss on the other text at the mean loss, and ln slope."""
    slope = np.exp(sampled["log_slope"])
    return {"offset": sampled["T"] - slope * anchors["loss_mean"], "slope": slope}


def _exact_match(tokens: int = 10) -> Law:
    """Return the law for exact match with a given number of tokens per block; ValueError if it is not a whole number >= 1."""
    if isinstance(tokens, bool) or not isinstance(tokens, int) or tokens < 1:
        raise InputError(f"`options.tokens` must be a whole number >= 1, the tokens in a block. Got {tokens!r}.")

    def constants(sampled: _Numbers, anchors: _Numbers) -> dict[str, Any]:
        return {"length": tokens * np.exp(sampled["log_ratio"])}

    return Law(
        name="exact-match",
        inputs=("accuracy",),
        sampled=("log_ratio",),
        loss=match,
        anchors=_match_anchors,
        constants=constants,
        reach=_of_accuracy,
        level="",
        keeps_repeats=True,
        spans=False,
        options={"tokens": 10},
        configured=_exact_match,
    )


LAWS = (
    _accuracy(),
    _accuracy_scale(),
    Law(
        name="error",
        inputs=("loss",),
        sampled=("T", "gap", "log_gamma"),
        loss=top1_error,
        anchors=_loss_anchors,
        constants=_error_constants,
        reach=inverse,
        level="",
        keeps_repeats=True,
        spans=False,
    ),
    _exact_match(),
    Law(
        name="transfer",
        inputs=("loss",),
        sampled=("T", "log_slope"),
        loss=linear,
        anchors=_loss_anchors,
        constants=_transfer_constants,
        reach=inverse,
        level="",
        keeps_repeats=True,
        spans=False,
    ),
)
