"""`Feasible`: what plans may spend and do spend in one unit, and so the most tokens that each size can be trained on.

Nothing here hangs on the draws: in each of them the same plans are feasible.
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
        The budget, infinite without one.
    per_train_flop : float
        Cost of one training FLOP.
    serving : float
        Cost of all that the budget pays for beside training, for a model of one training FLOP a token (it serves with a third of that).
    max_tokens : mapping of str to float
        Most tokens by option.
    train_flops : mapping of str to float
        Most training FLOP by option.
    max_params : float
        Largest size.
    log_params, log_ratio : numpy.ndarray
        Natural log of FLOP / (6 x params x tokens) at these natural logs of params; between them it is interpolated. Empty for 1.
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
        """Natural log of the training FLOP a token."""
        if not self.log_params:
            return LOG_6 + log_params
        return LOG_6 + log_params + np.interp(log_params, self.log_params, self.log_ratio)

    def log_tokens(self, log_params: np.ndarray) -> np.ndarray:
        """Natural log of the most tokens that sizes can see within all limits; -inf for a size that cannot be paid for."""
        flops = np.exp(self.log_flops_per_token(log_params))
        most = np.full(np.shape(log_params), min(self.max_tokens.values(), default=np.inf))
        for value in self.train_flops.values():
            most = np.minimum(most, value / flops)
        if np.isfinite(self.amount):
            most = np.minimum(most, (self.amount / flops - self.serving) / self.per_train_flop)
        with np.errstate(divide="ignore"):
            return np.log(np.maximum(most, 0))

    def log_params_most(self) -> float:
        """Natural log of the largest size that can be paid for and sees at least one token."""
        least = 1.0
        ends = [value / least for value in self.train_flops.values()]
        if np.isfinite(self.amount):
            ends.append(self.amount / (self.per_train_flop * least + self.serving))
        by_flops = min(ends, default=np.inf)
        if not np.isfinite(by_flops):
            return float(np.log(self.max_params))
        low, high = -80.0, float(np.log(by_flops)) + 20
        for _ in range(60):  # flops a token rise with the size
            middle = (low + high) / 2
            low, high = (
                (middle, high)
                if float(self.log_flops_per_token(np.asarray(middle))) < np.log(by_flops)
                else (low, middle)
            )
        return float(min(low, np.log(self.max_params)))

    def kinks(self, log_params: np.ndarray) -> np.ndarray:
        """Natural logs of the sizes between those given where another limit takes over; optima like to lie there."""
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
        """Most tokens of one size by option."""
        flops = float(np.exp(self.log_flops_per_token(log_params)))
        found = {}
        if np.isfinite(self.amount):
            found[self.budget] = (self.amount / flops - self.serving) / self.per_train_flop
        return found | dict(self.max_tokens) | {name: value / flops for name, value in self.train_flops.items()}

    def _first(self, log_params: np.ndarray) -> str:
        limits = self._limits(log_params)
        return min(limits, key=lambda name: limits[name], default="")

    def binding(self, log_params: float, log_tokens: float) -> list[str]:
        """Names of the options whose limits a plan reaches."""
        return self._beyond(log_params, log_tokens, 1 - _SAME)

    def exceeded(self, log_params: float, log_tokens: float) -> list[str]:
        """Names of the options whose limits a plan breaks."""
        return self._beyond(log_params, log_tokens, 1 + _SAME)

    def _beyond(self, log_params: float, log_tokens: float, share: float) -> list[str]:
        """Names of the options of whose limits a plan takes at least a share."""
        limits = self._limits(np.asarray(log_params))
        found = [name for name, most in limits.items() if np.exp(log_tokens) >= most * share]
        return [*found, *(["max-params"] if np.exp(log_params) >= self.max_params * share else [])]

    def spent(self, log_params: float, log_tokens: float) -> float:
        """Cost of a plan in the unit of the budget."""
        flops = float(np.exp(self.log_flops_per_token(np.asarray(log_params))))
        return flops * (self.per_train_flop * float(np.exp(log_tokens)) + self.serving)

    def within(self, **train_flops: float) -> "Feasible":
        """Return the same with further limits on training FLOP, by option."""
        more = {name.replace("_", "-"): value for name, value in train_flops.items()}
        return replace(self, train_flops={**self.train_flops, **more})

    def scaled(self, amount: float) -> "Feasible":
        """Return the same with another amount."""
        return replace(self, amount=amount)
