"""A loss to reach."""

from dataclasses import dataclass
from typing import Literal

from ...errors import InputError, named, positive


@dataclass(frozen=True)
class Target:
    """A loss to reach.

    Attributes
    ----------
    loss : float
        Loss, in the unit of the fit.
    probability : float, optional
        Required probability of reaching it.
    on : {"expected", "observed"}
        The law's curve with its drift, or the loss measured in a new run, including noise.
    """

    loss: float
    probability: float | None = None
    on: Literal["expected", "observed"] = "expected"

    def __post_init__(self) -> None:
        positive("target_loss", self.loss)
        if self.probability is not None and not 0 < self.probability < 1:
            raise InputError(f"{named('probability')} must be in (0, 1), e.g. 0.9. Got {self.probability!r}.")
        if self.on not in ("expected", "observed"):
            raise InputError(f"{named('target_on')} must be expected or observed. Got {self.on!r}.")
