"""The parts of a model file beside its priors: noise, drift and groups."""

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from ..errors import InputError
from .prior import Prior, read_prior

NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Table(BaseModel):
    """A table of a model file: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class Noise(Table):
    """How one run scatters around the law, on the scale of `link`: with scale sqrt(sigma^2 + (fade x decades below the largest run)^2).

    With fewer than `fade_runs` runs, `fade` is less in proportion (`ModelSpec.for_runs`).
    `misfit`, for a law with cells, adds that share of the rise of log loss above the cell's level. `grid_step` is the factor between
    neighbouring values of a grid from which each response was chosen, such as the best rate of a sweep: it adds ln(step) / sqrt(12).
    BetaBinomial counts right answers among `n_items`, with 1 / sigma^2 as the size of the Beta; without `n_items`, StudentT is used.
    """

    dist: Literal["StudentT", "Normal", "Laplace", "BetaBinomial"]
    link: Literal["log", "logit", "identity"] = "log"
    sigma: Annotated[Prior, BeforeValidator(lambda entry: read_prior("noise.sigma", entry))]
    nu: Annotated[Prior, BeforeValidator(lambda entry: read_prior("noise.nu", entry))] | None = None
    fade: NonNegative = 0.0
    fade_runs: NonNegative = 0.0
    misfit: NonNegative = 0.0
    grid_step: Annotated[float, Field(ge=1, allow_inf_nan=False)] = 1.0

    @model_validator(mode="after")
    def _nu_belongs_to_student(self) -> "Noise":
        if (self.dist in ("StudentT", "BetaBinomial")) != (self.nu is not None):
            raise InputError(
                "`noise.nu` must be given with StudentT or BetaBinomial (for tables without n_items), and only then. "
                f"Got dist = {self.dist!r}, nu = {self.nu}."
            )
        if self.grid_step > 1 and self.link != "log":
            raise InputError(
                f"`noise.grid_step` is only for responses modelled in logs. Got it with link = {self.link!r}."
            )
        if self.dist == "BetaBinomial" and self.fade:
            raise InputError(f"`noise.fade` must be 0 with BetaBinomial. Got {self.fade}.")
        return self


class Drift(Table):
    """Error of the law itself beyond its runs, per decade of distance (`laws.distance`).

    `per_decade` is the sd of the response on the scale of the noise; `best_size` that of the log of the best size for a budget, per decade
    of compute. `spread` is the share of the posterior's spread that forecasts and decisions keep (`posterior.spread`).
    """

    per_decade: NonNegative = 0.0
    best_size: NonNegative = 0.0
    spread: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] = 1.0


class Groups(Table):
    """Runs that share a law except for some partially pooled parameters: `by` is a column, `partial` names sampled parameters."""

    by: str
    partial: tuple[str, ...]
    spread: Annotated[Prior, BeforeValidator(lambda entry: read_prior("groups.spread", entry))] = Prior(
        "HalfNormal", {"sigma": 0.3}
    )
