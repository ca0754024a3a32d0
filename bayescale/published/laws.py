"""Published constants as data: `PUBLISHED[law][name]` has the constants under the argument names of our functions, with their source.

`checked` says how they were read: "source" (in the paper or its code), "account" (in secondary accounts), "derived" (computed by us
from published data). None is a default: constants belong to one tokeniser, text and way of counting. Values known only from memory
are left out.
"""

from math import exp
from typing import Any

_MRB = {
    "E": exp(0.6254804),
    "A": exp(6.255414),
    "alpha": 0.3526596,
    "B": exp(7.3049974),
    "beta": 0.3526596,
}
_ABNAR = {
    "a": 16612.5,
    "alpha": 0.5962,
    "b": 5455.67,
    "beta": 0.3954,
    "c": 0.4598,
    "lambda_": -0.1666,
    "d": 17.26,
    "delta": 0.1603,
    "gamma": 0.1595,
    "e": 0.94,
}
_JOINT = {
    "a": 35.91,
    "alpha": -0.1889,
    "gamma": 0.0098,
    "delta": -0.2285,
    "b": 35.98,
    "beta": -0.1775,
    "zeta": -0.0259,
    "omega": 0.5529,
    "c": 1.3637,
    "E_start": 2.07,
    "E_max": 290.45,
}


def _entry(source: str, checked: str, /, **constants: Any) -> dict[str, Any]:
    return {"constants": constants, "source": source, "checked": checked}


def _rate(
    source: str, checked: str, unit: str, fitted_on: dict[str, tuple[float, float]], coef: float, **exponents: float
) -> dict[str, Any]:
    constants = {"coef": coef, "exponents": exponents}
    return {"constants": constants, "unit": unit, "fitted_on": fitted_on, "source": source, "checked": checked}


_KAPLAN = "arXiv:2001.08361"
_GADRE = "runs of arXiv:2403.08540, our fit"
_DEEPSEEK = {"flops": (1e17, 1e20)}
_STEP_LAW = {"params": (1e8, 1e9)}
_PORIAN = {"params": (5e6, 9e8)}

PUBLISHED: dict[str, dict[str, dict[str, Any]]] = {
    # kaplan.loss, kaplan.loss_nd, kaplan.loss_ns; x_c of compute in FLOP
    "kaplan": {
        "params": _entry(f"{_KAPLAN} eq. 1.1", "source", x_c=8.8e13, alpha=0.076),
        "tokens": _entry(f"{_KAPLAN} eq. 1.2", "source", x_c=5.4e13, alpha=0.095),
        "flops": _entry(f"{_KAPLAN} §1.2", "source", x_c=1.6e7 * 8.64e19, alpha=0.057),
        "flops_min": _entry(f"{_KAPLAN} eq. 1.3", "source", x_c=3.1e8 * 8.64e19, alpha=0.050),
    },
    "kaplan-nd": {
        "webtext2": _entry(f"{_KAPLAN} table 2", "source", N_c=6.4e13, alpha_N=0.076, D_c=1.8e13, alpha_D=0.103)
    },
    "kaplan-ns": {
        "webtext2": _entry(f"{_KAPLAN} table 3", "source", N_c=6.5e13, alpha_N=0.077, S_c=2.1e3, alpha_S=0.76)
    },
    "kaplan.critical_batch": {"webtext2": _entry(f"{_KAPLAN} §5.1", "source", B_star=2.1e8, alpha_B=0.21)},
    "kaplan.tokens_needed": {"webtext2": _entry(f"{_KAPLAN} eq. 4.4", "source", coef=5e3, exponent=0.74)},
    # kaplan.allocation: at 1 PF-day of minimum compute
    "kaplan.allocation": {
        "params": _entry(f"{_KAPLAN} table 6", "source", coef=1.3e9, exponent=0.73),
        "batch": _entry(f"{_KAPLAN} table 6", "source", coef=2.0e6, exponent=0.24),
        "steps": _entry(f"{_KAPLAN} table 6", "source", coef=5.4e3, exponent=0.03),
        "tokens": _entry(f"{_KAPLAN} table 6", "source", coef=2e10, exponent=0.27),
    },
    "kaplan.learning_rate": {"webtext2": _entry(f"{_KAPLAN} eq. D.1", "source", intercept=0.003239, slope=-0.0001395)},
    "chinchilla": {
        "hoffmann-rounded": _entry(
            "arXiv:2203.15556 eq. 10", "source", E=1.69, A=406.4, alpha=0.34, B=410.7, beta=0.28
        ),
        "hoffmann": _entry(
            "arXiv:2203.15556, manuscript source by way of arXiv:2404.10102",
            "source",
            E=exp(0.5267228),
            A=exp(6.0073404),
            alpha=0.33917084,
            B=exp(6.0179186),
            beta=0.2849083,
        ),
        "besiroglu": _entry(
            "arXiv:2404.10102 table 1", "source", E=1.8172, A=482.01, alpha=0.3478, B=2085.43, beta=0.3658
        ),
        "muennighoff": _entry("arXiv:2305.16264 and its code (C4)", "source", **_MRB),
    },
    # chinchilla.allocation
    "allocation": {
        "llama-3-tokens": _entry("arXiv:2407.21783 (.29 and .53 in print)", "account", coef=0.299, exponent=0.537),
        "deepseek-tokens": _entry(
            "arXiv:2401.02954, compute counted as flops_per_token_deepseek", "account", coef=5.8316, exponent=0.4757
        ),
        "deepseek-flops-per-token": _entry("arXiv:2401.02954", "account", coef=0.1715, exponent=0.5243),
    },
    "embedding_omega": {"pearce": _entry("arXiv:2406.12907, its script: vocabulary 32000", "source", omega=47491)},
    "repeated": {
        "muennighoff": _entry("arXiv:2305.16264 and its code (C4)", "source", **_MRB, R_D=15.387756, R_N=5.309743)
    },
    "bnsl": {
        "figure-1": _entry(
            "arXiv:2210.14891 figure 1",
            "source",
            a=1e-3,
            b=4.66e3,
            c0=0.05,
            breaks=[(0.49, 3e6, 1.1), (-0.811, 1e14, 1.425), (2.1, 2e20, 0.05)],
        ),
    },
    "overtraining": {
        "c4": _entry(_GADRE, "derived", E=1.5083, a=141.3, b=189.5, eta=0.1212),
        "redpajama": _entry(_GADRE, "derived", E=1.8366, a=212.2, b=366.7, eta=0.1364),
        "refinedweb": _entry(_GADRE, "derived", E=1.7345, a=157.1, b=246.2, eta=0.1272),
    },
    # downstream.top1_error
    "top1_error": {
        "c4-17": _entry(_GADRE, "derived", eps=0.8497, k=2.079, gamma=0.7561),
        "redpajama-17": _entry(_GADRE, "derived", eps=0.8570, k=2.206, gamma=0.7146),
        "refinedweb-17": _entry(_GADRE, "derived", eps=0.8653, k=2.215, gamma=0.7070),
        "c4-46": _entry(_GADRE, "derived", eps=0.7589, k=1.289, gamma=0.9722),
        "redpajama-46": _entry(_GADRE, "derived", eps=0.7608, k=1.323, gamma=0.8907),
        "refinedweb-46": _entry(_GADRE, "derived", eps=0.7677, k=1.128, gamma=0.8215),
    },
    # batch.critical_batch: tokens per step against tokens, from 22.91 x (D / 1e6)^.47 sequences of 512
    "critical_batch": {
        "zhang": _entry("arXiv:2410.21676, at 20% more tokens", "account", coef=22.91 * 512 / 1e6**0.47, exponent=0.47)
    },
    # learning_rate.power
    "learning_rate": {
        "deepseek": _rate("arXiv:2401.02954", "account", "1", _DEEPSEEK, 0.3118, flops=-0.1250),
        "step-law": _rate(
            "arXiv:2503.04715, bootstrap file", "source", "1", _STEP_LAW, 1.79, params=-0.713, tokens=0.307
        ),
        "porian": _rate("arXiv:2406.19146", "account", "1", _PORIAN, 3.7, params=-0.36),
    },
    "batch": {
        "deepseek": _rate("arXiv:2401.02954", "account", "tokens", _DEEPSEEK, 0.2920, flops=0.3271),
        "step-law": _rate("arXiv:2503.04715, bootstrap file", "source", "tokens", _STEP_LAW, 0.58, tokens=0.571),
        "porian": _rate("arXiv:2406.19146", "account", "sequences of 2048", _PORIAN, 0.00037, params=0.703),
    },
    "weight_decay": {"bergsma": _entry("arXiv:2505.13738", "account", coef=1.084, exponent=-0.527)},
    "inverse_sqrt": {"palm": _entry("arXiv:2204.02311", "source", peak=1e-2, warmup=10_000)},
    "data_transferred": {
        "text-to-python": _entry("arXiv:2102.01293, characters", "account", k=1.9e4, alpha=0.18, beta=0.38),
        "text-and-code-to-python": _entry("arXiv:2102.01293, characters", "account", k=2.1e5, alpha=0.096, beta=0.38),
    },
    "precision": {
        "training": _entry(
            "arXiv:2411.04330", "account", gamma={"weights": 2.6745, "activations": 2.2102, "kv": 0.9578}
        ),
        "after": _entry("arXiv:2411.04330", "account", C_T=0.0598, gamma_D=0.5068, gamma_N=0.3439, gamma_post=0.5907),
    },
    "moe": {
        "krajewski": _entry(
            "arXiv:2402.07871, expansion 64",
            "account",
            a=18.1,
            alpha=0.115,
            b=30.8,
            beta=0.147,
            g=2.1,
            gamma=0.58,
            c=0.47,
        ),
        "clark-s-base": _entry(
            "arXiv:2202.01169", "account", a=-0.082, b=-0.108, c=0.009, d=1.104, E_start=1.847, E_max=314.5
        ),
        "abnar": _entry("arXiv:2501.12370", "account", **_ABNAR),
        "joint": _entry("arXiv:2502.05172; signs of delta and omega are ours", "account", **_JOINT),
    },
    "sparsity": {
        "t5-c4": _entry(
            "arXiv:2309.08520", "account", a_S=16.8, b_S=0.722, c_S=45.0, b_N=0.245, a_D=6.90e8, b_D=0.203, c=0.651
        ),
        "vit-jft": _entry(
            "arXiv:2309.08520", "account", a_S=294.0, b_S=0.821, c_S=468.0, b_N=0.392, a_D=2.37e8, b_D=0.890, c=4.517
        ),
    },
    "vocabulary": {
        "tao": _entry(
            "arXiv:2407.13623", "account", E=5.533, A1=1.831, alpha1=0.447, A2=0.196, alpha2=0.671, B=2.124, beta=0.447
        ),
    },
}
