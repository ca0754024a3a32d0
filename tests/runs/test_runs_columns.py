import pytest

from bayescale.runs.columns import ALIASES, COLUMNS, NUMERIC, PLAIN_NAMES, RULES, TEXT, plain


def test_one_spelling_belongs_to_one_column():
    spellings = [(plain(alias), column.name) for column in COLUMNS.values() for alias in column.aliases]
    assert len({spelling for spelling, _ in spellings}) == len(spellings) == len(ALIASES)


def test_an_alias_is_a_name_of_its_own_only_for_params_total():
    # params_total is a column of its own, and may stand for params where there is no better one.
    assert set(ALIASES) & set(PLAIN_NAMES) == {"params_total"}


@pytest.mark.parametrize(
    ("spelling", "same"),
    [("eval/loss", "eval_loss"), (" Eval Loss ", "eval_loss"), ("EVAL-LOSS", "eval_loss"), ("eval.loss", "eval_loss")],
)
def test_plain_ignores_case_and_separators(spelling, same):
    assert plain(spelling) == same


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        *[("N", "params"), ("n_params", "params"), ("D", "tokens"), ("tokens_seen", "tokens"), ("C", "flops")],
        *[("total_flos", "flops"), ("L", "loss"), ("val/loss", "loss"), ("eval/loss", "loss"), ("lr", "lr")],
        *[("Name", "run"), ("learning_rate", "lr"), ("hidden_size", "width"), ("random_seed", "seed")],
    ],
)
def test_usual_spellings(alias, name):
    assert ALIASES.get(plain(alias), PLAIN_NAMES.get(plain(alias))) == name


def test_every_column_is_of_one_kind():
    assert {column.rule for column in COLUMNS.values()} == {*RULES, "text", "any"}
    assert not set(NUMERIC) & set(TEXT)
    assert set(COLUMNS) - set(NUMERIC) - set(TEXT) == {"seed"}
