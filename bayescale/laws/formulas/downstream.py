"""From the loss to tasks: why sharp metrics look emergent although models improve smoothly, and laws for accuracy against loss.

Schaeffer, Miranda and Koyejo 2023 (arXiv:2304.15004): with a cross-entropy CE per token, a token is right with probability
e^-CE, an answer of k tokens with e^-kCE. From loss to error, Gadre et al. 2024 (arXiv:2403.08540) use an exponential, the OLMo
ladder (arXiv:2412.04403) a sigmoid.
"""

from typing import Any

import numpy as np

from ..tasks import accuracy_in_loss


def token_accuracy(loss: Any) -> Any:
    """Probability of the right token, e^-loss, for the cross-entropy of answer tokens in nats."""
    return np.exp(-loss)


def exact_match(loss: Any, length: Any) -> Any:
    """Probability that all `length` tokens are right, e^(-length x loss).

    Parameters
    ----------
    loss : float or array
        Cross-entropy of answer tokens, nats/token.
    length : float or array
        Tokens of the answer. If errors are correlated, an effective length below the true one.

    Returns
    -------
    float or array
        In (0, 1). On a log axis of size its steepest slope is |alpha| / e for any length: longer answers only come later.
    """
    return np.exp(-length * loss)


def edit_distance(loss: Any, length: Any) -> Any:
    """Expected number of wrong tokens of `length`, length (1 - e^-loss): as smooth as the loss."""
    return -length * np.expm1(-loss)


def params_for_exact_match(target: Any, length: Any, *, N_c: Any, alpha: Any) -> Any:
    """Params at which exact match reaches `target` if the loss is (N_c / N)^alpha.

    Parameters
    ----------
    target : float or array
        Exact match, in (0, 1).
    length : float or array
        Tokens of the answer.
    N_c, alpha : float or array
        Scale and exponent (> 0) of the loss per token.

    Returns
    -------
    float or array
        N_c (length / ln(1 / target))^(1 / alpha).
    """
    return np.exp(np.log(N_c) + (np.log(length) - np.log(-np.log(target))) / alpha)


def brier(p: Any, correct: int) -> Any:
    """Brier score of a multiple choice, sum_k (p_k - y_k)^2 with y = 1 for the right answer: in [0, 2], lower is better.

    Parameters
    ----------
    p : array, shape (..., choices)
        Probability of each choice.
    correct : int
        Index of the right one.

    Returns
    -------
    array, shape (...)
        Score.
    """
    p = np.asarray(p, float)
    return np.sum((p - np.eye(p.shape[-1])[correct]) ** 2, axis=-1)


def sigmoid_accuracy(loss: Any, *, a: Any, b: Any, k: Any, L0: Any) -> Any:
    """Accuracy a / (1 + e^(-k (loss - L0))) + b of a task (OLMo ladder).

    Parameters
    ----------
    loss : float or array
        Loss on the answers of the task.
    a, b, k, L0 : float or array
        With k > 0 and a < 0: b is the ceiling, a + b the floor (chance), L0 the loss halfway between.

    Returns
    -------
    float or array
        Accuracy.
    """
    return accuracy_in_loss(loss, floor=a + b, ceiling=b, k=k, L0=L0)
