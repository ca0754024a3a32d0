"""`bayescale recipes`: a list in 80 columns, one recipe, the answer for a plan."""

import pytest

from bayescale import recipes


@pytest.mark.parametrize("words", [(), ("palm-540b",), ("--params", "7e9", "--tokens", "2T"), ("--params", "500M")])
def test_it_fits_80_columns(words, run):
    code, out, err = run("recipes", *words)
    assert code == 0 and err == ""
    assert max(len(line) for line in out.splitlines()) <= 80


def test_the_list_has_every_recipe(run):
    _, out, _ = run("recipes")
    lines = out.splitlines()
    for name in recipes().index:
        assert sum(line.startswith(f"{name} ") for line in lines) == 1


def test_one_recipe(run, document):
    _, out, _ = run("recipes", "gpt-3-175b", "--json")
    printed = document(out)
    (row,) = printed["recipes"]
    assert printed["answer"] is None
    assert (row["lr"], row["batch_tokens"], row["batch_tokens_first"]) == (6e-5, 3.2e6, 32e3)
    assert row["dropout"] is None and row["verified"] is False


def test_the_answer(run, document):
    _, out, _ = run("recipes", "--params", "7e9", "--tokens", "2T", "--batch-tokens", "4M", "--lr", "3e-4", "--json")
    answer = document(out)["answer"]
    assert answer["lr_lower"] is None and answer["batch_tokens"] == 4e6
    assert answer["weight_decay_lower"] == answer["weight_decay_upper"] > 0
    assert answer["nearest"][0] == "llama-2-7b"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("gpt-9",), "There is no recipe 'gpt-9'"),
        (("--tokens", "2T"), "--params is missing"),
        (("gpt-3-13b", "--params", "1B"), "not both"),
        (("--params", "many"), "--params: "),
    ],
)
def test_refusals(words, message, run):
    code, _, err = run("recipes", *words)
    assert code == 2 and message in err
