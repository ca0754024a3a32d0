"""What a request asks for beside its budget: the limits that people have, the demand for the model's tokens, and a loss to reach."""

from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np
import pandas as pd

from ..errors import InputError


@dataclass(frozen=True)
class Limits:
    """Limits on a plan; None is no limit.

    Attributes
    ----------
    max_params : float, optional
        Largest size, raw count, as the memory of a server gives it; of shapes with `params_total`, that is what is limited.
    max_tokens : float, optional
        Largest number of training tokens, raw count.
    unique_tokens : float, optional
        Distinct tokens that there are. A law that does not know repetition takes them as a limit on tokens.
    max_epochs : float, optional
        Largest tokens / unique_tokens.
    days : float, optional
        Deadline of the training, in days, on the `accelerators` of the costs.
    critical_batch_tokens : float, optional
        Tokens of a step at which a larger batch no longer pays, which limits how many accelerators help.
    shapes : pandas.DataFrame, optional
        The only sizes that can be trained, one a row: `params`, and where wanted `flops_per_token` (training FLOP), `params_total`, and any
        other column.
    """

    max_params: float | None = None
    max_tokens: float | None = None
    unique_tokens: float | None = None
    max_epochs: float | None = None
    days: float | None = None
    critical_batch_tokens: float | None = None
    shapes: pd.DataFrame | None = None

    def __post_init__(self) -> None:
        for name in ("max_params", "max_tokens", "unique_tokens", "max_epochs", "days", "critical_batch_tokens"):
            _check_positive(name, getattr(self, name))
        if self.max_epochs is not None and self.unique_tokens is None:
            raise InputError(
                "`max_epochs` (--max-epochs) counts passes over `unique_tokens`: give --unique-tokens as well, or --max-tokens instead."
            )
        if self.max_epochs is not None and self.max_epochs < 1:
            raise InputError(
                f"`max_epochs` (--max-epochs) must be at least 1, one pass over the data. Got {self.max_epochs!r}."
            )
        if self.shapes is not None:
            object.__setattr__(self, "shapes", check_shapes(self.shapes))


def check_shapes(shapes: pd.DataFrame) -> pd.DataFrame:
    """Return the table of feasible sizes with numbers that are positive; ValueError names the column, the rule and the row."""
    if "params" not in shapes or not len(shapes):
        raise InputError(
            f"`shapes` (--shapes) needs a column 'params' and at least one row; it has {len(shapes)} rows and columns "
            f"{', '.join(map(str, shapes.columns)) or 'none'}."
        )
    shapes = shapes.reset_index(drop=True)
    for column in ("params", "flops_per_token", "params_total"):
        if column not in shapes:
            continue
        values = pd.to_numeric(shapes[column], errors="coerce").to_numpy(float)
        bad = np.flatnonzero(~(np.isfinite(values) & (values > 0)))
        if len(bad):
            raise InputError(
                f"Column '{column}' of the shapes must be a number > 0 in every row. Got {shapes[column].iloc[bad[0]]!r} "
                f"in row {bad[0] + 1}."
            )
        shapes = shapes.assign(**{column: values})
    return shapes


@dataclass(frozen=True)
class Demand:
    """Tokens that the model will serve in its life, LogNormal; the plan is chosen before they are known.

    Attributes
    ----------
    tokens : float
        Median, prompt and generated tokens together, raw count.
    sigma : float
        Sd of the log; 0 for a demand that is known.
    prompt_share : float, optional
        Share of them that are prompt tokens, in [0, 1]; needed where prefill and decoding cost differently.
    budget_quantile : float, optional
        Quantile of the demand that a budget must pay for; None for the expected one.
    """

    tokens: float
    sigma: float = 0.0
    prompt_share: float | None = None
    budget_quantile: float | None = None

    def __post_init__(self) -> None:
        _check_positive("inference_tokens", self.tokens)
        if not (np.isfinite(self.sigma) and self.sigma >= 0):
            raise InputError(
                f"The sd of log demand (--inference-tokens TOKENS:SIGMA) must be >= 0. Got {self.sigma!r} instead."
            )
        for name, low in (("prompt_share", "[0"), ("budget_quantile", "(0")):
            value = getattr(self, name)
            if value is not None and not (0 <= value <= 1 and (name == "prompt_share" or 0 < value < 1)):
                option = "--prompt-share" if name == "prompt_share" else "--demand-quantile"
                close = "1]" if name == "prompt_share" else "1)"
                raise InputError(f"`{name}` ({option}) must be in {low}, {close}. Got {value!r} instead.")

    @property
    def expected(self) -> float:
        """Mean demand, tokens x exp(sigma^2 / 2)."""
        return float(self.tokens * np.exp(self.sigma**2 / 2))

    @property
    def paid(self) -> float:
        """Demand that a budget must pay for: the expected one, or its quantile."""
        if self.budget_quantile is None:
            return self.expected
        return float(self.tokens * np.exp(self.sigma * NormalDist().inv_cdf(self.budget_quantile)))

    def probability_above(self, tokens: float) -> float:
        """Probability that more than so many tokens are asked for."""
        if tokens <= 0:
            return 1.0
        if self.sigma == 0 or not np.isfinite(tokens):
            return float(self.tokens > tokens * (1 + 1e-9))
        return NormalDist().cdf(-np.log(tokens / self.tokens) / self.sigma)


@dataclass(frozen=True)
class Target:
    """A loss to reach.

    Attributes
    ----------
    loss : float
        In the unit of the fit.
    probability : float, optional
        With which it must be reached.
    on : {"expected", "observed"}
        The law's curve with its drift, or what a new run measures, noise and all.
    """

    loss: float
    probability: float | None = None
    on: Literal["expected", "observed"] = "expected"

    def __post_init__(self) -> None:
        _check_positive("target_loss", self.loss)
        if self.probability is not None and not 0 < self.probability < 1:
            raise InputError(f"`probability` (--probability) must be in (0, 1), e.g. 0.9. Got {self.probability!r}.")
        if self.on not in ("expected", "observed"):
            raise InputError(f"`target_on` (--target-on) must be expected or observed. Got {self.on!r}.")


def _check_positive(name: str, value: float | None) -> None:
    if value is None:
        return
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float, np.number))
        or not (np.isfinite(value) and value > 0)
    ):
        raise InputError(f"`{name}` (--{name.replace('_', '-')}) must be a number > 0. Got {value!r} instead.")
