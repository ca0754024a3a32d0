"""The public case of models fine-tuned on more and more samples: a slope that still grows where the fitted sets end."""

import re

import pytest

slow = pytest.mark.slow
CURVE = ("--at", "samples", "--where", "samples<=204800")
# In the order of the answer; a fit takes minutes, so two of them are asked.
MODELS = ("gpt2", "gpt2-xl", "facebook/bart-large", "facebook/opt-1.3b")


def test_samples_0_is_named_with_the_fix(table, ask, tmp_path):
    path = tmp_path / "none.nc"
    said = ask("fit-breaks", table("fine-tuned-by-samples"), *CURVE, "--where", "model=gpt2-xl", "--out", path)
    message = said.document["error"]
    assert said.code == 2 and "'samples'" in message and "row 136 (run-136) has 0" in message
    assert "(--where): 'samples>0'" in message and "--drop-bad" in message
    assert not path.exists()


@pytest.fixture(scope="module")
def broken(table, ask, tmp_path_factory):
    """Fit one model's curve; give what was said and the file."""
    made = {}

    def call(model):
        if model not in made:
            path = tmp_path_factory.mktemp("breaks") / "fit.nc"
            where = ("--where", f"model={model}", "--where", "samples>0")
            said = ask("fit-breaks", table("fine-tuned-by-samples"), *CURVE, *where, "--out", path)
            assert said.code == 0, said
            made[model] = said._replace(fit=path)
        return made[model]

    return call


def numbers(text):
    """Read "gpt2 0.929, gpt2-xl 0.800, ..." or a list in the order of the models."""
    return dict(zip(MODELS, map(float, re.findall(r"\d\.\d{3}", text)), strict=True))


@slow
@pytest.mark.parametrize("model", MODELS[:2])
def test_a_law_that_may_turn_is_nearer_than_the_plain_one(broken, one_plan, answer, model):
    told = answer("fine-tuned-by-samples")
    measured, plain = numbers(told["measured"])[model], numbers(told["plain_power_law"])[model]
    row = one_plan(broken(model).fit, "--at", "samples=1638400")
    assert abs(row["expected_median"] - measured) < abs(plain - measured)


@slow
@pytest.mark.parametrize("model", MODELS[:2])
def test_one_break_carries_most_weight(broken, model):
    weights = {row["name"]: row["weight"] for row in broken(model).document["laws"]}
    assert max(weights, key=weights.get) == "breaks_1"
