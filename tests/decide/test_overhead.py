"""The cost of a model off the optimal size: published values, limits, and a posterior that does not reach."""

import numpy as np
import pytest

from bayescale import Rules, overhead_curve
from bayescale.laws import LAWS, chinchilla, kaplan


def test_published_values(posterior_from_constants, besi):
    table = overhead_curve(posterior_from_constants(besi, n_draws=10), [1, 0.75, 0.57, 0.5, 0.3, 0.25])
    np.testing.assert_allclose(
        table["overhead_median"], [0, 0.034, 0.153, 0.259, 1.61, 3.47], atol=0.006
    )  # LAWS.md §5, Besiroglu's constants
    assert table["critical_ratio_median"].iloc[0] == pytest.approx(0.1464, abs=1e-4)
    assert (table["reachable"] == 1).all()


def test_a_size_that_no_data_save(posterior_from_constants, besi):
    row = overhead_curve(posterior_from_constants(besi, n_draws=10), [0.1]).iloc[0]
    assert np.isinf(row["overhead_median"]) and row["reachable"] == 0


def test_uncertain_exponents_widen_it(posterior_from_constants, besi):
    alpha = np.linspace(0.3, 0.4, 40)
    table = overhead_curve(posterior_from_constants({**besi, "alpha": alpha}), [0.5, 0.25])
    assert (table["overhead_lower"] < table["overhead_median"]).all()
    assert (table["overhead_upper"] > table["overhead_median"]).all()


@pytest.mark.parametrize("ratio", [0, -1, np.nan])
def test_ratios_that_are_none(posterior_from_constants, besi, ratio):
    with pytest.raises(ValueError, match="params_ratio"):
        overhead_curve(posterior_from_constants(besi, n_draws=5), [ratio])


def test_a_law_without_exponents(posterior_from_constants):
    idata = posterior_from_constants({"E": 1.0, "A": 2.0, "alpha": 0.3}, model="power", n_draws=5)
    with pytest.raises(ValueError, match="no exponents"):
        overhead_curve(idata)


def test_the_sum_inside_kaplans_bracket_counts(posterior_from_constants):
    """[(N_c / N)^(a / b) + D_c / D]^b: a model of k_N times the best size reaches the loss with k_D times the tokens."""
    constants = {"E": 0.0, "N_c": 6.4e13, "alpha_N": 0.076, "D_c": 1.8e13, "alpha_D": 0.103}
    row = overhead_curve(posterior_from_constants(constants, model="kaplan-nd", n_draws=5), 0.5).iloc[0]
    best = np.exp(kaplan.optimum_nd(1e22, **constants))
    tokens = 1e22 / (6 * best)
    assert kaplan.loss_nd(best / 2, row["tokens_ratio_median"] * tokens, **constants) == pytest.approx(
        kaplan.loss_nd(best, tokens, **constants), rel=1e-9
    )


def test_a_law_of_repeated_data_is_asked_at_one_epoch(posterior_from_constants, besi):
    columns = {"unique_tokens": np.geomspace(1e9, 1e10, 6)}
    idata = posterior_from_constants({**besi, "R_D": 15.0, "R_N": 5.0}, model="repeated", n_draws=5, columns=columns)
    plain = overhead_curve(posterior_from_constants(besi, n_draws=5), 0.5).iloc[0]
    row = overhead_curve(idata, 0.5).iloc[0]
    assert row["overhead_median"] == pytest.approx(plain["overhead_median"])


def test_the_data_term_far_beyond_the_runs(posterior_from_constants, besi):
    near, far = (overhead_curve(posterior_from_constants(besi, n_draws=5), k).iloc[0] for k in (1.0, 0.2))
    assert near["warning"] == "" and "tokens per parameter; the runs have at most 20" in far["warning"]
    assert near["tokens_per_param"] == pytest.approx(1e21 / 6 / np.exp(chinchilla.optimum(1e21, **besi)) ** 2, rel=1e-6)


def test_a_profile_of_cut_links_has_no_such_answer(posterior_from_constants):
    constants = {"E": 1.7, "R0": 0.7, "alpha": 0.35, "beta": 0.35, "x0": 20.0, "s": 0.5, "g": 0.16, "c0": 44.0}
    with pytest.raises(ValueError, match="no exponents"):
        overhead_curve(posterior_from_constants(constants, model="profile", n_draws=5))


def test_the_demand_from_which_a_smaller_model_pays(posterior_from_constants, besi):
    """At that demand both models cost the same over their lives, 6 N D + 2 N served."""
    idata = posterior_from_constants(besi, n_draws=5)
    small, large = overhead_curve(idata, [0.5, 2.0], flops=1e22).to_dict(orient="records")
    best = float(np.exp(LAWS["chinchilla"].sizing.optimum(1e22, **besi)))
    served, k_D = small["break_even_tokens_median"], small["tokens_ratio_median"]
    tokens = 1e22 / 6 / best
    whole = 6 * best * tokens + 2 * best * served
    half = 6 * (best / 2) * (k_D * tokens) + 2 * (best / 2) * served
    assert whole == pytest.approx(half) and small["params"] == pytest.approx(best / 2)
    assert np.isnan(large["break_even_tokens_median"])


@pytest.mark.parametrize("flops", [0, -1.0, np.nan])
def test_compute_that_is_none(posterior_from_constants, besi, flops):
    with pytest.raises(ValueError, match="positive number of FLOP"):
        overhead_curve(posterior_from_constants(besi, n_draws=5), 0.5, flops=flops)


def test_an_optimum_beyond_what_is_allowed_is_refused(small_fit):
    with pytest.raises(ValueError, match="decades of compute beyond"):
        overhead_curve(small_fit, 0.5, flops=1e30)
    assert len(overhead_curve(small_fit, 0.5, flops=1e30, rules=Rules(max_extrapolation=99))) == 1
