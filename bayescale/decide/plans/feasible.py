"""`Feasible`: what plans may spend and do spend in one unit, and so the maximum tokens of each size.

Nothing here depends on the draws: the same plans are feasible in each of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from ...laws.law import LOG_6

_SAME = 1e-6  # relative distance at which a limit counts as reached


@dataclass(frozen=True)
class Feasible:
    """A budget in one unit, prices in that unit, and limits.

    Attributes
    ----------
    budget : str
        Name of the option that set the amount: flops, gpu-hours, usd or days.
    amount : float
        The budget; infinite if there is none.
    per_train_flop : float
        Cost of one training FLOP.
    serving : float
        Cost of all that the budget pays for in addition to training, for a model with one training FLOP per token (serving takes a third of
        that).
    max_tokens : mapping of str to float
        Maximum tokens by option.
    train_flops : mapping of str to float
        Maximum training FLOP by option.
    max_params : float
        Largest size.
    log_params, log_ratio : numpy.ndarray
        Natural log of FLOP / (6 x params x tokens) at these natural logs of params, interpolated between them. Empty for a ratio of 1.
    """

    budget: str
    amount: float
    per_train_flop: float = 1.0
    serving: float = 0.0
    max_tokens: Mapping[str, float] = field(default_factory=dict)
    train_flops: Mapping[str, float] = field(default_factory=dict)
    max_params: float = np.inf
    log_params: tuple[float, ...] = ()
    log_ratio: tuple[float, ...] = ()

    def log_flops_per_token(self, log_params: np.ndarray) -> np.ndarray:
        """Return the natural log of the training FLOP per token."""
        if not self.log_params:
            return LOG_6 + log_params
        return LOG_6 + log_params + np.interp(log_params, self.log_params, self.log_ratio)

    def log_tokens(self, log_params: np.ndarray) -> np.ndarray:
        """Return the natural log of the maximum tokens of sizes within all limits; -inf for a size that the budget cannot pay for."""
        flops = np.exp(self.log_flops_per_token(log_params))
        most = np.full(np.shape(log_params), min(self.max_tokens.values(), default=np.inf))
        for value in self.train_flops.values():
            most = np.minimum(most, value / flops)
        if np.isfinite(self.amount):
            most = np.minimum(most, (self.amount / flops - self.serving) / self.per_train_flop)
        with np.errstate(divide="ignore"):
            return np.log(np.maximum(most, 0))

    def log_params_most(self) -> float:
        """Return the natural log of the largest size that the budget can train on at least one token."""
        least = 1.0
        ends = [value / least for value in self.train_flops.values()]
        if np.isfinite(self.amount):
            ends.append(self.amount / (self.per_train_flop * least + self.serving))
        by_flops = min(ends, default=np.inf)
        if not np.isfinite(by_flops):
            return float(np.log(self.max_params))
        low, high = -80.0, float(np.log(by_flops)) + 20
        for _ in range(60):  # FLOP per token rise with the size
            middle = (low + high) / 2
            low, high = (
                (middle, high)
                if float(self.log_flops_per_token(np.asarray(middle))) < np.log(by_flops)
                else (low, middle)
            )
        return float(min(low, np.log(self.max_params)))

    def kinks(self, log_params: np.ndarray) -> np.ndarray:
        """Return natural logs of the sizes between those given at which another limit takes over; optima often lie there."""
        names = [self._first(np.asarray(n)) for n in log_params]
        found = []
        for left, right, a, b in zip(log_params, log_params[1:], names, names[1:], strict=False):
            low, high = float(left), float(right)
            if a == b:
                continue
            for _ in range(50):
                middle = (low + high) / 2
                low, high = (middle, high) if self._first(np.asarray(middle)) == a else (low, middle)
            found.append((low + high) / 2)
        return np.array(found)

    def _limits(self, log_params: np.ndarray) -> dict[str, float]:
        """Return the maximum tokens of one size by option."""
        flops = float(np.exp(self.log_flops_per_token(log_params)))
        found = {}
        if np.isfinite(self.amount):
            found[self.budget] = (self.amount / flops - self.serving) / self.per_train_flop
        return found | dict(self.max_tokens) | {name: value / flops for name, value in self.train_flops.items()}

    def _first(self, log_params: np.ndarray) -> str:
        limits = self._limits(log_params)
        return min(limits, key=lambda name: limits[name], default="")

    def binding(self, log_params: float, log_tokens: float) -> list[str]:
        """Return the names of the options whose limits a plan reaches."""
        return self._beyond(log_params, log_tokens, 1 - _SAME)

    def exceeded(self, log_params: float, log_tokens: float) -> list[str]:
        """Return the names of the options whose limits a plan breaks."""
        return self._beyond(log_params, log_tokens, 1 + _SAME)

    def _beyond(self, log_params: float, log_tokens: float, share: float) -> list[str]:
        """Return the names of the options for which a plan uses at least a share of the limit."""
        limits = self._limits(np.asarray(log_params))
        found = [name for name, most in limits.items() if np.exp(log_tokens) >= most * share]
        return [*found, *(["max-params"] if np.exp(log_params) >= self.max_params * share else [])]

    def spent(self, log_params: float, log_tokens: float) -> float:
        """Return the cost of a plan in the unit of the budget."""
        flops = float(np.exp(self.log_flops_per_token(np.asarray(log_params))))
        return flops * (self.per_train_flop * float(np.exp(log_tokens)) + self.serving)

    def within(self, **train_flops: float) -> "Feasible":
        """Return a copy with further limits on training FLOP, by option."""
        more = {name.replace("_", "-"): value for name, value in train_flops.items()}
        return replace(self, train_flops={**self.train_flops, **more})

    def scaled(self, amount: float) -> "Feasible":
        """Return a copy with another amount."""
        return replace(self, amount=amount)
