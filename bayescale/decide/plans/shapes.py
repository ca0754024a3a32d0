"""Choosing among the sizes that can be trained: a list of shapes, each with its own FLOP per token and inputs of the law, if given."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from ...errors import InputError, named
from ...laws.law import LOG_6
from .choose import Choice, Own, best_tokens
from .feasible import Feasible
from .loss import LossDraws
from .regret import SHARES, shares_best, short_of_one, some_draws
from .risk import Risk

_DRAWS = 1000  # draws over which the best tokens of a shape are averaged, if more can raise the loss


@dataclass(frozen=True)
class Shapes:
    """Sizes that can be trained; arrays of shape (shape,).

    Attributes
    ----------
    params : array
        Raw counts.
    counted : array
        The params that a limit on size counts: all those of a mixture of experts, otherwise `params`.
    counted_as : str
        Name of the column with these counts.
    flops_per_token : array, optional
        Training FLOP per token.
    inputs : mapping of str to array
        Law input -> value, for inputs other than params and tokens.
    """

    params: np.ndarray
    counted: np.ndarray
    counted_as: str = "params"
    flops_per_token: np.ndarray | None = None
    inputs: Mapping[str, np.ndarray] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Number of shapes."""
        return len(self.params)

    @property
    def plain(self) -> bool:
        """Whether a size that is not on the list would have a known cost and a known loss: only params are listed."""
        return self.flops_per_token is None and not self.inputs and self.counted_as == "params"

    def at(self, mask: np.ndarray) -> "Shapes":
        """Return some of the shapes."""
        return replace(
            self,
            params=self.params[mask],
            counted=self.counted[mask],
            flops_per_token=None if self.flops_per_token is None else self.flops_per_token[mask],
            inputs={name: values[mask] for name, values in self.inputs.items()},
        )

    def logs(self, log_tokens: np.ndarray) -> dict[str, np.ndarray]:
        """Return natural logs of the law's inputs at natural logs of tokens, shape (shape,) or (shape, draw); shape (shape, 1 or draw)."""
        values = {"params": self.params, **self.inputs}
        tokens = log_tokens[:, None] if np.ndim(log_tokens) == 1 else log_tokens
        return {**{name: np.log(value)[:, None] for name, value in values.items()}, "tokens": tokens}

    def feasible_of(self, row: int, feasible: Feasible) -> Feasible:
        """Return the budget for one shape, with its own FLOP per token."""
        feasible = replace(feasible, max_params=np.inf)
        if self.flops_per_token is None:
            return feasible
        log_params = float(np.log(self.params[row]))
        ratio = float(np.log(self.flops_per_token[row])) - LOG_6 - log_params
        return replace(feasible, log_params=(log_params,), log_ratio=(ratio,))

    def log_tokens(self, feasible: Feasible) -> np.ndarray:
        """Return the natural log of the maximum tokens of each shape, shape (shape,); -inf if the budget cannot pay for it."""
        most = [self.feasible_of(row, feasible).log_tokens(np.log(self.params[[row]]))[0] for row in range(self.size)]
        return np.array(most)


def feasible_shapes(shapes: Shapes, feasible: Feasible) -> Shapes:
    """Return the shapes within the largest size and the budget; if there are none, InputError names the nearest request."""
    small = shapes.at(shapes.counted <= feasible.max_params * (1 + 1e-9))
    if not small.size:
        raise InputError(
            f"No shape fits {named('max_params')} of {feasible.max_params:.4g}: the smallest has {shapes.counted.min():.4g} "
            f"{shapes.counted_as.replace('_', ' ')}. Allow that many, or add smaller shapes."
        )
    paid = small.at(np.isfinite(small.log_tokens(feasible)))
    if not paid.size:
        raise InputError(
            f"The budget, {named(feasible.budget.replace('-', '_'))}, is too small for any shape: serving even {small.params.min():.4g} "
            f"params costs more. Raise the budget, lower the demand ({named('inference_tokens')}), or add smaller shapes."
        )
    return paid


def choose_shape(
    draws: LossDraws, feasible: Feasible, risk: Risk, shapes: Shapes, within: float = 0.0
) -> tuple[Choice, int, np.ndarray]:
    """Return the choice among shapes, its row, and the share of draws in which each shape is the best.

    Shapes that waste at most a share `within` of the budget in a draw count as equal there, and share it.
    """
    d = _own_tokens(draws, feasible, shapes)
    own_loss = draws.loss(shapes.logs(d))
    place, best = own_loss.argmin(axis=0), own_loss.min(axis=0)
    n = np.log(shapes.params)
    own = Own(n[place], np.broadcast_to(d, own_loss.shape)[place, np.arange(len(place))], best)
    tokens = _tokens(draws, feasible, risk, shapes)
    loss = draws.loss(shapes.logs(tokens))
    values = risk(loss, best)
    chosen = int(np.argmin(values))
    less = _best_loss(draws, feasible.scaled(feasible.amount * (1 - within)), shapes) if within else best
    shares = shares_best(loss, np.where(np.isfinite(less), np.maximum(less - best, 0), 0))
    choice = Choice(float(n[chosen]), float(tokens[chosen]), float(values[chosen]), loss[chosen], own)
    return choice, chosen, shares


def wasted_by_shape(draws: LossDraws, feasible: Feasible, shapes: Shapes, loss: np.ndarray, spent: float) -> np.ndarray:
    """As `regret.wasted`, but each draw's own best plan is one of the shapes."""
    mask = some_draws(draws.size)
    few = draws.at(mask)
    best = [_best_loss(few, feasible.scaled(spent * share), shapes) for share in SHARES]
    return short_of_one(np.array(best), loss[mask])


def _best_loss(draws: LossDraws, feasible: Feasible, shapes: Shapes) -> np.ndarray:
    """Return the loss of each draw's best shape, infinite if the budget pays for none."""
    d = _own_tokens(draws, feasible, shapes)
    losses = draws.loss(shapes.logs(np.where(np.isfinite(d), d, 0.0)))
    return np.asarray(np.where(np.isfinite(d), losses, np.inf).min(axis=0))


def flat_shapes(
    draws: LossDraws, feasible: Feasible, risk: Risk, shapes: Shapes, choice: Choice, spent: float, within: float
) -> tuple[float, float]:
    """Return natural logs of the smallest and largest shape that reach what the best one reaches at (1 - within) of the spending."""
    n = np.log(shapes.params)

    def values(amount: float) -> np.ndarray:
        d = _tokens(draws, feasible.scaled(amount), risk, shapes)
        losses = draws.loss(shapes.logs(np.where(np.isfinite(d), d, 0.0)))
        return np.where(np.isfinite(d), risk(losses, choice.own.loss), np.inf)

    good = n[values(spent) <= max(values(spent * (1 - within)).min(), choice.value)]
    return float(good.min(initial=choice.log_params)), float(good.max(initial=choice.log_params))


def _own_tokens(draws: LossDraws, feasible: Feasible, shapes: Shapes) -> np.ndarray:
    """Return the natural log of each draw's best tokens for each shape; shape (shape, draw) or (shape, 1)."""
    most = shapes.log_tokens(feasible)
    return draws.log_useful_tokens(shapes.logs(most)) if draws.rises else most[:, None]


def _tokens(draws: LossDraws, feasible: Feasible, risk: Risk, shapes: Shapes) -> np.ndarray:
    """Return the natural log of the tokens that each shape is trained on; shape (shape,)."""
    if not draws.rises:
        return shapes.log_tokens(feasible)
    few = draws.thinned(_DRAWS)
    best = few.loss(shapes.logs(_own_tokens(few, feasible, shapes))).min(axis=0)
    found = []
    for row in range(shapes.size):
        others = {name: np.log(values[row]) for name, values in shapes.inputs.items()}
        n = np.log(shapes.params[[row]])
        found.append(best_tokens(few, shapes.feasible_of(row, feasible), risk, best, n, others)[0])
    return np.array(found)
