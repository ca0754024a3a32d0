"""The value of information for a decision, and the information in runs: exact on small tables and by linear algebra.

Losses are minimised. States are possible states of the world, with probabilities; actions are the options of the decision.
"""

import math
from typing import Any

import numpy as np

from . import additive

_CONSTANTS = ("E", "log_A", "log_B", "alpha", "beta")


def expected_regret(loss: Any, probability: Any, action: int) -> float:
    """Mean loss of an action above that of the best action of each state.

    Parameters
    ----------
    loss : array, shape (state, action)
        Loss of each action in each state.
    probability : array, shape (state,)
        Probability of each state.
    action : int
        Index of the action.

    Returns
    -------
    float
        At least 0, in the unit of the loss.
    """
    loss, probability = np.asarray(loss, float), np.asarray(probability, float)
    return float(probability @ (loss[:, action] - loss.min(axis=1)))


def evpi(loss: Any, probability: Any) -> float:
    """Expected value of perfect information, min_z E loss - E min_z loss: the expected regret of the best action.

    Parameters
    ----------
    loss : array, shape (state, action)
        Loss of each action in each state.
    probability : array, shape (state,)
        Probability of each state.

    Returns
    -------
    float
        At least 0; 0 if the state is known.
    """
    loss, probability = np.asarray(loss, float), np.asarray(probability, float)
    return float((probability @ loss).min() - probability @ loss.min(axis=1))


def evsi(loss: Any, probability: Any, likelihood: Any) -> float:
    """Expected value of a signal, min_z E loss - E_y min_z E(loss | y).

    Parameters
    ----------
    loss : array, shape (state, action)
        Loss of each action in each state.
    probability : array, shape (state,)
        Probability of each state.
    likelihood : array, shape (state, signal)
        Probability of each signal in each state; rows sum to 1.

    Returns
    -------
    float
        Between 0, for a signal without information, and `evpi`.
    """
    loss, probability, likelihood = (np.asarray(x, float) for x in (loss, probability, likelihood))
    joint = probability[:, None] * likelihood
    return float((probability @ loss).min() - (joint.T @ loss).min(axis=1).sum())


def knowledge_gradient(mean: float, best_other: float, sd: float) -> float:
    """Expected gain from observing one alternative before choosing the larger of two means, sd f(-|mean - best_other| / sd).

    Parameters
    ----------
    mean, best_other : float
        Mean of the alternative, and the best of the other means; larger is better here.
    sd : float
        Sd of the change in the mean due to the observation, see `sd_reduction`.

    Returns
    -------
    float
        At least 0; f(z) = z Phi(z) + phi(z) (Frazier et al. 2008).
    """
    gap = abs(mean - best_other)
    if gap > 40 * sd or sd == 0:  # it underflows at 40 sd
        return 0.0
    z = -gap / sd
    return sd * (z * math.erfc(-z / math.sqrt(2)) / 2 + math.exp(-(z**2) / 2) / math.sqrt(2 * math.pi))


def sd_reduction(prior_sd: float, noise_sd: float, n: int) -> float:
    """Sd of the posterior mean, before n observations are made, sqrt(prior variance - posterior variance).

    Parameters
    ----------
    prior_sd, noise_sd : float
        Sd of the unknown mean, and of one observation; both Normal.
    n : int
        Number of observations.

    Returns
    -------
    float
        Between 0 and `prior_sd`.
    """
    posterior = 1 / (1 / prior_sd**2 + n / noise_sd**2)
    return math.sqrt(prior_sd**2 - posterior)


def cvar_normal(mean: float, sd: float, tail: float) -> float:
    """Mean of the worst (largest) share `tail` of a Normal, mean + sd phi(z) / tail with z the standard Normal quantile at 1 - tail."""
    from statistics import NormalDist

    standard = NormalDist()
    return mean + sd * standard.pdf(standard.inv_cdf(1 - tail)) / tail


def information(design: Any, *, noise_sd: float, A: float, alpha: float, B: float, beta: float) -> np.ndarray:
    """Information of runs about (E, ln A, ln B, alpha, beta), sum of J J' / noise_sd^2.

    Parameters
    ----------
    design : array, shape (run, 2)
        Params and tokens of the runs.
    noise_sd : float
        Sd of a loss, in its unit.
    A, alpha, B, beta : float
        Constants of the Chinchilla loss at which it is linearised.

    Returns
    -------
    numpy.ndarray, shape (5, 5)
        In the order of the constants above.
    """
    params, tokens = np.asarray(design, float).T
    J = _rows(params, tokens, A=A, alpha=alpha, B=B, beta=beta)
    return J.T @ J / noise_sd**2


def log_det_information(design: Any, *, noise_sd: float, A: float, alpha: float, B: float, beta: float) -> float:
    """Natural log of the determinant of `information`: D-optimal designs maximise it."""
    return float(np.linalg.slogdet(information(design, noise_sd=noise_sd, A=A, alpha=alpha, B=B, beta=beta))[1])


def predicted_variance(
    design: Any, target: Any, *, noise_sd: float, A: float, alpha: float, B: float, beta: float
) -> float:
    """Variance of the law's loss at a target run after a design, J' M^-1 J (delta method); V-optimal designs minimise it.

    Parameters
    ----------
    design : array, shape (run, 2)
        Params and tokens of the runs.
    target : array, shape (2,)
        Params and tokens of the run to forecast.
    noise_sd : float
        Sd of a loss, in its unit.
    A, alpha, B, beta : float
        Constants of the Chinchilla loss.

    Returns
    -------
    float
        In the squared unit of the loss.
    """
    given = {"A": A, "alpha": alpha, "B": B, "beta": beta}
    params, tokens = np.asarray(target, float)
    J = _rows(np.array([params]), np.array([tokens]), **given)[0]
    return float(J @ np.linalg.solve(information(design, noise_sd=noise_sd, **given), J))


def _rows(params: np.ndarray, tokens: np.ndarray, **constants: float) -> np.ndarray:
    by = additive.jacobian(params, tokens, **constants)
    return np.stack([np.broadcast_to(by[name], params.shape) for name in _CONSTANTS], axis=1)
