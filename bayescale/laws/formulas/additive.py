"""What follows from the additive law in params and tokens: sizes off the optimum, compute and tokens for a loss, derivatives."""

from typing import Any

import numpy as np

from ..arrays import logistic, positive_part
from ..chinchilla import best_loss, loss_exponent, optimum, params_exponent
from ..law import log_product


def balance(*, A: Any, alpha: Any, B: Any, beta: Any) -> Any:
    """Return G = (alpha A / (beta B))^(1 / (alpha + beta)) of N* = G (C / 6)^a and D* = (C / 6)^b / G (eq. 4)."""
    return np.exp(optimum(6.0, A=A, alpha=alpha, B=B, beta=beta))


def compute_for_loss(loss: Any, *, E: Any, A: Any, alpha: Any, B: Any, beta: Any) -> Any:
    """Minimum training FLOP to reach a loss, 6 [(A G^-alpha + B G^beta) / (loss - E)]^(1 / gamma); `loss` must be above E."""
    reducible = best_loss(6.0, E=0.0, A=A, alpha=alpha, B=B, beta=beta)
    return 6 * np.exp((np.log(reducible) - np.log(loss - E)) / loss_exponent(alpha=alpha, beta=beta))


def tokens_for_loss(params: Any, loss: Any, *, E: Any, A: Any, alpha: Any, B: Any, beta: Any) -> Any:
    """Tokens that a model of given size needs to reach a loss; infinite if it never does.

    Parameters
    ----------
    params, loss : float or array
        Size, and the loss to reach.
    E, A, alpha, B, beta : float or array
        Constants of `loss`.

    Returns
    -------
    float or array
        [B / (loss - E - A params^-alpha)]^(1 / beta).

    Examples
    --------
    >>> float(tokens_for_loss(7e9, 2.15, E=1.8172, A=482.01, alpha=0.3478, B=2085.43, beta=0.3658) / 1e9).__round__(1)
    207.1
    """
    data_term = positive_part(loss - E - np.exp(np.log(A) - alpha * np.log(params)))
    with np.errstate(divide="ignore"):
        return np.exp((np.log(B) - np.log(data_term)) / beta)


def model_share(params: Any, tokens: Any, *, A: Any, alpha: Any, B: Any, beta: Any) -> Any:
    """Share of the reducible loss that is due to the size of the model; beta / (alpha + beta) at the optimum of any budget."""
    return logistic(np.log(A) - alpha * np.log(params) - np.log(B) + beta * np.log(tokens))


def allocation(flops: Any, *, coef: Any, exponent: Any) -> Any:
    """Params or tokens for a budget as a plain power, coef x flops^exponent: approaches 1 and 2, Llama 3, DeepSeek."""
    return np.exp(np.log(coef) + exponent * np.log(flops))


def vertex_shift(half_width: Any, *, alpha: Any, beta: Any) -> Any:
    """Approximate error in ln N* of the vertex of a parabola, -w^2 (beta - alpha) / 10 (approach 2).

    Parameters
    ----------
    half_width : float or array
        w: the runs of a budget are dense and uniform in ln params, within +-w of the optimum. (Seven runs: 30% more.)
    alpha, beta : float or array
        Exponents of `loss`, which gives the profile its shape.

    Returns
    -------
    float or array
        Fitted minus true ln N*. Second order in w; off-centre profiles have far larger errors (arXiv:2603.22339).
    """
    return -(half_width**2) * (beta - alpha) / 10


def curvature(flops: Any, *, A: Any, alpha: Any, B: Any, beta: Any) -> Any:
    """Second derivative of the loss in ln params along a budget, at its optimum: alpha beta (L* - E).

    Parameters
    ----------
    flops : float or array
        Training compute C = 6 x params x tokens, FLOP.
    A, alpha, B, beta : float or array
        Constants of `loss`.

    Returns
    -------
    float or array
        In the unit of the loss: a size off by x in ln params costs about curvature x^2 / 2, so sizes within delta of the lowest loss are
        ln N* +- sqrt(2 delta / curvature).
    """
    return alpha * beta * best_loss(flops, E=0.0, A=A, alpha=alpha, B=B, beta=beta)


def fixed_budget_regret(size_ratio: Any, flops: Any, *, A: Any, alpha: Any, B: Any, beta: Any) -> Any:
    """Loss above the optimum of a budget, for a model of `size_ratio` times the optimal params on the remaining tokens.

    Parameters
    ----------
    size_ratio : float or array
        r = N / N*; the tokens are D* / r.
    flops : float or array
        Training compute, FLOP.
    A, alpha, B, beta : float or array
        Constants of `loss`.

    Returns
    -------
    float or array
        A N*^-alpha (r^-alpha - 1) + B D*^-beta (r^beta - 1), in the unit of the loss.

    Examples
    --------
    >>> float(fixed_budget_regret(2.0, 5.76e23, A=482.01, alpha=0.3478, B=2085.43, beta=0.3658)).__round__(5)
    0.00485
    """
    reducible = best_loss(flops, E=0.0, A=A, alpha=alpha, B=B, beta=beta)
    share, log_ratio = params_exponent(alpha=alpha, beta=beta), np.log(size_ratio)
    return reducible * (share * np.expm1(-alpha * log_ratio) + (1 - share) * np.expm1(beta * log_ratio))


def jacobian(params: Any, tokens: Any, *, A: Any, alpha: Any, B: Any, beta: Any) -> dict[str, Any]:
    """Return the derivatives of the loss in E, ln A, ln B, alpha and beta.

    Parameters
    ----------
    params, tokens : float or array
        Raw counts, > 0.
    A, alpha, B, beta : float or array
        Constants of `loss`.

    Returns
    -------
    dict of str to float or array
        `E`, `log_A`, `log_B`, `alpha`, `beta`: 1, A N^-alpha, B D^-beta, -A N^-alpha ln N, -B D^-beta ln D.
    """
    log_params, log_tokens = np.log(params), np.log(tokens)
    size, data = np.exp(np.log(A) - alpha * log_params), np.exp(np.log(B) - beta * log_tokens)
    return {"E": 1 + 0 * size, "log_A": size, "log_B": data, "alpha": -size * log_params, "beta": -data * log_tokens}


def optimum_gradient(flops: Any, *, A: Any, alpha: Any, B: Any, beta: Any) -> dict[str, Any]:
    """Return the derivatives of `optimum`, ln N*, in E, ln A, ln B, alpha and beta.

    Parameters
    ----------
    flops : float or array
        Training compute C = 6 x params x tokens, FLOP.
    A, alpha, B, beta : float or array
        Constants of `loss`.

    Returns
    -------
    dict of str to float or array
        Named as in `jacobian`. With s = alpha + beta, g = ln G and c = ln(C / 6): 0, 1 / s, -1 / s, 1 / (alpha s) - g / s - beta c / s^2
        and -1 / (beta s) - g / s + alpha c / s^2.
    """
    both, log_G, c = alpha + beta, optimum(6.0, A=A, alpha=alpha, B=B, beta=beta), log_product(flops)
    by_log_A = 1 / both + 0 * c
    return {
        "E": 0 * by_log_A,
        "log_A": by_log_A,
        "log_B": -by_log_A,
        "alpha": 1 / (alpha * both) - log_G / both - beta * c / both**2,
        "beta": -1 / (beta * both) - log_G / both + alpha * c / both**2,
    }


def huber(residual: Any, *, delta: Any) -> Any:
    """Huber loss of a residual in log loss: r^2 / 2 up to |r| = delta, delta (|r| - delta / 2) beyond (App. D.3, delta 1e-3).

    The published fits minimise its sum over runs. (The mean meets the optimiser's tolerance too early.)
    """
    size = np.abs(residual)
    inner = (size + delta - np.abs(size - delta)) / 2
    return inner * (size - inner / 2)
