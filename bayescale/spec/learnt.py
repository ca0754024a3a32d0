"""Priors learnt from public suites, jointly with the model's own: a suite is like those with a stated probability, or unlike them in all.

p(theta) = w prod learnt_k(theta_k) + (1 - w) prod own_k(theta_k). The runs choose between the two parts (robust meta-analytic-predictive
prior: Schmidli et al. 2014, doi:10.1111/biom.12242; Roever et al. 2018, arXiv:1805.10890). One weight for all parameters: a suite with
an unusual exponent is one that the others tell little about. No prior looks at the responses of the table.

What is learnt enters every engine as a factor on the product of the model's own priors, `log_learnt`. Another factor, on both parts, says
how many tokens per parameter are best: at the compute where plans are made this is alike between suites whose exponents are not. Its
tails are heavy, so that runs of a kind that no suite has can say otherwise. It counts only where the runs can tell size from data:
elsewhere it would be all that an answer rests on.
"""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from ..errors import InputError
from ..laws.design import told_apart
from ..laws.distance import LN_10
from ..laws.law import Law, compute, log_product
from ..published.priors import learnt_entry, learnt_ratio
from .coordinate import Coordinate, coordinate
from .prior import Prior, read_prior

_OWN_DRAWS = 4000
RATIO = "log_tokens_per_param"
BEYOND = 2.0  # decades beyond the largest run at which the best tokens per parameter are expected to be usual


class Learnt:
    """The learnt part of a model's priors.

    Parameters
    ----------
    weight : float
        Prior probability of the learnt part.
    priors, own : mapping of str to Prior
        Learnt prior, and the model's own, of each parameter that has both.
    ratio : Prior, optional
        Student-t of the log of the best tokens per parameter, for a law that gives them.

    Examples
    --------
    >>> from bayescale import load_spec
    >>> load_spec("chinchilla").get_learnt().weight
    0.75
    """

    def __init__(
        self, weight: float, priors: Mapping[str, Prior], own: Mapping[str, Prior], ratio: Prior | None = None
    ) -> None:
        self.weight, self.priors, self.ratio, self._own = weight, dict(priors), ratio, own
        self._pairs: dict[str, tuple[Coordinate, Coordinate]] = {
            name: (coordinate(prior), coordinate(own[name])) for name, prior in priors.items()
        }

    def log_odds(self, values: Mapping[str, Any]) -> Any:
        """Log density of the learnt part over that of the model's own priors, for parameters by name, each of shape (n,)."""
        total = 0.0
        for name, (learnt, own) in self._pairs.items():
            number = own.number(values[name])
            total = total + learnt.log_prior(number) - own.log_prior(number)
        return total

    def log_factor(self, values: Mapping[str, Any]) -> Any:
        """Log of the density of the mixture over that of the model's own priors."""
        return np.logaddexp(np.log1p(-self.weight), np.log(self.weight) + self.log_odds(values))

    def share(self, values: Mapping[str, Any]) -> float:
        """Posterior probability of the learnt part, from draws of the posterior."""
        with np.errstate(over="ignore"):
            odds = (1 - self.weight) / self.weight * np.exp(-np.asarray(self.log_odds(values)))
        return float(np.mean(1 / (1 + odds)))

    def own_below(self, name: str, value: float) -> float:
        """Prior probability, by the model's own prior alone, that a parameter lies below a value; by simulation, to 1%."""
        own = coordinate(self._own[name])
        return float(np.mean(own.draw(np.random.default_rng(0), _OWN_DRAWS) < own.number(value)))

    def draw(self, name: str, rng: np.random.Generator, n: int) -> np.ndarray:
        """Draw the number of one parameter from the learnt part."""
        return self._pairs[name][0].draw(rng, n)


def learnt_part(name: str, own: Mapping[str, Prior], changed: Collection[str], law: Law) -> Learnt | None:
    """Return the learnt part of an entry of `published.priors`, without the parameters that have no prior here or a changed one."""
    weight, entries = learnt_entry(name)
    found = {key: read_prior(key, entry) for key, entry in entries.items() if key in own and key not in changed}
    entry = learnt_ratio(name) if law.reach is compute and law.sizing.optimum else None
    ratio = None if entry is None else read_prior(RATIO, entry)
    return Learnt(weight, found, own, ratio) if found or ratio else None


def best_ratio(law: Law, constants: Mapping[str, Any], log_flops: Any) -> Any:
    """Natural log of the tokens per parameter that a law calls best for a compute, from its constants."""
    assert law.sizing.optimum is not None
    flops = np.exp(log_flops)
    return log_product(flops) - 2 * law.sizing.optimum(flops, **constants)


def ratio_prior(learnt: Learnt | None, inputs: Mapping[str, Any]) -> Prior | None:
    """Return the prior of the best tokens per parameter for runs with these inputs; None if they cannot tell size from data."""
    if learnt is None or learnt.ratio is None:
        return None
    return learnt.ratio if told_apart(*(np.asarray(inputs[name], float) for name in ("params", "tokens"))) else None


def usual_range(ratio: Prior, tail: float) -> tuple[float, float, float]:
    """Return the tokens per parameter at the two tails of their prior, and its middle between them."""
    from scipy.special import stdtrit  # slow to import

    mu, sd, nu = (ratio.numbers[name] for name in ("mu", "sigma", "nu"))
    away = float(stdtrit(nu, 1 - tail)) * sd
    return float(np.exp(mu - away)), float(np.exp(mu)), float(np.exp(mu + away))


def log_usual(ratio: Prior, law: Law, constants: Mapping[str, Any], log_reach_max: Any) -> Any:
    """Log of the factor on a law's best tokens per parameter, beyond the largest run, a Student-t; at most 0."""
    best, nu = best_ratio(law, constants, log_reach_max + BEYOND * LN_10), ratio.numbers["nu"]
    return -(nu + 1) / 2 * np.log1p(((best - ratio.numbers["mu"]) / ratio.numbers["sigma"]) ** 2 / nu)


def check_learnt(name: str, law: str, sampled: Collection[str], changed: Collection[str]) -> None:
    """Raise InputError if an entry is unknown or has parameters that the law does not sample; a changed prior may rename one."""
    unknown = [key for key in learnt_entry(name)[1] if key != "sigma" and key not in sampled]
    if unknown and not changed:
        raise InputError(
            f"`learnt` = {name!r} is for another law: '{law}' samples {', '.join(sampled)}, not {', '.join(unknown)}."
        )


def prior_texts(own: Mapping[str, Prior], learnt: Learnt | None) -> dict[str, str]:
    """Return each prior as text, with both parts and their weights where there are two; then that of the best tokens per parameter."""
    if learnt is None:
        return {name: str(prior) for name, prior in own.items()}
    parts = f"{learnt.weight:.0%}", f"{1 - learnt.weight:.0%}"
    found = {
        name: f"{parts[0]} {learnt.priors[name]}, {parts[1]} {prior}" if name in learnt.priors else str(prior)
        for name, prior in own.items()
    }
    return found | ({} if learnt.ratio is None else {RATIO: str(learnt.ratio)})
