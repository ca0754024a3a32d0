"""Counts of parameters and training compute of dense transformers, and the effect of the chosen count on the optimal allocation.

6 x params x tokens leaves out attention scores, and is wrong for small models, which embeddings and logits dominate. Counting
params without embeddings bends N* ~ C^a at small scale: this is how Pearce and Song 2024 (arXiv:2406.12907) explain Kaplan's 0.73.
"""

from typing import Any

import numpy as np


def train_flops_per_token(
    *, n_layer: Any, d_model: Any, n_heads: Any, d_head: Any, d_ff: Any, seq_len: Any, vocab: Any = 0
) -> Any:
    """Exact training FLOP per token of a dense transformer, forward and backward (Hoffmann et al. 2022, App. F).

    Parameters
    ----------
    n_layer, d_model, n_heads, d_head, d_ff : int
        Layers, width, attention heads, width of a head, width of the feed-forward block.
    seq_len : int
        Tokens per sequence; attention is counted in full, not halved for the causal mask.
    vocab : int
        Entries of the vocabulary; 0 leaves out embeddings and logits, as in the paper's table A4, although its text counts them.

    Returns
    -------
    float
        FLOP per token, 2 per multiply-add; the backward pass costs twice the forward pass.

    Examples
    --------
    >>> train_flops_per_token(n_layer=10, d_model=640, n_heads=10, d_head=64, d_ff=2560, seq_len=2048, vocab=32000)
    699801600
    """
    attention = d_head * n_heads
    layer = 8 * d_model * attention + 4 * seq_len * attention + 3 * n_heads * seq_len + 4 * d_model * d_ff
    return 3 * (n_layer * layer + 4 * vocab * d_model)


def flops_per_token_deepseek(*, n_layer: Any, d_model: Any, seq_len: Any) -> Any:
    """Training FLOP per token without embeddings, 72 n_layer d^2 + 12 n_layer d seq_len: M of DeepSeek LLM (arXiv:2401.02954)."""
    return 72 * n_layer * d_model**2 + 12 * n_layer * d_model * seq_len


def params_nonembedding(*, n_layer: Any, d_model: Any) -> Any:
    """Params of the blocks of a standard transformer with d_ff = 4 d_model, 12 n_layer d_model^2 (Kaplan et al. 2020, table 1)."""
    return 12 * n_layer * d_model**2


def params_chinchilla(*, n_layer: Any, d_model: Any, vocab: Any) -> Any:
    """Params as Hoffmann et al. 2022 count them (table A9), 13 n_layer d_model^2 + vocab d_model: relative positions add one d_model^2."""
    return 13 * n_layer * d_model**2 + vocab * d_model


def embedding_omega(*, vocab: Any, width_per_layer: Any) -> Any:
    """Return omega of N_total = N + omega N^(1/3), vocab (width_per_layer / 12)^(1/3), for models with the same shape d_model / n_layer."""
    return vocab * (width_per_layer / 12) ** (1 / 3)


def total_params(params: Any, *, omega: Any) -> Any:
    """All params of a model that has `params` without embeddings, N + omega N^(1/3) (Pearce and Song 2024).

    Parameters
    ----------
    params : float or array
        Count without embeddings.
    omega : float or array
        See `embedding_omega`; 47491 for a vocabulary of 32000 and 39.2 units of width per layer.

    Returns
    -------
    float or array
        Count with embeddings.

    Examples
    --------
    >>> float(total_params(1e8, omega=47491) / 1e6).__round__(1)
    122.0
    """
    return params + omega * np.exp(np.log(params) / 3)


def params_without_embeddings(params: Any, *, omega: Any) -> Any:
    """Inverse of `total_params`: the real root of y^3 + omega y = params, y = N^(1/3)."""
    scale = np.sqrt(omega / 3)
    return (2 * scale * np.sinh(np.arcsinh(params / (2 * scale**3)) / 3)) ** 3


def best_tokens(params: Any, *, A: Any, alpha: Any, B: Any, beta: Any, omega: Any) -> Any:
    """Tokens for which `params` without embeddings are optimal at compute 6 x params x tokens, if the loss counts all params.

    Parameters
    ----------
    params : float or array
        Count without embeddings, N.
    A, alpha, B, beta : float or array
        Constants of the Chinchilla loss in *total* params T = N + omega N^(1/3).
    omega : float or array
        See `embedding_omega`.

    Returns
    -------
    float or array
        D of the first-order condition D^-beta = (alpha A / (beta B)) N T'(N) T^(-alpha - 1).
    """
    total = total_params(params, omega=omega)
    slope = (params + (total - params) / 3) / total  # d ln T / d ln N
    log_term = np.log(alpha) + np.log(A) - np.log(beta) - np.log(B) + np.log(slope) - alpha * np.log(total)
    return np.exp(-log_term / beta)


def local_exponent(params: Any, *, alpha: Any, beta: Any, omega: Any) -> Any:
    """Local exponent d ln N* / d ln C if both leave out embeddings and the loss counts all params (Pearce and Song 2024).

    Parameters
    ----------
    params : float or array
        Optimal count without embeddings.
    alpha, beta : float or array
        Exponents of the Chinchilla loss in total params.
    omega : float or array
        See `embedding_omega`.

    Returns
    -------
    float or array
        Not monotone: beta / (alpha / 3 + beta) for tiny models, near 1 around 1e6 params, beta / (alpha + beta) for large ones.
    """
    embedding = omega * np.exp(np.log(params) / 3)
    total, slope = params + embedding, params + embedding / 3  # slope is N T'(N)
    curvature = (params + embedding / 9) / slope - slope / total  # d ln (d ln T / d ln N) / d ln N
    return beta / (beta - curvature + alpha * slope / total)
