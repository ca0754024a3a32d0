"""Public cases of rows that are not runs, and of units taken on trust: what is refused, what is said, and the fit that is left."""

import re

import pytest

slow = pytest.mark.slow
SWEEP = ("--column", "params=N", "--column", "tokens=D", "--where", "N<1e9")
CURVE = (
    "--model",
    "bnsl",
    "--option",
    "breaks=1",
    "--at",
    "samples",
    "--where",
    "model=gpt2-xl",
    "--where",
    "samples>0",
)
LENGTH = "--params", "1713504256", "--tokens", "200e9"


def refusal(said):
    assert said.code == said.document["exit"] == 2
    return said.document["error"]


@pytest.fixture
def out(tmp_path):
    return "--out", tmp_path / "fit.nc"


def test_every_trial_in_the_law_is_refused(table, answer, ask, out):
    text = refusal(ask("fit", table("rate-batch-sweep"), *SWEEP, *out))
    rows, cells, low, high = re.fullmatch(
        r"(\d+) in (\d+) cells; worst over best of a cell ([\d.]+%) to ([\d.]+%)",
        answer("every-trial-in-the-law")["rows"],
    ).groups()
    assert f"{rows} rows share {cells} of the {cells} combinations of params and tokens" in text
    assert "lr" in text and "differ in lr and " in text and f"by {low} to {high}" in text
    assert all(way in text for way in ("--best-of lr,", "--run COLUMN", "--all-rows"))
    assert not out[1].exists()


@slow
def test_the_best_of_each_cell_forecasts_the_best(table, answer, fitted, one_plan):
    said = fitted(table("rate-batch-sweep"), *SWEEP, "--best-of", "lr,gbsz")
    assert said.document["runs_used"] == 9
    row = one_plan(said.fit, *LENGTH)
    measured = float(answer("every-trial-in-the-law")["measured_best"].split()[0])
    assert row["loss_lower"] <= measured <= row["loss_upper"]


@slow
def test_its_band_is_narrow(table, fitted, one_plan):
    row = one_plan(fitted(table("rate-batch-sweep"), *SWEEP, "--best-of", "lr,gbsz").fit, *LENGTH)
    assert row["loss_upper"] - row["loss_lower"] <= 0.08


def test_a_batch_in_sequences_is_refused_with_its_length(table, answer, ask, out):
    options = ("--column", "batch_tokens=gbsz", "--model", "lr-batch-surface")
    text = refusal(ask("fit", table("rate-batch-sweep"), *SWEEP, *options, *out))
    (length,) = re.findall(r"= (\d+) in every row", answer("batch-in-sequences")["tokens_per_sequence"])
    assert f"is {length} in every row" in text and f"batch_tokens=gbsz*{length}" in text


def test_a_negative_loss_is_known_for_what_it_is(table, answer, ask, out):
    columns = ("--column", "params=Non_vocab_parameters", "--column", "tokens=num_characters", "--column", "loss=Lossu")
    text = refusal(ask("fit", table("vocabulary-normalised-loss"), *columns, *out))
    (negative,) = re.findall(r"(\d+ of \d+ rows) negative", answer("negative-loss")["range_of_loss"])
    assert f"negative in {negative}" in text
    assert "loss + unigram entropy" in text and "changes the floor E" in text and "drop" not in text


def test_a_copied_cell_is_said_before_the_fit(table, answer, ask, out):
    options = ("--draws", "50", "--tune", "50", "--chains", "2")
    said = ask("fit", table("fine-tuned-by-samples"), *CURVE, *options, *out)
    value = re.match(r"([\d.]+) twice", answer("copied-cell")["observed"])[1]
    assert any("run-147 and run-148 both have " + value in note for note in said.notes)


@slow
def test_bits_beside_perplexity_label_the_fit(table, answer, fitted, one_plan, say):
    said = fitted(table("fairseq-bits"))
    assert said.document["loss_unit"] == "bits/token"
    (note,) = [note for note in said.notes if "2^loss" in note]
    assert "'valid_ppl' is 2^loss in 12 of 12 rows" in note and "0.693" in note
    row = one_plan(said.fit, "--params", "3e9", "--tokens", "60e9")
    bits = float(re.search(r"= ([\d.]+) bits", answer("loss-in-bits-beside-perplexity")["forecast"])[1])
    assert row["loss_lower"] <= bits <= row["loss_upper"]
    assert "bits/token" in say("forecast", said.fit, "--params", "3e9", "--tokens", "60e9")
