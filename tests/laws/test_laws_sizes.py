"""Relatives of Chinchilla's law as models: constants that say what was sampled, limits that are Chinchilla, optima."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from bayescale.laws import LAWS, chinchilla

INPUTS = {"params": np.geomspace(3e7, 3e9, 7), "tokens": np.geomspace(1e9, 1e11, 7), "steps": np.geomspace(1e3, 1e5, 7)}
SAMPLED = {
    "T": 3.1, "u": -0.4, "u1": -1.2, "u2": -1.7, "v": 0.6, "log_alpha": -1.1, "log_beta": -0.9, "log_k": -0.5, "log_alpha_k": -1.1,
    "log_beta_k": -0.9, "shift": 0.3, "params_slope": 0.52, "log_g": -1.8, "log_eta": -1.9, "log_alpha_N": -1.3, "log_alpha_D": -1.2,
    "log_alpha_S": -0.6,
}  # fmt: skip
NAMES = [("kaplan-nd", {}), ("kaplan-nd", {"irreducible": True}), ("kaplan-ns", {}), ("kaplan-ns", {"irreducible": True}),
         ("skaling", {}), ("profile", {}), ("overtrained", {})]  # fmt: skip


def made(name, options=None, **sampled):
    law = LAWS[name].configured(**options) if options else LAWS[name]
    inputs = {key: INPUTS[key] for key in law.inputs}
    found = law.constants({key: {**SAMPLED, **sampled}[key] for key in law.sampled}, law.anchors(inputs))
    return law, {key: found[key] for key in law.loss_constants}


@pytest.mark.parametrize(("name", "options"), NAMES)
def test_T_is_the_loss_in_the_middle(name, options):
    if name == "profile":  # T is the loss of the optimum at the mean compute, of the middle where the two meet
        law, constants = made(name, options, shift=0.0)
    else:
        law, constants = made(name, options)
    middle = {key: np.exp(np.log(INPUTS[key]).mean()) for key in law.inputs}
    assert law.loss(**middle, **constants) == pytest.approx(SAMPLED["T"])
    assert (constants["E"] > 0) == (options.get("irreducible", False) or not name.startswith("kaplan"))


def test_skaling_without_coupling_is_chinchilla():
    _, ours = made("skaling", log_k=0.0)
    anchors = {"log_params_mean": np.log(INPUTS["params"]).mean(), "log_tokens_mean": np.log(INPUTS["tokens"]).mean()}
    theirs = chinchilla.constants(SAMPLED, anchors)
    for key in ("E", "A", "alpha", "B", "beta"):
        assert ours[key] == pytest.approx(theirs[key])


def test_profile_with_its_links_is_chinchilla():
    law, tied = made("profile")
    alpha, beta = tied["alpha"], tied["beta"]
    tied |= {"s": beta / (alpha + beta), "g": alpha * beta / (alpha + beta)}
    A, B = np.exp(4.0), np.exp(6.0)
    flops = 6 * np.exp(tied["c0"])
    tied["x0"] = chinchilla.optimum(flops, A=A, alpha=alpha, B=B, beta=beta)
    best = np.exp(tied["x0"])
    tied["R0"] = A / best**alpha + B / (flops / 6 / best) ** beta
    ours = law.loss(INPUTS["params"], INPUTS["tokens"], **tied)
    theirs = chinchilla.loss(INPUTS["params"], INPUTS["tokens"], E=tied["E"], A=A, alpha=alpha, B=B, beta=beta)
    np.testing.assert_allclose(ours, theirs, rtol=1e-10)


def test_overtrained_is_chinchilla_with_one_exponent():
    law, ours = made("overtrained")
    alpha, beta = law.sizing.exponents(**ours)
    assert alpha == beta == 2 * ours["eta"]
    theirs = {
        "E": ours["E"],
        "A": ours["a"] / 6 ** ours["eta"],
        "alpha": alpha,
        "B": ours["b"] / 6 ** ours["eta"],
        "beta": beta,
    }
    np.testing.assert_allclose(
        law.loss(INPUTS["params"], INPUTS["tokens"], **ours),
        chinchilla.loss(INPUTS["params"], INPUTS["tokens"], **theirs),
    )
    assert law.sizing.optimum(1e21, **ours) == pytest.approx(chinchilla.optimum(1e21, **theirs))


@pytest.mark.parametrize(("name", "options"), [pair for pair in NAMES if pair[0] != "kaplan-ns"])
@pytest.mark.parametrize("flops", [1e19, 1e22])
def test_optimum_is_the_numerical_one(name, options, flops):
    law, constants = made(name, options)

    def loss(log_params):
        return float(law.loss(np.exp(log_params), flops / 6 / np.exp(log_params), **constants))

    best = float(law.sizing.optimum(flops, **constants))
    found = minimize_scalar(loss, bounds=(best - 5, best + 5), method="bounded", options={"xatol": 1e-7})
    assert best == pytest.approx(found.x, abs=2e-3)


@pytest.mark.parametrize(("name", "options"), [pair for pair in NAMES if pair[0] != "kaplan-ns"])
def test_compute_saved_reaches_the_loss(name, options):
    law, constants = made(name, options)

    def best_loss(flops):
        params = np.exp(law.sizing.optimum(flops, **constants))
        return law.loss(params, flops / 6 / params, **constants)

    assert law.sizing.compute_saved(best_loss(3e20), best_loss(1e21), **constants) == pytest.approx(0.3)
