"""The tokens that a model will serve over its lifetime."""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from ...errors import InputError, named, positive

_MOST = 1e30  # tokens
_LARGEST = 300.0  # logarithm that does not overflow but is refused


@dataclass(frozen=True)
class Demand:
    """Tokens that the model will serve over its lifetime, LogNormal; the plan is chosen before they are known.

    Attributes
    ----------
    tokens : float
        Median, prompt and generated tokens together, raw count.
    sigma : float
        Sd of the log; 0 for a known demand.
    prompt_share : float, optional
        Share of prompt tokens, in [0, 1]; required if prefill and decoding have different costs.
    budget_quantile : float, optional
        Quantile of the demand that a budget must pay for; None for the expected demand.
    """

    tokens: float
    sigma: float = 0.0
    prompt_share: float | None = None
    budget_quantile: float | None = None

    def __post_init__(self) -> None:
        positive("inference_tokens", self.tokens)
        if not (np.isfinite(self.sigma) and self.sigma >= 0):
            raise InputError(f"The sd of log demand, {named('sigma')}, must be >= 0. Got {self.sigma!r}.")
        for name, low in (("prompt_share", "[0"), ("budget_quantile", "(0")):
            value = getattr(self, name)
            if value is not None and not (0 <= value <= 1 and (name == "prompt_share" or 0 < value < 1)):
                close = "1]" if name == "prompt_share" else "1)"
                raise InputError(f"{named(name)} must be in {low}, {close}. Got {value!r}.")

        if not max(self.expected, self.paid) < _MOST:
            raise InputError(
                f"The demand, {named('demand')}, is {max(self.expected, self.paid):.3g} tokens at its mean or quantile, more than "
                f"anybody serves. Got a median of {self.tokens:.3g} and an sd of the log of {self.sigma:.3g}."
            )

    @property
    def expected(self) -> float:
        """Mean demand, tokens x exp(sigma^2 / 2)."""
        return float(self.tokens * np.exp(min(self.sigma**2 / 2, _LARGEST)))

    @property
    def paid(self) -> float:
        """Demand that a budget must pay for: its expected value or its quantile."""
        if self.budget_quantile is None:
            return self.expected
        return float(self.tokens * np.exp(min(self.sigma * NormalDist().inv_cdf(self.budget_quantile), _LARGEST)))

    def probability_above(self, tokens: float) -> float:
        """Return the probability that the demand exceeds a number of tokens."""
        if tokens <= 0:
            return 1.0
        if self.sigma == 0 or not np.isfinite(tokens):
            return float(self.tokens > tokens * (1 + 1e-9))
        return NormalDist().cdf(-np.log(tokens / self.tokens) / self.sigma)
