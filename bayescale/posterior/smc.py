"""Sequential Monte Carlo for curves with several explanations: many points move from the prior to the posterior together.

A broken law has modes that no chain crosses (a flat end is a limit or one more break; a break may serve here or there), and NUTS
stays in the mode in which it starts. Instead, points drawn from the prior are weighted and resampled along prior x likelihood^t, t from
0 to 1 (Del Moral et al. 2006). At each step they move by differences of other points (ter Braak 2006), which carry the shape of
every mode, and by placing a break elsewhere. Each run is one chain, so R-hat and the evidence compare whole runs.

If a law is linear in some parameters given the others (`Law.moves`), these are drawn from their least squares at every move, so only
the others are searched, which is much faster. The draws are still exact for the model: least squares only proposes. Curves that a law
excludes (`Law.bounds`) have zero likelihood, and the least squares take the bounds into account. Otherwise almost none of their draws
would be allowed if the runs violate the bounds.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from ..errors import InputError, given
from ..laws.law import SLACK
from ..progress import steps
from ..spec.density import Density
from .arrays import fast_arrays
from .triangular import downwards, upwards

_KEPT = 0.8  # effective share of points left after a step of t
_MOVES, _LAST = 25, 4  # moves per step: tune / 25, and tune / 4 after the last step, where runs that disagree go on
_BLOCK = 100  # further moves at a time
AGREE, _NEAR = 1.005, 1.1  # plain R-hat at which runs need none, and from which they do not help
# Parameters moved by differences; in every fourth move, a part is drawn from its prior.
_TURNS = ("rest", "whole", "rest", "redrawn")
_JUMP = 0.1  # share of moves by a full difference, which lead from mode to mode
_SPREAD = 1.5  # factor on the priors of linear parameters in their least squares, for their heavy tails
_TAILS = 3  # degrees of freedom of the draws of linear parameters: with lighter tails than the priors, points would get stuck
_LINEAR = ("Normal", "StudentT")  # priors of parameters that are drawn from their least squares, unbounded
_TINY = 1e-5
_CELLS = 30_000  # points x runs evaluated at a time: their arrays stay in a core's cache
_INSIDE = 3  # sds inside the bounds beyond which least squares can ignore them
# Smallest sd left by a bound, in sds: with less, Student-t noise nearer to a bound would leave points stuck.
_NARROWEST = 0.2


def sample_smc(
    density: Density, *, draws: int, tune: int, chains: int, cores: int, random_seed: int, most: int = 0
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Sample a posterior.

    Parameters
    ----------
    density : Density
        Of the model on its runs.
    draws : int
        Points of each run.
    tune : int
        Effort: tune / 25 moves at each step, tune / 4 after the last; at least 10.
    chains, cores : int
        Number of runs, and how many of them at a time.
    random_seed : int
        Seed of all runs.
    most : int
        Further moves after the last step, at most, while runs disagree a little; if they are far apart, they began with too few.

    Returns
    -------
    draws : dict of str to array
        Each sampled parameter, shape (chain, draw).
    stats : dict of str to array
        `log_evidence`, `acceptance` of the last moves and `steps` of each run, shape (chain,).
    """
    from joblib import Parallel, delayed  # slow to import

    target, n = Conditional(density), 2 * ((draws + 1) // 2)
    rngs = [np.random.default_rng(seed) for seed in np.random.SeedSequence(random_seed).spawn(chains)]
    # Processes: threads would spend as long on waiting for the interpreter as on the arrays.
    with Parallel(max(1, min(cores, chains)), return_as="generator", batch_size=1, max_nbytes=None) as pool:
        each = pool(delayed(_run)(target, n, tune, rng) for rng in rngs)
        runs = [one for _, one in zip(steps(rngs, "Sampling"), each, strict=True)]
        for _ in range(most // _BLOCK):
            points = np.stack([run.state["points"] for run in runs])
            if not AGREE < max(map(plain_rhat, np.moveaxis(points, -1, 0))) < _NEAR:
                break
            runs = list(pool(delayed(_longer)(target, run) for run in runs))
    values = [density.values(run.state["points"][:draws]) for run in runs]
    found = {name: np.array([run.stats[name] for run in runs]) for name in ("log_evidence", "acceptance", "steps")}
    return {name: np.stack([one[name] for one in values]) for name in density.names}, found


def plain_rhat(values: np.ndarray) -> float:
    """Plain R-hat of values, shape (chain, draw) (Gelman and Rubin 1992)."""
    n = values.shape[1]
    within = values.var(axis=1, ddof=1).mean()
    between = values.mean(axis=1).var(ddof=1) if len(values) > 1 else 0.0
    return float(np.sqrt((n - 1) / n + between / within)) if within > 0 else 1.0


class _Run(NamedTuple):
    """The points of a run, what is said about it, and its source of random numbers."""

    state: dict[str, np.ndarray]
    stats: dict[str, float]
    rng: np.random.Generator


def _longer(target: "Conditional", run: _Run) -> _Run:
    with fast_arrays():
        share = target.moved(run.state, run.rng, 1.0, _BLOCK)
    return run._replace(stats={**run.stats, "acceptance": share})


def _run(target: "Conditional", n: int, tune: int, rng: np.random.Generator) -> _Run:
    with fast_arrays():
        return _Run(*_followed(target, n, tune, rng), rng)


def _followed(
    target: "Conditional", n: int, tune: int, rng: np.random.Generator
) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """Follow points from the prior to the posterior."""
    density = target.density
    state = target.state(density.draw(rng, n), target.standard(n, rng))
    t, evidence, steps, accepted = 0.0, -density.log_share_allowed(), 0, 0.0
    while t < 1:
        gain = state["gain"]
        new = _next(gain, t)
        weight = np.exp((new - t) * (gain - gain.max()))
        evidence += float(np.log(weight.mean()) + (new - t) * gain.max())
        state = _resampled(state, weight, rng)
        t, steps = new, steps + 1
        accepted = target.moved(state, rng, t, max(tune // (_MOVES if t < 1 else _LAST), 10))
    return state, {"log_evidence": evidence, "acceptance": accepted, "steps": steps}


def _next(gain: np.ndarray, t: float) -> float:
    """Return the next power, at which the effective number of points has fallen to the share `_KEPT`."""

    def share(new: float) -> float:
        weight = np.exp((new - t) * (gain - gain.max()))
        return float(weight.sum() ** 2 / (weight**2).sum() / len(weight))

    low, high = t, 1.0
    if share(high) >= _KEPT:
        return high
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if share(middle) > _KEPT else (low, middle)
    return high


def _resampled(state: dict[str, np.ndarray], weight: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    n = len(weight)
    steps = (np.arange(n) + rng.random()) / n
    chosen = np.searchsorted(np.cumsum(weight / weight.sum()), steps).clip(max=n - 1)
    return {name: value[chosen] for name, value in state.items()}


class Conditional:
    """Points with the densities that their moves need: that at t = 0, in two parts, and `gain`, what the likelihood adds at t = 1."""

    def __init__(self, density: Density) -> None:
        from scipy.special import gammaln  # slow to import

        self.density, law = density, density.law
        self.linear: list[int] = []
        if law.moves is not None:
            names = law.moves.linear(
                density.values(density.draw(np.random.default_rng(0), 1)), density.data, density.measured
            )[0]
            for name in names:
                if density.spec.priors[name].dist not in _LINEAR:
                    raise InputError(
                        f"Prior `{name}`: SMC takes {' or '.join(_LINEAR)} there. Got {density.spec.priors[name]}; change it, or sample by "
                        f"NUTS: {given(nuts_sampler='pymc')}."
                    )
            self.linear = [density.names.index(name) for name in names]
            self.spread = _SPREAD * np.array([density.spec.priors[name].numbers["sigma"] for name in names])
        k = len(self.linear)
        self.log_top = gammaln((_TAILS + k) / 2) - gammaln(_TAILS / 2) - k / 2 * np.log(_TAILS * np.pi)
        self.rest = [i for i in range(len(density.names)) if i not in self.linear]

    def standard(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draw what `state` makes linear parameters of, standard multivariate t, shape (n, k)."""
        standard = rng.standard_normal((n, len(self.linear)))
        return standard / np.sqrt(rng.chisquare(_TAILS, n) / _TAILS)[:, None] if self.linear else standard

    def state(self, points: np.ndarray, standard: np.ndarray | None) -> dict[str, np.ndarray]:
        """Return points and their densities; with `standard`, the linear parameters are drawn from their least squares given the others."""
        points, values = points.copy(), self.density.values(points)
        with np.errstate(all="ignore"):  # a point far out has no density, and numbers that overflow
            if self.linear:
                log_q, likelihood = self._in_parts(points, values, standard)
            else:
                log_q, likelihood = np.zeros(len(points)), self.density.log_likelihood_of(values)
            priors = self.density.log_priors(points)
            prior, rest = priors.sum(axis=1), priors[:, self.rest].sum(axis=1)
            gain = prior + likelihood - rest - log_q
        return {
            "points": points,
            "rest": np.where(np.isfinite(rest), rest, -np.inf),
            "log_q": log_q,
            "gain": np.where(np.isfinite(gain), gain, -np.inf),
        }

    def _in_parts(
        self, points: np.ndarray, values: dict[str, np.ndarray], standard: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """As `_weighed`, of some points at a time: the memory of larger arrays is given back and asked for again each time."""
        log_q, likelihood = np.empty(len(points)), np.empty(len(points))
        edges = np.linspace(0, len(points), 1 + -(-len(points) * len(self.density.measured) // _CELLS)).astype(int)
        for part in (slice(*both) for both in pairwise(edges)):
            own = {name: value[part] for name, value in values.items()}
            drawn = None if standard is None else standard[part]
            log_q[part], likelihood[part] = self._weighed(points[part], own, drawn)
        return log_q, likelihood

    def _weighed(
        self, points: np.ndarray, values: dict[str, np.ndarray], standard: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the log density of linear parameters given the others, and the log likelihood; draw them into points and values."""
        density, moves = self.density, self.density.law.moves
        assert moves is not None
        _, design, aim, share = moves.linear(values, density.data, density.measured)
        root, middle = self._least_squares(values, design, aim, share)
        if standard is None:
            standard = (np.swapaxes(root, 1, 2) @ points[:, self.linear, None])[..., 0] - middle
        else:
            points[:, self.linear] = upwards(root, middle + standard)
            values.update({density.names[i]: points[:, i] for i in self.linear})
        curve = moves.curve((design @ points[:, self.linear, None])[..., 0], values, density.data)
        return self._log_t(standard, root), density.log_likelihood_at(curve, values)

    def _log_t(self, standard: np.ndarray, root: np.ndarray) -> np.ndarray:
        """Log density of the multivariate t from which they are drawn."""
        log_root: np.ndarray = np.log(np.diagonal(root, axis1=1, axis2=2)).sum(axis=1)
        return log_root + self.log_top - (_TAILS + len(self.linear)) / 2 * np.log1p((standard**2).sum(axis=1) / _TAILS)

    def _least_squares(
        self, values: dict[str, np.ndarray], design: np.ndarray, aim: np.ndarray, share: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Cholesky root of the precision, shape (n, k, k), and its transpose times the mean; those of the prior if the design overflows."""
        density, law = self.density, self.density.law
        variance = values["sigma"] ** 2 * (1 + 2 / np.maximum(values["nu"], 1.0) if "nu" in values else 1.0)
        columns = design.transpose(2, 0, 1)
        scaled = (columns * (share * density.weight)).transpose(1, 0, 2)
        precision, right = (scaled @ one / (variance + _TINY**2)[:, None, None] for one in (design, aim[..., None]))
        bad = ~(np.isfinite(precision).all(axis=(1, 2)) & np.isfinite(right).all(axis=(1, 2)))
        precision[bad], right[bad] = 0.0, 0.0
        precision = precision + np.diag(1 / self.spread**2)
        if law.bounds is not None:
            precision, right = self._within_bounds(values, precision, right)
        root = np.linalg.cholesky(precision)
        return root, downwards(root, right[..., 0])

    def _within_bounds(
        self, values: dict[str, np.ndarray], precision: np.ndarray, right: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Precision, and precision times mean, after applying the worst bound, as many times as the bounds have parameters.

        A sum with mean m and sd s that must be positive is treated as observed with sd d; its mean is then d = (sqrt(m^2 + 4 s^2) + m) / 2:
        about m if it is far inside, s^2 / |m| far outside, as for a normal cut at 0.
        """
        density, law = self.density, self.density.law
        assert law.bounds is not None
        with np.errstate(all="ignore"):
            names, sets = law.bounds(values, density.data)
        every_second = [np.stack(np.broadcast_arrays(*one), axis=-1)[:, ::2] for one in sets]  # they only propose
        rows = np.nan_to_num(np.concatenate(every_second, axis=1))
        own = [self.linear.index(density.names.index(name)) for name in names]
        precision, right, near = precision.copy(), right.copy(), np.arange(len(rows))
        for _ in names:
            covariance = np.linalg.inv(precision[near])
            mean = (covariance @ right[near])[:, own, 0]
            kept = SLACK * np.abs(mean).sum(axis=1)
            sums = (rows @ mean[..., None])[..., 0] - kept[:, None]
            variance = np.einsum("npk,npk->np", rows @ covariance[:, own][:, :, own], rows)
            sd = np.sqrt(np.maximum(variance, _TINY**2))
            worst, each = np.argmin(sums / sd, axis=1), np.arange(len(near))
            m, s = sums[each, worst], sd[each, worst]
            told = m < _INSIDE * s
            near, rows, m, s, kept, worst = near[told], rows[told], m[told], s[told], kept[told], worst[told]
            d = np.maximum((np.sqrt(m**2 + 4 * s**2) + m) / 2, _NARROWEST * s)
            seen = d + (d - m) * (d / s) ** 2
            row = np.zeros((len(near), len(self.linear), 1))
            row[:, own, 0] = rows[np.arange(len(near)), worst]
            heavy = row / d[:, None, None] ** 2
            precision[near] += heavy @ np.swapaxes(row, 1, 2)
            right[near] += heavy * (seen + kept)[:, None, None]
        return precision, right

    def moved(self, state: dict[str, np.ndarray], rng: np.random.Generator, t: float, moves: int) -> float:
        """Move all points several times, in place; return the share accepted."""
        return float(np.mean([self.move(state, t, _TURNS[i % len(_TURNS)], rng) for i in range(moves)]))

    def move(self, state: dict[str, np.ndarray], t: float, kind: str, rng: np.random.Generator) -> float:
        """Move one random half of the points with the help of the other half, then vice versa; return the share accepted."""
        kind = "rest" if kind == "redrawn" and not self._can_redraw else kind
        half = len(state["gain"]) // 2
        order = rng.permutation(2 * half)
        accepted = 0.0
        for me, others in ((order[:half], order[half:]), (order[half:], order[:half])):
            if kind == "redrawn":
                points = self._redrawn(state["points"][me], rng)
            else:
                points = self._by_differences(state["points"][me], state["points"][others], kind == "whole", rng)
            new = self.state(points, None if kind == "whole" else self.standard(half, rng))
            old = {name: value[me] for name, value in state.items()}
            with np.errstate(invalid="ignore"):
                ratio = t * (new["gain"] - old["gain"])
                if kind != "redrawn":  # which keeps the prior
                    ratio = ratio + new["rest"] - old["rest"]
                if kind == "whole":
                    ratio = ratio + new["log_q"] - old["log_q"]
            taken = np.log(rng.random(half)) < ratio
            for name, value in state.items():
                value[me[taken]] = new[name][taken]
            accepted += taken.mean() / 2
        return accepted

    @property
    def _can_redraw(self) -> bool:
        moves = self.density.law.moves
        return moves is not None and moves.redrawn is not None

    def _redrawn(self, points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        density, law = self.density, self.density.law
        assert law.moves is not None and law.moves.redrawn is not None
        fresh = density.values(density.draw(rng, len(points)))
        points = points.copy()
        for name, value in law.moves.redrawn(density.values(points), fresh, rng).items():
            i = density.names.index(name)
            points[:, i] = density.coordinates[i].number(value)
        return points

    def _by_differences(
        self, points: np.ndarray, others: np.ndarray, whole: bool, rng: np.random.Generator
    ) -> np.ndarray:
        half = len(points)
        moved = np.array(self.rest if not whole else range(points.shape[1]))
        first = rng.integers(half, size=half)
        second = (first + 1 + rng.integers(half - 1, size=half)) % half
        usual = 2.38 / np.sqrt(2 * len(moved)) * np.exp(0.7 * rng.standard_normal(half) - 0.3)
        length = np.where(rng.random(half) < _JUMP, 1.0, usual)
        # Half of the moves change all coordinates, the others only some.
        taken = rng.random((half, len(moved))) < np.where(rng.random(half) < 0.5, 1.0, 0.4)[:, None]
        taken[np.arange(half), rng.integers(len(moved), size=half)] = True
        step = length[:, None] * (others[first] - others[second])[:, moved] + _TINY * rng.standard_normal(taken.shape)
        points = points.copy()
        points[:, moved] += taken * step
        return points
