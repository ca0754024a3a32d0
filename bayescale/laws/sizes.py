"""Relatives of Chinchilla's law as models: Kaplan's two, Skaling, the profile with cut links, and the law of over-training.

All are sampled in shares, like Chinchilla's: T is the loss in the middle of the fitted runs, the other parameters are dimensionless. The
forms are in `kaplan`, `coupled` and `overtraining`.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from . import chinchilla, coupled, kaplan, overtraining
from .arrays import log_add, softplus
from .law import Law, compute

_Numbers = Mapping[str, Any]


def _middle_of(*names: str) -> Any:
    """Anchors: the mean of the natural log of each input."""

    def anchors(inputs: _Numbers, response: Any = None) -> dict[str, float]:
        return {f"log_{name}_mean": float(np.mean(np.log(inputs[name]))) for name in names}

    return anchors


def _floor(sampled: _Numbers, irreducible: bool) -> tuple[Any, Any]:
    """Irreducible loss, and natural log of the reducible loss, from T and u, the log-ratio of the second to the first."""
    if not irreducible:
        return 0 * sampled["T"], np.log(sampled["T"])
    return sampled["T"] * np.exp(-softplus(sampled["u"])), np.log(sampled["T"]) - softplus(-sampled["u"])


def _kaplan_nd(irreducible: bool = False) -> Law:
    """Kaplan's law of params and tokens, with or without an irreducible loss."""

    def constants(sampled: _Numbers, anchors: _Numbers) -> dict[str, Any]:
        """Scales from T and v, the log-ratio of the size term to the data term inside the bracket, in the middle of the runs."""
        E, log_reducible = _floor(sampled, irreducible)
        alpha_N, alpha_D = np.exp(sampled["log_alpha_N"]), np.exp(sampled["log_alpha_D"])
        log_bracket = log_reducible / alpha_D
        log_size, log_data = log_bracket - softplus(-sampled["v"]), log_bracket - softplus(sampled["v"])
        return {
            "E": E,
            "N_c": np.exp(anchors["log_params_mean"] + alpha_D / alpha_N * log_size),
            "alpha_N": alpha_N,
            "D_c": np.exp(anchors["log_tokens_mean"] + log_data),
            "alpha_D": alpha_D,
        }

    return Law(
        name="kaplan-nd",
        inputs=("params", "tokens"),
        sampled=("T", *(("u",) if irreducible else ()), "v", "log_alpha_N", "log_alpha_D"),
        loss=kaplan.loss_nd,
        anchors=_middle_of("params", "tokens"),
        constants=constants,
        reach=compute,
        optimum=kaplan.optimum_nd,
        compute_saved=kaplan.compute_saved_nd,
        options={"irreducible": False},
        configured=_kaplan_nd,
    )


def _steps_reach(params: Any, steps: Any) -> Any:
    """Compute up to the batch, which Kaplan's law of steps leaves out."""
    return 6.0 * params * steps


def _kaplan_ns(irreducible: bool = False) -> Law:
    """Kaplan's law of params and steps, with or without an irreducible loss."""

    def constants(sampled: _Numbers, anchors: _Numbers) -> dict[str, Any]:
        """Scales from T and v, the log-ratio of the size term to the steps term in the middle of the runs."""
        E, log_reducible = _floor(sampled, irreducible)
        alpha_N, alpha_S = np.exp(sampled["log_alpha_N"]), np.exp(sampled["log_alpha_S"])
        log_size, log_steps = log_reducible - softplus(-sampled["v"]), log_reducible - softplus(sampled["v"])
        return {
            "E": E,
            "N_c": np.exp(anchors["log_params_mean"] + log_size / alpha_N),
            "alpha_N": alpha_N,
            "S_c": np.exp(anchors["log_steps_mean"] + log_steps / alpha_S),
            "alpha_S": alpha_S,
        }

    return Law(
        name="kaplan-ns",
        inputs=("params", "steps"),
        sampled=("T", *(("u",) if irreducible else ()), "v", "log_alpha_N", "log_alpha_S"),
        loss=kaplan.loss_ns,
        anchors=_middle_of("params", "steps"),
        constants=constants,
        reach=_steps_reach,
        options={"irreducible": False},
        configured=_kaplan_ns,
    )


def _skaling_constants(sampled: _Numbers, anchors: _Numbers) -> dict[str, Any]:
    """Chinchilla's shares, and exponents k alpha and k beta of the loss itself where one term rules: k then bears on the coupling alone."""
    u1, u2, k = sampled["u1"], sampled["u2"], np.exp(sampled["log_k"])
    alpha, beta = np.exp(sampled["log_alpha_k"]) / k, np.exp(sampled["log_beta_k"]) / k
    E = sampled["T"] / (1 + np.exp(u1) + np.exp(u2))
    both = log_add(u1, u2)
    log_bracket = (np.log(E) + both) / k
    return {
        "E": E,
        "A": np.exp(log_bracket + u1 - both + alpha * anchors["log_params_mean"]),
        "alpha": alpha,
        "B": np.exp(log_bracket + u2 - both + beta * anchors["log_tokens_mean"]),
        "beta": beta,
        "k": k,
        "params_exponent": beta / (alpha + beta),
    }


def _profile_constants(sampled: _Numbers, anchors: _Numbers) -> dict[str, Any]:
    """Irreducible and reducible loss of the optimum at the mean compute, where that optimum lies, and how both move with compute."""
    E = sampled["T"] * np.exp(-softplus(sampled["u"]))
    return {
        "E": E,
        "R0": E * np.exp(sampled["u"]),
        "alpha": np.exp(sampled["log_alpha"]),
        "beta": np.exp(sampled["log_beta"]),
        "x0": anchors["log_params_mean"] + sampled["shift"],
        "s": sampled["params_slope"],
        "g": np.exp(sampled["log_g"]),
        "c0": anchors["log_params_mean"] + anchors["log_tokens_mean"],
        "params_exponent": sampled["params_slope"] + 0.0,
    }


def _overtrained_constants(sampled: _Numbers, anchors: _Numbers) -> dict[str, Any]:
    """Chinchilla's constants with both exponents 2 eta, written in Gadre's: a = A 6^eta, b = B 6^eta."""
    log_both = sampled["log_eta"] + np.log(2.0)
    found = chinchilla.constants({**sampled, "log_alpha": log_both, "log_beta": log_both}, anchors)
    eta = np.exp(sampled["log_eta"])
    six = np.exp(eta * np.log(6.0))
    # alpha and beta are Chinchilla's, for what is asked of any law that has them (sizes off the optimum).
    return {
        "E": found["E"],
        "a": found["A"] * six,
        "b": found["B"] * six,
        "eta": eta,
        "alpha": 2 * eta,
        "beta": 2 * eta,
    }


def _overtrained_optimum(flops: Any, *, a: Any, b: Any, eta: Any, **_: Any) -> Any:
    """Natural log of the params at flops = 6 x params x tokens with the tokens a parameter that suit any budget."""
    return (np.log(flops / 6) - np.log(overtraining.best_tokens_per_param(a=a, b=b, eta=eta))) / 2


def _overtrained_saved(loss: Any, best_loss: Any, *, E: Any, eta: Any, **_: Any) -> Any:
    """Return C'/C, the share of the compute with which the optimum reaches `loss`: along it loss - E falls as C^-eta."""
    return np.exp((np.log(best_loss - E) - np.log(loss - E)) / eta)


_BOTH = {"inputs": ("params", "tokens"), "anchors": _middle_of("params", "tokens"), "reach": compute}

SIZES: dict[str, Law] = {
    "kaplan-nd": _kaplan_nd(),
    "kaplan-ns": _kaplan_ns(),
    "skaling": Law(
        name="skaling",
        **_BOTH,
        sampled=("T", "u1", "u2", "log_alpha_k", "log_beta_k", "log_k"),
        loss=coupled.loss,
        constants=_skaling_constants,
        optimum=chinchilla.optimum,
        compute_saved=coupled.compute_saved,
    ),
    "profile": Law(
        name="profile",
        **_BOTH,
        sampled=("T", "u", "log_alpha", "log_beta", "shift", "params_slope", "log_g"),
        loss=coupled.profile_loss,
        constants=_profile_constants,
        optimum=coupled.profile_optimum,
        compute_saved=coupled.profile_compute_saved,
    ),
    "overtrained": Law(
        name="overtrained",
        **_BOTH,
        sampled=("T", "u1", "u2", "log_eta"),
        loss=overtraining.loss,
        constants=_overtrained_constants,
        optimum=_overtrained_optimum,
        compute_saved=_overtrained_saved,
    ),
}
