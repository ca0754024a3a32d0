"""`LossDraws`: the loss in every draw of a fit, or of an average of fits, as one function of params and tokens.

All choices are made of it. It is NumPy alone, with the draws on the last axis; the loss is the law's curve times the drift beyond the runs,
the same draws as `forecast` has of the same seed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from ..errors import InputError
from ..forecasts.averaged import whose_draws
from ..forecasts.forecast import drift_standard
from ..laws import Law
from ..posterior import fit_weights, fitted_spec, is_average, weighed_fits
from ..spec.groups import local_draws
from ..spec.spec import ModelSpec

ALL_NEW = 1e40  # unique tokens of a pool that no run exhausts


@dataclass(frozen=True)
class Part:
    """The draws that one fit gives: the law's constants and the noise, each of shape (draw,)."""

    law: Law
    constants: Mapping[str, np.ndarray]
    others: Mapping[str, float]  # inputs beside params, tokens and unique_tokens
    drift: np.ndarray  # of log loss, per natural log of reach beyond the runs
    log_reach_max: float
    sigma: np.ndarray
    nu: np.ndarray | None
    noise: str
    fade: float  # sd of log loss per natural log of reach below the largest run
    held: np.ndarray  # drift of log loss that all plans share, whatever their reach

    @property
    def size(self) -> int:
        return len(self.sigma)

    def at(self, places: Any) -> "Part":
        """Return some of the draws."""
        return replace(
            self,
            constants={name: value[places] for name, value in self.constants.items()},
            drift=self.drift[places],
            sigma=self.sigma[places],
            held=self.held[places],
            nu=None if self.nu is None else self.nu[places],
        )


@dataclass(frozen=True)
class LossDraws:
    """Expected loss as a function of plans, one value per draw.

    Attributes
    ----------
    parts : tuple of Part
        One per fit; their draws follow one another on the last axis.
    pool : float
        Unique tokens that there are, for laws of repeated data.
    """

    parts: tuple[Part, ...]
    pool: float = ALL_NEW

    @property
    def size(self) -> int:
        """Number of draws."""
        return sum(part.size for part in self.parts)

    @property
    def rises(self) -> bool:
        """Whether more tokens can make a loss worse."""
        return any(part.law.most_tokens for part in self.parts)

    @property
    def repeats(self) -> bool:
        """Whether every law knows what repeated data do."""
        return all(part.law.repeats for part in self.parts)

    def loss(self, log_params: Any, log_tokens: Any) -> np.ndarray:
        """Return the expected loss in every draw.

        Parameters
        ----------
        log_params, log_tokens : array, shape (..., 1) or (..., draw)
            Natural logs of params and of tokens.

        Returns
        -------
        numpy.ndarray
            Shape (..., draw), in the fit's unit.
        """
        return self._each(_loss, log_params, log_tokens)

    def probability(self, log_params: Any, log_tokens: Any, target: float) -> np.ndarray:
        """Probability in every draw that a new run of the plan measures at most `target`; shapes as in `loss`."""
        return self._each(partial(_probability, target), log_params, log_tokens)

    def log_useful_tokens(self, log_params: Any, log_tokens: Any) -> np.ndarray:
        """Natural log of the tokens that serve each draw best, `log_tokens` or fewer where more would make its loss worse."""
        return self._each(_useful, log_params, log_tokens)

    def holding(self, log_params: Any, log_tokens: Any) -> "LossDraws":
        """Return the same draws with the drift that each has at one plan, for all plans.

        So plans are compared: what drift there is at a compute bears on all of them alike. Were it let loose, a draw whose law drifts down
        would praise any waste of compute, and one whose law drifts up would save it.
        """
        n, d = np.array([log_params]), np.array([log_tokens])
        parts = []
        for part in self.parts:
            reach = np.log(part.law.reach(**_inputs(part, self.pool, n, d)))
            held = part.drift * np.maximum(reach - part.log_reach_max, 0)
            parts.append(replace(part, held=held, drift=0 * part.drift))
        return replace(self, parts=tuple(parts))

    def thinned(self, n: int) -> "LossDraws":
        """Return at most about n of the draws, evenly spread."""
        if n >= self.size:
            return self
        step = self.size / n
        return replace(self, parts=tuple(part.at(_spread(part.size, part.size / step)) for part in self.parts))

    def at(self, places: np.ndarray) -> "LossDraws":
        """Return the draws of a mask, shape (draw,)."""
        starts = np.cumsum([0, *(part.size for part in self.parts)])
        kept = [part.at(places[a:b]) for part, a, b in zip(self.parts, starts, starts[1:], strict=False)]
        return replace(self, parts=tuple(part for part in kept if part.size))

    def _each(self, function: Callable[..., np.ndarray], log_params: Any, log_tokens: Any) -> np.ndarray:
        """Evaluate each fit on its own draws, and join them."""
        if len(self.parts) == 1:
            return function(self.parts[0], self.pool, log_params, log_tokens)
        start, found = 0, []
        for part in self.parts:
            own = slice(start, start + part.size)
            given = [x[..., own] if np.shape(x)[-1] > 1 else x for x in (log_params, log_tokens)]
            found.append(function(part, self.pool, *given))
            start += part.size
        return np.concatenate(found, axis=-1)


def _spread(size: int, n: float) -> np.ndarray:
    return np.linspace(0, size - 1, max(1, round(n))).astype(int)


def _inputs(part: Part, pool: float, log_params: Any, log_tokens: Any) -> dict[str, Any]:
    inputs = {"params": np.exp(log_params), "tokens": np.exp(log_tokens), **part.others}
    return inputs | {"unique_tokens": pool} if part.law.repeats else inputs


def _loss(part: Part, pool: float, log_params: Any, log_tokens: Any) -> np.ndarray:
    inputs = _inputs(part, pool, log_params, log_tokens)
    loss = part.law.loss(**inputs, **part.constants)
    if part.held.any():
        loss = loss * np.exp(part.held)
    if not part.drift.any():
        return loss
    beyond = np.maximum(np.log(part.law.reach(**inputs)) - part.log_reach_max, 0)
    return loss * np.exp(part.drift * beyond) if beyond.any() else loss


def _useful(part: Part, pool: float, log_params: Any, log_tokens: Any) -> np.ndarray:
    if part.law.most_tokens is None:
        return np.broadcast_to(
            log_tokens, np.broadcast_shapes(np.shape(log_params), np.shape(log_tokens), (part.size,))
        )
    enough = part.law.most_tokens(np.exp(log_params), unique_tokens=pool, **part.others, **part.constants)
    return np.minimum(log_tokens, np.log(enough))


def _probability(target: float, part: Part, pool: float, log_params: Any, log_tokens: Any) -> np.ndarray:
    from scipy.special import ndtr, stdtr  # slow to import, and most choices need none of it

    inputs = _inputs(part, pool, log_params, log_tokens)
    below = np.maximum(part.log_reach_max - np.log(part.law.reach(**inputs)), 0)
    z = (np.log(target) - np.log(_loss(part, pool, log_params, log_tokens))) / np.hypot(part.sigma, part.fade * below)
    if part.noise == "StudentT":
        return np.asarray(stdtr(part.nu, z))
    if part.noise == "Laplace":
        tail = np.exp(-np.sqrt(2) * np.abs(z)) / 2
        return np.where(z < 0, tail, 1 - tail)
    return np.asarray(ndtr(z))


def loss_draws(
    idata: xr.DataTree,
    *,
    at: Mapping[str, Any],
    pool: float | None,
    drift: bool,
    random_seed: int | np.random.Generator | None,
) -> LossDraws:
    """Return the loss of a fit, or of an average of fits, as a function of plans.

    Parameters
    ----------
    idata : xarray.DataTree
        A fit of a law of params and tokens, or an average of such.
    at : mapping
        Column -> value of what the fits take beside params, tokens and unique tokens.
    pool : float, optional
        Unique tokens; None for as many as a run may want.
    drift : bool
        Whether the law may go wrong beyond its runs.
    random_seed : int, numpy.random.Generator or None
        Of the drift, as in `forecast`.

    Returns
    -------
    LossDraws
        With as many draws as a fit has.
    """
    fits = weighed_fits(idata)
    parts = [_part(one, at, drift, random_seed) for one in fits.values()]
    if is_average(idata):
        weights = fit_weights(idata)
        shape = next(iter(fits.values()))["posterior"].sizes
        chosen = {name: weights[name] for name in fits}
        seed = int(idata.attrs["random_seed"])
        owner = whose_draws(chosen, (shape["chain"], shape["draw"]), seed).ravel()
        parts = [part.at(owner == i) for i, part in enumerate(parts)]
    return LossDraws(parts=tuple(part for part in parts if part.size), pool=ALL_NEW if pool is None else pool)


def _part(
    idata: xr.DataTree, at: Mapping[str, Any], drift: bool, random_seed: int | np.random.Generator | None
) -> Part:
    spec = fitted_spec(idata)
    law = spec.get_law()
    own = int(idata.attrs["random_seed"])
    draws = local_draws(spec, idata, {name: [value] for name, value in at.items()}, "plan", random_seed=own)
    draws = draws.isel(plan=0, drop=True) if "plan" in draws.dims else draws
    rng = np.random.default_rng(own if random_seed is None else random_seed)
    standard = drift_standard(draws["sigma"].shape, rng).to_numpy().ravel()
    return Part(
        law=law,
        constants={name: draws[name].to_numpy().ravel() for name in law.loss_constants},
        others=_others(spec, at),
        drift=standard * (spec.drift.per_decade if drift else 0.0) / np.log(10),
        log_reach_max=float(idata["constant_data"]["log_reach_max"]),
        sigma=draws["sigma"].to_numpy().ravel(),
        nu=draws["nu"].to_numpy().ravel() if "nu" in draws else None,
        noise=spec.noise.dist,
        fade=spec.noise.fade / np.log(10),
        held=np.zeros(standard.size),
    )


def _others(spec: ModelSpec, at: Mapping[str, Any]) -> dict[str, float]:
    """Values of what the law takes beside params, tokens and unique tokens; ValueError where one is missing or not positive."""
    found = {}
    for name in spec.get_law().others:
        column = spec.inputs[name]
        if name == "unique_tokens":
            continue
        if column not in at:
            raise InputError(
                f"The fit takes '{column}' beside params and tokens: give --at {column}=VALUE (at={{'{column}': VALUE}})."
            )
        value = at[column]
        if not isinstance(value, (int, float)) or not np.isfinite(value) or value <= 0:
            raise InputError(f"`at['{column}']` must be a positive number. Got {value!r} instead.")
        found[name] = float(value)
    return found
