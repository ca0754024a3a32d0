"""Choosing with repeated data: the pool that a budget draws on, and plans that stop where more tokens would make the loss worse.

A law that can rise has its minimum at finite epochs, so the best plan may leave a part of the budget unused. Over tokens the expected loss
of a size is least between the minima of its draws; over sizes it may have two minima, so a grid finds the better one.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..laws import Law
from ..spec.spec import ModelSpec

_SIZES = 33
_ZOOMS = 3
_GOLDEN = (5**0.5 - 1) / 2
_GOLDEN_STEPS = 26  # of ln tokens, from at most 20 to below 1e-4
_DRAWS = 2000  # of those that the choice itself averages over


def with_pool(spec: ModelSpec, at: Mapping[str, Any], unique_tokens: float | None) -> dict[str, Any]:
    """Put the pool, where one is given, under the column that the fit takes it from; ValueError where it takes none."""
    if unique_tokens is None:
        return dict(at)
    if "unique_tokens" not in spec.inputs:
        raise ValueError(
            f"Law '{spec.law}' does not know what repeated data do, so it has no use for `unique_tokens` (--unique-tokens): fit "
            "repeated or repeated-rising."
        )
    return {**at, spec.inputs["unique_tokens"]: unique_tokens}


def other_inputs(spec: ModelSpec, at: Mapping[str, Any], flops: float) -> dict[str, float]:
    """Values of what the law takes beside params and tokens; without a pool every token is new.

    Raises
    ------
    ValueError
        If one is missing or not positive.
    """
    found = {}
    for name in spec.get_law().others:
        column = spec.inputs[name]
        if column not in at and name == "unique_tokens":
            found[name] = flops / 6  # no run of the budget has more tokens
            continue
        if column not in at:
            raise ValueError(
                f"The fit takes '{column}' beside params and tokens: give --at {column}=VALUE (at={{'{column}': VALUE}})."
            )
        value = at[column]
        if not isinstance(value, (int, float)) or not np.isfinite(value) or value <= 0:
            raise ValueError(f"`at['{column}']` must be a positive number. Got {value!r} instead.")
        found[name] = float(value)
    return found


def choose_to_minimum(
    law: Law, constants: dict[str, np.ndarray], others: dict[str, float], flops: float, prob: float, within: float
) -> dict[str, Any]:
    """Return the plan of one budget for a law that can rise, and what the draws say of it; as `allocate` has it of other laws.

    `flops_used` is what the plan costs. The flat sizes reach the best expected loss of (1 - within) of that. No share of compute is wasted
    where more of it buys nothing, so `wasted_compute` is NaN.
    """
    assert law.optimum is not None and law.most_tokens is not None
    best = np.asarray(law.optimum(flops, **others, **constants))
    best_tokens = np.log(np.minimum(flops / (6 * np.exp(best)), law.most_tokens(np.exp(best), **others, **constants)))
    some = np.linspace(0, len(best) - 1, min(len(best), _DRAWS)).astype(int)
    few = {name: value[some] for name, value in constants.items()}
    span = float(best.min()) - 0.2, float(best.max()) + 0.2

    def least(log_params: np.ndarray, budget: float) -> tuple[np.ndarray, np.ndarray]:
        """Least expected loss of each size within the budget, and its ln tokens."""
        n = log_params[:, None]
        enough = np.log(law.most_tokens(np.exp(n), **others, **few))  # type: ignore[misc]
        end = np.log(budget / 6) - n
        low, high = np.minimum(enough.min(axis=1, keepdims=True), end), np.minimum(enough.max(1, keepdims=True), end)

        def mean(log_tokens: np.ndarray) -> np.ndarray:
            return law.loss(np.exp(n), np.exp(log_tokens), **others, **few).mean(axis=1, keepdims=True)

        for _ in range(_GOLDEN_STEPS):
            left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
            up = mean(left) > mean(right)
            low, high = np.where(up, left, low), np.where(up, high, right)
        return mean((low + high) / 2).ravel(), ((low + high) / 2).ravel()

    def plan(budget: float) -> tuple[float, float, float]:
        """Ln params, ln tokens and the expected loss of the best plan within the budget."""
        low, high = span
        for _ in range(_ZOOMS):
            sizes = np.linspace(low, high, _SIZES)
            losses, tokens = least(sizes, budget)
            i = int(np.argmin(losses))
            step = sizes[1] - sizes[0]
            low, high = sizes[i] - step, sizes[i] + step
        return float(sizes[i]), float(tokens[i]), float(losses[i])

    n, d, _expected = plan(flops)
    used = 6 * float(np.exp(n + d))
    used = flops if used > flops * (1 - 1e-6) else used
    reach = plan(used * (1 - within))[2]
    away = np.r_[0.0, np.geomspace(1e-3, max(n - span[0], span[1] - n, 2), 2 * _SIZES)]
    flat = [n + side * _end(away, least(n + side * away, used)[0] - reach) for side in (-1, 1)]
    loss = law.loss(np.exp(n), np.exp(d), **others, **constants)
    own = law.loss(np.exp(best), np.exp(best_tokens), **others, **constants)
    tails = [(1 - prob) / 2, (1 + prob) / 2]
    size, ratio = np.exp(np.quantile(best, tails)), np.exp(np.quantile(best_tokens - best, tails))
    return {
        "flops": flops,
        "flops_used": used,
        "params": float(np.exp(n)),
        "tokens": float(np.exp(d)),
        "tokens_per_param": float(np.exp(d - n)),
        "tokens_per_param_lower": ratio[0],
        "tokens_per_param_upper": ratio[1],
        "params_lower": size[0],
        "params_upper": size[1],
        "flat_params_lower": float(np.exp(flat[0])),
        "flat_params_upper": float(np.exp(flat[1])),
        "excess": loss - own,
        "wasted_compute": np.nan,
    }


def _end(away: np.ndarray, above: np.ndarray) -> float:
    """Distance at which `above` first reaches zero, interpolated; infinite where it does not."""
    i = int(np.argmax(above > 0))
    if above[i] <= 0:
        return np.inf
    if i == 0:
        return 0.0
    share = above[i - 1] / (above[i - 1] - above[i])
    return float(away[i - 1] + share * (away[i] - away[i - 1]))


def unused_warning(row: Mapping[str, Any], others: Mapping[str, float]) -> str:
    """Say so where a plan leaves compute unused, and past which epochs it would do harm."""
    used = row.get("flops_used", row["flops"])
    if used > 0.99 * row["flops"]:
        return ""
    unique_tokens = others["unique_tokens"]
    epochs = row["tokens"] / unique_tokens
    return (
        f"The plan uses {used:.3g} of {row['flops']:.3g} FLOP: on {unique_tokens:.3g} unique tokens more than {epochs:.3g} epochs, or a "
        "larger model, is expected to make the loss worse. More compute buys nothing without more data (or dropout, weight decay)."
    )
