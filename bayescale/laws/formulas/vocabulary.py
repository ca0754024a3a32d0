"""Size of the vocabulary (Tao et al. 2024, arXiv:2407.13623), and units of loss that do not depend on it."""

from typing import Any

import numpy as np

from .. import chinchilla


def loss(
    params: Any,
    params_vocab: Any,
    tokens: Any,
    *,
    E: Any,
    A1: Any,
    alpha1: Any,
    A2: Any,
    alpha2: Any,
    B: Any,
    beta: Any,
) -> Any:
    """Unigram-normalised loss, -E + A1 / N_nv^alpha1 + A2 / N_v^alpha2 + B / D^beta.

    Parameters
    ----------
    params, params_vocab, tokens : float or array
        Raw counts of params without and in the embeddings (vocabulary x width), and of tokens. The constants are the paper's, for
        params in 1e6 and tokens in 1e9. Compute is 6 (params + params_vocab) x tokens.
    E, A1, alpha1, A2, alpha2, B, beta : float or array
        Constants.

    Returns
    -------
    float or array
        Loss in nats/token over that of the unigram model; negative.
    """
    vocab_term = np.exp(np.log(A2) - alpha2 * np.log(params_vocab / 1e6))
    return chinchilla.loss(params / 1e6, tokens / 1e9, E=vocab_term - E, A=A1, alpha=alpha1, B=B, beta=beta)


def bits_per_byte(loss: Any, *, tokens_per_byte: Any) -> Any:
    """Loss in bits per byte from nats per token; GPT-2's tokeniser gives 0.29335 tokens per byte of the Pile (arXiv:2101.00027)."""
    return loss * tokens_per_byte / np.log(2)


def perplexity(loss: Any) -> Any:
    """Perplexity, e^loss, of a loss in nats/token."""
    return np.exp(loss)
