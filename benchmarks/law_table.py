"""Which of our functions computes each `law, quantity` of a table of published values (see law_checks.py)."""

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from bayescale.decide.plans.risk import cvar
from bayescale.laws import bnsl, chinchilla, kaplan, overtraining, repeated, rising, tasks
from bayescale.laws.formulas import (
    additive,
    broken_fits,
    compression,
    downstream,
    flops,
    gradient_noise,
    inference,
    information,
    kaplan_compute,
    learning_rate,
    moe,
    reinforcement,
    repeats,
    transfer,
    vocabulary,
)
from bayescale.published.laws import PUBLISHED

# Adapters for values that are one step away from one of our functions.


def _published(law: str, name: str) -> dict[str, Any]:
    return PUBLISHED[law][name]["constants"]


def _published_power(kind: str, name: str) -> Callable[..., Any]:
    """A published rule for the learning rate or the batch, as a function of exactly its inputs."""
    constants = _published(kind, name)

    def rule(**inputs: float) -> Any:
        return learning_rate.power(inputs, **constants)

    only = [inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY) for key in constants["exponents"]]
    rule.__signature__ = inspect.Signature(only)  # type: ignore[attr-defined]
    return rule


def _cvar_sample(*, values: list[float], level: float) -> Any:
    return cvar(1 - level)(np.asarray(values, float))


def _cvar_normal(*, mean: float, sd: float, level: float) -> float:
    return information.cvar_normal(mean, sd, 1 - level)


def _gradient_by_alpha(*, C: float, A: float, alpha: float, B: float, beta: float) -> Any:
    return additive.optimum_gradient(C, A=A, alpha=alpha, B=B, beta=beta)["alpha"]


def _best_params(*, C: float, A: float, alpha: float, B: float, beta: float, E: float) -> Any:
    return np.exp(chinchilla.optimum(C, A=A, alpha=alpha, B=B, beta=beta, E=E))


def _best_tokens(*, C: float, A: float, alpha: float, B: float, beta: float, E: float) -> Any:
    return C / (6 * _best_params(C=C, A=A, alpha=alpha, B=B, beta=beta, E=E))


def _best_tokens_per_param(*, C: float, A: float, alpha: float, B: float, beta: float, E: float) -> Any:
    return C / (6 * _best_params(C=C, A=A, alpha=alpha, B=B, beta=beta, E=E) ** 2)


def _best_share(*, C: float, A: float, alpha: float, B: float, beta: float, E: float) -> Any:
    params = _best_params(C=C, A=A, alpha=alpha, B=B, beta=beta, E=E)
    return additive.model_share(params, C / (6 * params), A=A, alpha=alpha, B=B, beta=beta)


def _huber(
    *, N: float, D: float, loss_obs: float, delta: float, E: float, A: float, alpha: float, B: float, beta: float
) -> Any:
    fitted = chinchilla.loss(N, D, E=E, A=A, alpha=alpha, B=B, beta=beta)
    return additive.huber(np.log(fitted) - np.log(loss_obs), delta=delta)


def _flops_ratio(
    *, n_layer: int, d_model: int, n_heads: int, d_head: int, d_ff: int, seq_len: int, params: float
) -> Any:
    exact = flops.train_flops_per_token(
        n_layer=n_layer, d_model=d_model, n_heads=n_heads, d_head=d_head, d_ff=d_ff, seq_len=seq_len
    )
    return exact / (6 * params)


def _kaplan_optimum(*, C: float, N_c: float, alpha_N: float, D_c: float, alpha_D: float) -> Any:
    return np.exp(kaplan.optimum_nd(C, N_c=N_c, alpha_N=alpha_N, D_c=D_c, alpha_D=alpha_D))


def _kaplan_scale(*, N_c: float, alpha_N: float, S_c: float, alpha_S: float, B_star: float) -> Any:
    return (
        kaplan_compute.theory_scale(N_c=N_c, alpha_N=alpha_N, S_c=S_c, alpha_S=alpha_S, B_star=B_star)
        / kaplan_compute.PF_DAY
    )


def _kaplan_theory(
    *, C_pfdays: float, N_c: float, alpha_N: float, S_c: float, alpha_S: float, B_star: float, alpha_B: float
) -> Any:
    constants = {"N_c": N_c, "alpha_N": alpha_N, "S_c": S_c, "alpha_S": alpha_S, "B_star": B_star, "alpha_B": alpha_B}
    return kaplan_compute.theory_params(C_pfdays * kaplan_compute.PF_DAY, **constants)


def _kaplan_allocation(*, C_pfdays: float, coef: float, exponent: float) -> Any:
    return kaplan_compute.allocation(C_pfdays * kaplan_compute.PF_DAY, coef=coef, exponent=exponent)


def _kaplan_epoch(*, C_pfdays: float, N_coef: float, N_exp: float) -> Any:
    least = C_pfdays * kaplan_compute.PF_DAY
    return kaplan_compute.one_epoch_tokens(least, kaplan_compute.allocation(least, coef=N_coef, exponent=N_exp))


def _kaplan_rate(*, N: float) -> Any:
    return learning_rate.kaplan_rate(N, **_published("kaplan.learning_rate", "webtext2"))


def _rmsle(*, x: list[float], y: list[float], a: float, b: float, c0: float, breaks: list[list[float]]) -> Any:
    return broken_fits.rmsle(np.array(y), bnsl.value(np.array(x), a=a, b=b, c0=c0, breaks=breaks))


def _useful_params(
    *, U_D: float, E: float, A: float, alpha: float, B: float, beta: float, R_D: float, R_N: float
) -> Any:
    return repeated.useful_params(U_D, A=A, alpha=alpha, B=B, beta=beta)


def _effective_params(
    *, N: float, U_D: float, E: float, A: float, alpha: float, B: float, beta: float, R_D: float, R_N: float
) -> Any:
    return repeated.effective_params(N, U_D, U_D, A=A, alpha=alpha, B=B, beta=beta, R_N=R_N)


def _rising_loss(
    *,
    N: float,
    U_D: float,
    epochs: float,
    E: float,
    A: float,
    alpha: float,
    B: float,
    beta: float,
    P: float,
    delta: float,
    kappa: float,
) -> Any:
    constants = {"E": E, "A": A, "alpha": alpha, "B": B, "beta": beta, "P": P, "delta": delta, "kappa": kappa}
    return rising.lovelace_loss(N, U_D * epochs, U_D, **constants)


def _gadre(*, C: float, M: float, E: float, a: float, b: float, eta: float) -> Any:
    params = np.sqrt(C / (6 * M))
    return overtraining.loss(params, M * params, E=E, a=a, b=b, eta=eta)


def _life_params(
    *,
    D_inf: float,
    E: float,
    A: float,
    alpha: float,
    B: float,
    beta: float,
    loss: float | None = None,
    N_chinchilla_quality: float | None = None,
    D_chinchilla_quality: float | None = None,
) -> Any:
    """The quality is a loss, or the loss of a model of given params and tokens."""
    constants = {"E": E, "A": A, "alpha": alpha, "B": B, "beta": beta}
    if loss is None:
        loss = chinchilla.loss(N_chinchilla_quality, D_chinchilla_quality, **constants)
    return inference.optimum(loss, D_inf, **constants)[0]


def _life_tokens(*, loss: float, D_inf: float, E: float, A: float, alpha: float, B: float, beta: float) -> Any:
    return inference.optimum(loss, D_inf, E=E, A=A, alpha=alpha, B=B, beta=beta)[1]


def _palm_rate(*, step: float) -> Any:
    return learning_rate.inverse_sqrt(step, **_published("inverse_sqrt", "palm"))


def _effective_params_of_bits(
    *, N: float, P_w: float, P_a: float, P_kv: float, g_w: float, g_a: float, g_kv: float
) -> Any:
    return compression.effective_params(N, {"w": P_w, "a": P_a, "kv": P_kv}, gamma={"w": g_w, "a": g_a, "kv": g_kv})


Row = tuple[Callable[..., Any], dict[str, str | None]]


def _row(function: Callable[..., Any], /, **names: str | None) -> Row:
    """A function, and its names for the table's inputs if they differ; None for an input that it does not need."""
    return function, names


_GRADIENTS: dict[str, str | None] = {
    "gsq_small": "small",
    "gsq_big": "large",
    "B_small": "batch_small",
    "B_big": "batch_large",
}
_PTQ: dict[str, str | None] = {"g_D": "gamma_D", "g_N": "gamma_N", "g_post": "gamma_post"}
_COST: dict[str, str | None] = {
    "N": "params",
    "D_tr": "tokens",
    "D_in": "tokens_in",
    "D_out": "tokens_out",
    "usd_per_flop_inf": "usd_per_flop_inference",
}

TABLE: dict[str, dict[str, Row]] = {
    "kaplan": {
        "L_N": _row(kaplan.loss),
        "L_D": _row(kaplan.loss),
        "L_C": _row(kaplan.loss),
        "L_Cmin": _row(kaplan.loss),
        "L_ND": _row(kaplan.loss_nd, N="params", D="tokens"),
        "L_NS": _row(kaplan.loss_ns, N="params", S_min="steps"),
        "B_crit": _row(kaplan_compute.critical_batch, L="loss"),
        "S_min": _row(kaplan_compute.least_steps, S="steps", B="batch", B_crit="critical_batch"),
        "C_min": _row(kaplan_compute.least_compute, C="flops", B="batch", B_crit="critical_batch"),
        "delta_L_overfit": _row(kaplan_compute.overfitting_excess, N="params", D="tokens"),
        "D_needed": _row(kaplan_compute.tokens_needed, N="params"),
        "N_opt_from_L_ND": _row(_kaplan_optimum),
        "alpha_C_min_theory": _row(kaplan_compute.theory_exponent),
        "C_c_theory_pfdays": _row(_kaplan_scale),
        "N_opt_theory": _row(_kaplan_theory),
        "N_opt": _row(_kaplan_allocation),
        "B_opt": _row(_kaplan_allocation),
        "D_one_epoch_tokens": _row(_kaplan_epoch),
        "excess_compute": _row(kaplan_compute.excess_compute, N_ratio="size_ratio"),
        "excess_steps": _row(kaplan_compute.excess_steps, N_ratio="size_ratio"),
        "S_stop_bound": _row(kaplan_compute.early_stopping_steps, L_ND="loss", L_N_inf="converged_loss"),
        "lr": _row(_kaplan_rate),
    },
    "chinchilla": {
        "loss": _row(chinchilla.loss, N="params", D="tokens"),
        "N_opt": _row(_best_params),
        "D_opt": _row(_best_tokens),
        "tokens_per_param_opt": _row(_best_tokens_per_param),
        "G": _row(additive.balance, E=None),
        "exponent_a": _row(chinchilla.params_exponent),
        "gamma": _row(chinchilla.loss_exponent),
        "L_opt": _row(chinchilla.best_loss, C="flops"),
        "C_for_loss": _row(additive.compute_for_loss),
        "D_iso_loss": _row(additive.tokens_for_loss, N="params"),
        "reducible_share_N_at_opt": _row(_best_share),
        "huber_log": _row(_huber),
        "flops_per_token_train": _row(flops.train_flops_per_token),
        "flops_ratio_layers_only": _row(_flops_ratio),
        "params": _row(flops.params_chinchilla),
    },
    "pearce": {
        "N_total": _row(flops.total_params, N_nonemb="params"),
        "local_exponent": _row(flops.local_exponent, N_nonemb="params", A=None, B=None),
    },
    "bnsl": {
        "value": _row(bnsl.value),
        "loglog_slope_reducible": _row(bnsl.slope, b=None),
        "rmsle": _row(_rmsle),
        "transition_decades": _row(broken_fits.transition_decades),
    },
    "data_constrained": {
        "effective_D": _row(repeated.effective_tokens, D="tokens", U_D="unique_tokens", R_D_star="R_D"),
        "U_N": _row(_useful_params, R_D_star="R_D", R_N_star="R_N"),
        "effective_N": _row(_effective_params, R_D_star="R_D", R_N_star="R_N"),
        "loss": _row(repeated.loss, N="params", D="tokens", U_D="unique_tokens", R_D_star="R_D", R_N_star="R_N"),
        "max_effective_D": _row(repeats.most_effective_tokens, U_D="unique_tokens", R_D_star="R_D"),
        "marginal_value": _row(repeats.marginal_value, R_D_star="R_D"),
    },
    "lovelace": {"loss": _row(_rising_loss)},
    "go_smol": {
        "overhead": _row(overtraining.overhead, k_N="params_ratio"),
        "k_D": _row(overtraining.tokens_ratio, k_N="params_ratio"),
        "k_N_min": _row(overtraining.least_params_ratio),
    },
    "inference": {
        "N_opt": _row(_life_params),
        "D_opt": _row(_life_tokens),
        "saving_fraction": _row(inference.saving, N_ref="params", D_inf="tokens_inference"),
        "foc_ratio": _row(inference.foc_ratio, D_tr="tokens", D_inf="tokens_inference", w_inf="w_inference"),
        "dollar_cost": _row(inference.cost_usd, **_COST),
    },
    "overtraining": {
        "loss": _row(_gadre),
        "M_star": _row(overtraining.best_tokens_per_param),
        "top1_error": _row(tasks.top1_error),
    },
    "gns": {
        "unbiased_grad_sq": _row(gradient_noise.gradient_square, **_GRADIENTS),
        "B_simple": _row(gradient_noise.noise_scale, **_GRADIENTS),
        "lr_sgd": _row(gradient_noise.sgd_rate, B="batch", B_noise="noise", eps_max="rate_max"),
        "lr_adam_surge": _row(gradient_noise.adam_rate, B="batch", B_noise="noise", eps_max="rate_max"),
    },
    "cbs": {
        "steps": _row(gradient_noise.steps, B="batch"),
        "B_for_overhead": _row(gradient_noise.for_step_overhead, step_overhead="overhead"),
    },
    "wd": {
        "timescale": _row(learning_rate.decay_timescale, B="batch", D="tokens", lr="learning_rate", wd="weight_decay"),
        "lambda_opt": _row(learning_rate.best_weight_decay, N="params", D="tokens", B="batch", lr="learning_rate"),
    },
    "hp": {
        "deepseek_lr": _row(_published_power("learning_rate", "deepseek"), C="flops"),
        "deepseek_batch_tokens": _row(_published_power("batch", "deepseek"), C="flops"),
        "steplaw_lr": _row(_published_power("learning_rate", "step-law"), N="params", D="tokens"),
        "steplaw_batch_tokens": _row(_published_power("batch", "step-law"), D="tokens"),
        "porian_lr": _row(_published_power("learning_rate", "porian"), N="params"),
        "porian_batch": _row(_published_power("batch", "porian"), N="params"),
        "porian_batch_sequences": _row(_published_power("batch", "porian"), N="params"),
        "mup_hidden_lr": _row(learning_rate.mup_hidden_rate, base_lr="base_rate"),
        "palm_lr": _row(_palm_rate),
        "cosine_lr": _row(learning_rate.cosine),
    },
    "emergence": {
        "exact_match": _row(downstream.exact_match, ce_per_token="loss"),
        "edit_distance": _row(downstream.edit_distance, ce_per_token="loss"),
        "N_for_exact_match": _row(downstream.params_for_exact_match),
        "brier": _row(downstream.brier),
    },
    "downstream": {"sigmoid_acc": _row(downstream.sigmoid_accuracy)},
    "units": {
        "bits_per_byte": _row(vocabulary.bits_per_byte, nats_per_token="loss"),
        "perplexity": _row(vocabulary.perplexity, nats_per_token="loss"),
    },
    "precision": {
        "N_eff": _row(_effective_params_of_bits),
        "ptq_delta": _row(compression.quantisation_penalty, N="params", D="tokens", P_post="bits", **_PTQ),
    },
    "moe": {"krajewski_loss": _row(moe.granular_loss, N="params", D="tokens", G="granularity")},
    "scalerl": {"reward": _row(reinforcement.reward, C="flops")},
    "loss_to_loss": {"map": _row(transfer.loss_to_loss, L0="loss")},
    "transfer": {"D_T": _row(transfer.data_transferred, D_F="data", N="params")},
    "llama3": {"D_opt": _row(additive.allocation, C="flops")},
    "deepseek": {"M_per_token": _row(flops.flops_per_token_deepseek)},
    "decision": {
        "curvature_lnN": _row(additive.curvature, C="flops", E=None),
        "fixed_budget_regret": _row(additive.fixed_budget_regret, C="flops", E=None),
        "grad_lnN_opt_alpha": (_gradient_by_alpha, {"E": None}),
        "cvar_normal": (_cvar_normal, {}),
        "cvar_sample": (_cvar_sample, {}),
        "evpi_discrete": (information.evpi, {"prob": "probability"}),
        "evsi_discrete": (information.evsi, {"prob": "probability"}),
        "expected_regret": (information.expected_regret, {"prob": "probability"}),
        "kg_two_normal": (information.knowledge_gradient, {"mu": "mean", "sigma_tilde": "sd"}),
        "normal_posterior_sd_reduction": (information.sd_reduction, {}),
        "logdet_information": (information.log_det_information, {"E": None}),
        "pred_var": (information.predicted_variance, {"E": None}),
    },
}
