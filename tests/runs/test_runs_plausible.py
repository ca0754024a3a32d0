"""Units and kinds that the values give away: one sentence each, with the fix; a good table gives none."""

import numpy as np
import pandas as pd
import pytest

from bayescale.runs import read_runs, select_rows
from bayescale.runs.plausible import check_units, ignored_note, same_value_note

INPUTS = {"params": "params", "tokens": "tokens"}


def runs(**more):
    table = pd.DataFrame({"params": np.geomspace(1e8, 1e9, 8), "tokens": np.geomspace(2e9, 2e10, 8)})
    return table.assign(**({"loss": np.linspace(3.5, 2.8, 8)} | more))


def units(table, columns=None, unit=None, inputs=INPUTS):
    return check_units(read_runs(table, columns), inputs, "loss", unit)


def test_a_good_table_says_nothing():
    read = read_runs(runs(vocab_size=50257, ppl=np.exp(runs()["loss"]), lr=1e-3, optimizer="adamw"))
    assert set(read.attrs["notes"]) == {"filled"} and "loss_unit" not in read.attrs
    assert check_units(read, INPUTS, "loss", None) == ""
    assert same_value_note(read, "loss") == ignored_note(read, ["params", "tokens"], {}) == ""


def test_perplexity_of_two_to_the_loss_gives_bits():
    read = read_runs(runs(valid_ppl=(2 ** runs()["loss"]).round(2)).rename(columns={"loss": "valid_loss"}))
    assert read.attrs["loss_unit"] == "bits/token"
    note = read.attrs["notes"]["loss_unit"]
    assert "'valid_ppl' is 2^loss in 8 of 8 rows" in note and "valid_loss*0.693147" in note


def test_perplexity_that_is_neither_is_said_once():
    note = read_runs(runs(ppl=3 * runs()["loss"])).attrs["notes"]["loss_unit"]
    assert "'ppl' is neither e^loss nor 2^loss of 'loss'" in note
    # A training perplexity beside a validation loss is another quantity.
    other = runs(train_ppl=3 * runs()["loss"]).rename(columns={"loss": "valid_loss"})
    assert "loss_unit" not in read_runs(other).attrs["notes"]


@pytest.mark.parametrize(
    ("column", "unit"), [("val/bpb", "bits/byte"), ("bits_per_byte", "bits/byte"), ("final_bpc", "bits/char")]
)
def test_bits_per_byte_label_the_loss(column, unit):
    read = read_runs(runs().rename(columns={"loss": column}), {"loss": column})
    assert read.attrs["loss_unit"] == unit and unit in read.attrs["notes"]["loss_unit"]
    assert check_units(read, INPUTS, "loss", None) == ""


def test_a_perplexity_read_as_loss_is_refused_with_its_logarithm():
    table = runs(ppl=np.linspace(30, 15, 8)).drop(columns="loss")
    with pytest.raises(ValueError, match=r"'ppl' is a perplexity.*--column 'loss=ln\(ppl\)'"):
        units(table, {"loss": "ppl"})
    read = read_runs(table, {"loss": "ln(ppl)"})
    np.testing.assert_allclose(read["loss"], np.log(table["ppl"]))
    assert check_units(read, INPUTS, "loss", None) == ""


def test_losses_above_a_uniform_guess():
    with pytest.raises(ValueError, match=r"above the loss of a uniform guess \(ln 270,000 = 12.5\) in 8 of 8 rows"):
        units(runs(loss=np.linspace(30, 15, 8)))
    with pytest.raises(ValueError, match=r"\(ln vocab_size\) in 8 of 8 rows"):
        units(runs(loss=np.linspace(9, 8, 8), vocab_size=512))
    assert "in 1 of 8 rows" in units(runs(loss=[13, *np.linspace(9, 8, 7)]))
    assert units(runs(loss=np.linspace(30, 15, 8)), unit="nats/document") == ""
    assert "Check its unit" in units(runs(loss=np.linspace(30, 15, 8)), inputs={"x": "tokens"})


BATCH = {**INPUTS, "batch_tokens": "batch_tokens"}


def test_a_batch_in_sequences_is_told_by_the_steps():
    table = runs(batch_tokens=256.0).assign(steps=lambda t: t["tokens"] / 256 / 4096)
    with pytest.raises(ValueError, match=r"is 4096 in every row.*--column 'batch_tokens=batch_tokens\*4096'"):
        units(table, inputs=BATCH)
    assert units(table, {"batch_tokens": "batch_tokens*4096"}, inputs=BATCH) == ""
    assert units(table) == ""  # the law does not take it


def test_a_small_batch_is_asked_about_unless_the_steps_explain_it():
    with pytest.raises(ValueError, match=r"looks like sequences: its values are 16 to 1024"):
        units(runs(batch_tokens=np.geomspace(16, 1024, 8)), inputs=BATCH)
    assert units(runs(batch_tokens=512.0), {"batch_tokens": "batch_tokens*1"}, inputs=BATCH) == ""
    small = runs(batch_tokens=512.0).assign(steps=lambda t: t["tokens"] / 512)
    assert units(small, inputs=BATCH) == units(runs(batch_tokens=65536.0), inputs=BATCH) == ""


def test_a_copied_value_is_said_and_a_coarse_scale_is_not():
    copied = runs(loss=[3.51823, 3.41734, 3.30211, 3.30211, 3.1, 3.05127, 2.9123, 2.85])
    assert "run-3 and run-4 both have 3.30211" in same_value_note(read_runs(copied), "loss")
    coarse = runs(loss=[3.5, 3.4, 3.3, 3.3, 3.1, 3.0, 2.9, 2.8])
    assert same_value_note(read_runs(coarse), "loss") == ""
    _, notes = select_rows(read_runs(copied), inputs=INPUTS)[1], select_rows(read_runs(copied), inputs=INPUTS)[0].attrs
    assert "same_value" in notes["notes"]


def test_a_setting_that_enters_no_law_is_named():
    twice = pd.concat([runs(weight_decay=0.1), runs(weight_decay=0.033)], ignore_index=True)
    note = ignored_note(read_runs(twice), ["params", "tokens", "lr"], {"weight_decay": ["a-law"]})
    assert note.startswith("'weight_decay' (taken by a-law) differs between runs of equal params and tokens")
    assert ignored_note(read_runs(twice), ["params", "tokens", "weight_decay"], {}) == ""
    # A setting that follows the size is part of a recipe.
    assert ignored_note(read_runs(runs(weight_decay=[0.1] * 4 + [0.033] * 4)), ["params", "tokens"], {}) == ""
    assert ignored_note(read_runs(twice), ["loss"], {}) == ""


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"params": np.linspace(0.07, 7, 8)}, r"billions.*--column 'params=params\*1e9'"),
        ({"params": np.linspace(70, 1000, 8)}, r"billions, millions.*--column 'params=params\*1e6'"),
        ({"tokens": np.linspace(1, 140, 8)}, r"--column 'tokens=tokens\*1e9'"),
        ({"flops": np.linspace(0.1, 400, 8)}, r"flops are total training FLOP: write 1e21.*'flops=flops\*1e21'"),
        ({"accuracy": np.linspace(25, 71, 8)}, r"look like per cent.*--column accuracy=accuracy/100"),
    ],
)
def test_other_units_come_with_their_multiplier(change, said):
    with pytest.raises(ValueError, match=said) as caught:
        read_runs(runs(**change))
    assert len(str(caught.value).splitlines()) == 1


def test_a_multiplier_mends_it():
    read = read_runs(runs(size=np.linspace(70, 1000, 8), score=50.0), {"params": "size*1e6", "accuracy": "score/100"})
    assert read["params"].max() == 1e9 and set(read["accuracy"]) == {0.5}
    assert "Read 'size*1e6' as params" in read.attrs["notes"]["columns"]
    with pytest.raises(ValueError, match="not in the table"):
        read_runs(runs(), {"params": "sise*1e6"})


def test_a_negative_loss_is_explained_and_no_row_blamed():
    with pytest.raises(ValueError, match="negative in 8 of 8 rows") as caught:
        read_runs(runs(loss=np.linspace(-3, -5, 8)))
    text = str(caught.value)
    assert "loss + unigram entropy" in text and "changes the floor E" in text and "drop" not in text
    assert read_runs(runs(loss=np.linspace(-3, -5, 8)), {"loss": "loss+7.5"})["loss"].min() == 2.5


def test_alike_rows_are_one_message():
    header = pd.DataFrame([dict.fromkeys(runs(), "")]).assign(**{name: name for name in runs()})
    joined = pd.concat(
        [runs().astype(str), *[header, runs(loss=np.linspace(3, 2, 8)).astype(str)] * 3], ignore_index=True
    )
    with pytest.raises(ValueError, match="3 rows repeat the header") as caught:
        read_runs(joined.drop_duplicates().pipe(lambda t: pd.concat([t, header, header], ignore_index=True)))
    assert len(str(caught.value).splitlines()) == 1
    blank = runs().assign(run=[f"r{i}" for i in range(8)])
    blank.loc[3:5, ["params", "tokens", "loss"]] = np.nan
    with pytest.raises(ValueError, match="'params' and 'tokens' and 'loss' are blank in 3 of 8 rows") as caught:
        read_runs(blank)
    assert len(str(caught.value).splitlines()) == 1
    assert len(read_runs(blank, drop_bad=True)) == 5
