"""Published recipes as data, and what published rules say about a plan."""

import numpy as np
import pytest

from bayescale import recipe_for, recipes

TABLE = recipes()


def by_size(family):
    return TABLE[TABLE["family"] == family].sort_values("params", kind="stable")


@pytest.mark.parametrize("family", sorted(set(TABLE["family"])))
def test_larger_models_of_a_family_take_no_larger_rate(family):
    rows = by_size(family)
    rises = rows.index[1:][np.diff(rows["lr"]) > 0]
    assert list(rises) == (["opt-175b"] if family == "opt" else [])


@pytest.mark.parametrize("family", sorted(set(TABLE["family"])))
def test_larger_models_of_a_family_take_no_smaller_batch(family):
    rows = by_size(family)
    falls = rows.index[1:][np.diff(rows["batch_tokens"]) < 0]
    assert list(falls) == (["opt-66b"] if family == "opt" else [])


def test_the_table():
    assert len(TABLE) == 40 and TABLE.index.is_unique
    assert (TABLE[["params", "lr", "batch_tokens"]] > 0).all(axis=None)
    assert (TABLE["tokens"].isna() | (TABLE["tokens"] > TABLE["batch_tokens"])).all()
    assert (TABLE["batch_tokens_first"].isna() | (TABLE["batch_tokens_first"] < TABLE["batch_tokens"])).all()
    assert TABLE["verified"].dtype == bool
    for column in ("optimiser", "schedule", "warmup", "checked", "source"):
        assert (TABLE[column].str.len() > 0).all()
    assert not TABLE["checked"].str.contains("memory").any()


def test_only_what_was_read_is_verified():
    """LAWS.md §11: rows tagged [V: paper text]."""
    assert set(TABLE["family"][TABLE["verified"]]) == {"gpt", "opt", "palm", "llama-2"}
    assert (TABLE["checked"][TABLE["verified"]] == "paper text").all()
    assert TABLE["verified"].sum() == 1 + 9 + 1 + 4


def test_slopes_of_gpt_3():
    """LAWS.md §8: over the eight rows ln lr falls by .305 and ln batch rises by .303 for one of ln params."""
    rows = by_size("gpt-3")
    slope = {name: np.polyfit(np.log(rows["params"]), np.log(rows[name]), 1)[0] for name in ("lr", "batch_tokens")}
    assert slope["lr"] == pytest.approx(-0.305, abs=0.001)
    assert slope["batch_tokens"] == pytest.approx(0.303, abs=0.001)


def test_one_recipe():
    row = recipes(name="llama-2-70b").iloc[0]
    assert (row["params"], row["lr"], row["batch_tokens"], row["tokens"]) == (70e9, 1.5e-4, 4e6, 2e12)
    with pytest.raises(ValueError, match="There is no recipe 'llama-3'"):
        recipes(name="llama-3")


def test_nearest_by_params_then_tokens():
    assert list(recipes(params=6.7e9, tokens=2e11).index[:3]) == ["opt-6.7b", "gpt-3-6.7b", "llama-7b"]
    assert list(recipes(params=6.7e9, tokens=2e12).index[:3]) == ["llama-7b", "gpt-3-6.7b", "opt-6.7b"]
    assert recipes(params=1.1e8).index[0] == "gpt-117m", "of two at one distance the first of the table"
    assert len(recipes(params=1e9, tokens=1e9)) == len(TABLE)


def rules(answer, quantity):
    return {row["rule"]: row for row in answer["rules"] if row["quantity"] == quantity}


def test_inside_the_range_of_the_rules():
    answer = recipe_for(5e8, 1e10)
    found = rules(answer, "lr")
    values = {name: row["value"] for name, row in found.items() if row["value"]}
    assert values == pytest.approx(
        {
            "kaplan": 0.003239 - 0.0001395 * np.log(5e8),
            "deepseek": 0.3118 * 3e19**-0.125,
            "step-law": 1.79 * 5e8**-0.713 * 1e10**0.307,
            "porian": 3.7 * 5e8**-0.36,
        }
    )
    assert (answer["lr_lower"], answer["lr_upper"]) == (min(values.values()), max(values.values()))
    assert all(not row["reason"] for row in found.values() if row["value"])
    batches = rules(answer, "batch_tokens")
    assert batches["porian"]["value"] == pytest.approx(0.7576 * 5e8**0.703, rel=1e-3)
    assert batches["step-law"]["value"] == pytest.approx(0.58 * 1e10**0.571)
    assert answer["batch_tokens_lower"] == batches["step-law"]["value"]
    assert any("differ by a factor 6.1" in text for text in answer["notes"])


def test_outside_the_range_of_the_rules():
    """A plan beyond every rule gets no value, but each reason and the extended value; these differ by a large factor."""
    answer = recipe_for(7e9, 2e12)
    assert all(row["value"] is None and row["reason"] for row in answer["rules"])
    assert (
        answer["lr_lower"] is answer["lr_upper"] is answer["batch_tokens_lower"] is answer["weight_decay_lower"] is None
    )
    assert (
        "params 7e+09 above 1e+09; extended there it would give 1.02e-03" in rules(answer, "lr")["step-law"]["reason"]
    )
    assert "would give 4.25e-04" in rules(answer, "lr")["deepseek"]["reason"]
    assert any("there is no range" in text for text in answer["notes"])
    assert answer["nearest"][0] == "llama-2-7b"
    assert (answer["warmup"], answer["schedule"]) == ("2000 steps", "cosine to 10%")


def test_what_is_known_from_memory_gives_no_number():
    answer = recipe_for(5e8, 1e10)
    for quantity, name in (("lr", "bjorck"), ("batch_tokens", "bergsma")):
        row = rules(answer, quantity)[name]
        assert row["value"] is None and "not verified" in row["reason"]


def test_a_critical_batch_is_no_best_batch():
    answer = recipe_for(5e8, 1e10)
    (row,) = rules(answer, "critical_batch_tokens").values()
    assert row["value"] == pytest.approx(0.89e6, rel=0.01), "LAWS.md §7.2 at 1e10 tokens"
    assert answer["batch_tokens_upper"] != row["value"]


def test_rules_of_one_slope_do_not_answer_without_tokens():
    found = rules(recipe_for(5e8), "lr")
    assert found["kaplan"]["value"] and found["step-law"]["value"] is found["deepseek"]["value"] is None
    assert "give tokens" in found["step-law"]["reason"]


def test_weight_decay_by_its_time_scale():
    answer = recipe_for(7e9, 1.4e11, batch_tokens=4e6, lr=3e-4)
    wanted = 4e6 / (3e-4 * 1.4e11 * 1.084 * 20**-0.527)
    assert answer["weight_decay_lower"] == answer["weight_decay_upper"] == pytest.approx(wanted)
    assert any(
        "needs a batch, `batch_tokens` (--batch-tokens)" in text for text in recipe_for(7e9, 2e12, lr=3e-4)["notes"]
    )
    within = recipe_for(5e8, 1e10)
    assert 0 < within["weight_decay_lower"] < within["weight_decay_upper"]


def test_rates_of_adafactor_are_marked():
    assert any("palm-540b" in text and "Adafactor" in text for text in recipe_for(5e11, 1e12)["notes"])


@pytest.mark.parametrize("plan", [{"params": 0}, {"params": 1e9, "tokens": -1}, {"params": np.nan}])
def test_counts_are_positive(plan):
    with pytest.raises(ValueError, match="must be > 0"):
        recipe_for(**plan)
