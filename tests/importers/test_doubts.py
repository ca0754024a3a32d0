"""An import warns of values that another unit would explain, in the words of reading a table."""

import math

import pytest

from bayescale.errors import InputError
from bayescale.importers.importing import OpenQuestions, import_runs
from bayescale.importers.interpret.answers import ImportAnswers
from bayescale.runs import read_runs
from bayescale.runs.plausible import batch_doubt

SIZES = (1e7, 2e7, 4e7, 8e7, 1.6e8)


def write(folder, names, row):
    """Write a table with the named columns, whose cells `row` gives for (params, tokens, loss)."""
    path = folder / "table.csv"
    rows = [(f"r{place}", *row(params, 20 * params, 5 - place / 4)) for place, params in enumerate(SIZES)]
    path.write_text("\n".join([f"run,{names}", *(",".join(map(str, cells)) for cells in rows)]))
    return path


def warnings(path, **answers):
    return import_runs(path, ImportAnswers(**answers)).report["warnings"]


def test_a_batch_in_sequences(tmp_path):
    path = write(tmp_path, "params,tokens,batch_tokens,loss", lambda params, tokens, loss: (params, tokens, 256, loss))
    (said,) = warnings(path)
    assert said == batch_doubt(read_runs(path)) and "looks like sequences" in said
    path = write(
        tmp_path,
        "params,tokens,steps,batch_tokens,loss",
        lambda params, tokens, loss: (params, tokens, tokens / 256 / 2048, 256, loss),
    )
    (said,) = warnings(path)
    assert said == batch_doubt(read_runs(path)) and "256 sequences of 2048 tokens" in said


def test_flops_in_another_unit(tmp_path):
    path = write(tmp_path, "params,flops,loss", lambda params, tokens, loss: (params, 6 * params * tokens / 1e18, loss))
    (said,) = warnings(path)
    with pytest.raises(InputError) as refused:
        read_runs(path)
    assert said.endswith(str(refused.value)) and "flops*1e" in said


def test_flops_that_differ_from_the_rule(tmp_path):
    path = write(
        tmp_path, "params,tokens,flops,loss", lambda params, tokens, loss: (params, tokens, 48 * params * tokens, loss)
    )
    (said,) = warnings(path)
    assert said == read_runs(path).attrs["notes"]["flops"] and "8.00 in every row" in said


def test_a_plain_table_gives_no_warning(tmp_path):
    path = write(
        tmp_path,
        "params,tokens,flops,batch_tokens,loss",
        lambda params, tokens, loss: (params, tokens, 6 * params * tokens, 524288, loss),
    )
    assert warnings(path) == []


def test_a_perplexity_is_asked_and_its_logarithm_taken(tmp_path):
    path = write(tmp_path, "params,tokens,loss", lambda params, tokens, loss: (params, tokens, math.exp(loss)))
    with pytest.raises(OpenQuestions, match="--loss-unit perplexity"):
        import_runs(path)
    imported = import_runs(path, ImportAnswers(loss_unit="perplexity"))
    assert imported.runs["loss"].tolist() == pytest.approx([5, 4.75, 4.5, 4.25, 4])
    assert imported.report["loss_unit"] == "nats/token"


def test_bits_per_character_are_a_unit(tmp_path):
    path = write(tmp_path, "params,tokens,val_bpc", lambda params, tokens, loss: (params, tokens, loss / 2))
    imported = import_runs(path)
    assert imported.report["loss_unit"] == "bits/char" and imported.runs["loss"].iloc[0] == 2.5


def test_two_columns_of_one_unit_must_agree(tmp_path):
    path = write(
        tmp_path,
        "params,tokens,val_bpc,final_bpc",
        lambda params, tokens, loss: (params, tokens, loss / 2, loss / 2 + 0.2 * (params > 1e8)),
    )
    with pytest.raises(OpenQuestions, match="which should be the same") as asked:
        import_runs(path)
    assert asked.value.questions[0].runs == ("r4",)
    assert import_runs(path, ImportAnswers(map={"loss": "final_bpc"})).runs["loss"].iloc[-1] == 2.2
