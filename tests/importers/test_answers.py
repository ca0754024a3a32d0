"""Answers of the user: for which runs they are used, what they override, and what is rejected."""

import json

import pandas as pd
import pytest
from reading import gather

from bayescale import ImportAnswers, fit, import_runs, load_spec, read_runs
from bayescale.importers.importing import OpenQuestions
from bayescale.importers.interpret.answers import load_mapping, mapping_text, merged
from bayescale.importers.write import write

HEAD = '"Name","State","n_params_non_embedding","tokens","eval/loss","lr"\n'


@pytest.fixture
def logged(tmp_path):
    """Two runs that log all, and one CSV log that knows neither params nor tokens."""
    (tmp_path / "w.csv").write_text(
        HEAD
        + '"a","finished","19005440","419430400","3.9","0.003"\n"b","finished","38005440","838860800","3.5","0.003"\n'
    )
    (tmp_path / "c.csv").write_text("step,val_loss\n500,4.5\n1000,3.8125\n")
    return tmp_path


def test_a_value_for_all_runs_fills_gaps_alone(logged):
    answers = ImportAnswers(params={"*": 1.2e8}, batch_tokens={"*": 32768.0}, params_kind="non-embedding")
    runs = import_runs(logged, answers).runs.set_index("run")
    assert runs["params"].to_dict() == {"a": 19005440, "b": 38005440, "c": 120000000}
    assert runs["tokens"].to_dict() == {"a": 419430400, "b": 838860800, "c": 32768000}


def test_a_value_for_a_run_wins_over_its_log(logged):
    answers = ImportAnswers(params={"b": 5e7, "c": 1.2e8}, batch_tokens={"c": 32768.0}, set={"tokens": {"a": 5e8}})
    imported = import_runs(logged, answers)
    runs = imported.runs.set_index("run")
    assert runs["params"].to_dict() == {"a": 19005440, "b": 50000000, "c": 120000000}
    assert runs.loc["a", "tokens"] == 5e8
    assert (
        imported.report["origins"]["b"]["params"] == "--params" and imported.report["origins"]["a"]["tokens"] == "--set"
    )
    ends = imported.checkpoints.groupby("run").last()
    assert ends["tokens"].to_dict() == runs["tokens"].to_dict()


def test_a_name_is_read_whole_or_not_at_all(tmp_path):
    for name in ("N70M_D1_5B", "N1b3_D2B", "N70M_D1.5B"):
        (tmp_path / f"{name}.csv").write_text("step,val_loss\n1000,3.8125\n")
    _, table, _ = gather(tmp_path, ImportAnswers(name="N{params}_D{tokens}"))
    read = {row.run: row.given_params for row in table.rows if "--name" in row.origins.values()}
    assert read == {"N70M_D1.5B": 7e7}


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({"set": {"loss": {"*": -1.0}}}, "losses are above 0"),
        ({"set": {"tokens": {"*": "1.5B"}}}, "must be a number"),
        ({"set": {"run": {"*": "x"}}}, "each needs its own"),
        ({"set": {"size": {"*": 1.0}}}, "is not a column of a runs table"),
        ({"params": {"*": -1.0}}, "must be a number above 0"),
        ({"eval_set": 3}, "must be text"),
        ({"loss_unit": "bits"}, r"`loss_unit` \(--loss-unit\) must be one of"),
    ],
)
def test_answers_that_cannot_be(answers, said):
    with pytest.raises(ValueError, match=said):
        ImportAnswers(**answers)


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({"map": {"lr": "nokey"}}, "no log has that key"),
        ({"params": {"nothing": 1e7}}, "does not match any run"),
        ({"leave_out": ("nothing",)}, "does not match any run"),
        ({"name": "N{params}"}, "does not match any run"),
    ],
)
def test_answers_that_fit_nothing(logged, answers, said):
    with pytest.raises(ValueError, match=said):
        gather(logged, ImportAnswers(**answers))


def test_a_mapped_counter_is_read_at_the_step_of_the_loss(tmp_path):
    rows = [
        {"_step": step, "global_step": step, "used": step * 1e6, **({"eval/loss": 3.1} if step == 900 else {})}
        for step in (300, 900, 1000)
    ]
    (tmp_path / "h.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    runs = import_runs(tmp_path / "h.jsonl", ImportAnswers(map={"tokens": "used"}, params={"*": 1e7})).runs
    assert runs[["steps", "tokens"]].to_numpy().tolist() == [[900, 9e8]]


@pytest.mark.parametrize(
    ("sets", "answer", "loss"),
    [
        ({"eval/c4/loss": 3.9, "eval/wiki/loss": 4.4}, "c4", 3.9),
        ({"eval/paloma/c4/loss": 3.9, "eval/wiki/loss": 4.4}, "c4", 3.9),
        ({"eval/paloma/c4/loss": 3.9, "eval/dolma/c4/loss": 2.9}, "c4", None),
        ({"eval/paloma/c4/loss": 3.9, "eval/dolma/c4/loss": 2.9}, "dolma/c4", 2.9),
        ({"eval/wiki/loss": 4.4, "eval/books/loss": 4.1}, "any", None),
        ({"eval/wiki/loss": 4.4}, "c4,any", 4.4),
        ({"eval/loss": 3.5}, "c4,any", 3.5),
        ({"eval/loss": 3.5, "eval/c4/loss": 3.9}, "unnamed", 3.5),
    ],
)
def test_which_set(tmp_path, sets, answer, loss):
    (tmp_path / "h.jsonl").write_text(json.dumps({"_step": 9, "global_step": 9, "tokens": 9e6, **sets}) + "\n")
    _, table, _ = gather(tmp_path / "h.jsonl", ImportAnswers(eval_set=answer))
    is_open = "eval set" in {question.topic for question in table.questions.all()}
    assert is_open == (loss is None)
    assert loss is None or table.rows[0].values["loss"] == loss


def test_units_of_the_loss(tmp_path):
    text = '"Name","State","params","tokens","{}"\n"a","finished","19005440","419430400","1.05"\n'
    (tmp_path / "bits.csv").write_text(text.format("eval/bpb"))
    (tmp_path / "nats.csv").write_text(text.format("eval/loss").replace('"a"', '"b"').replace("1.05", "3.9"))
    kept = import_runs(tmp_path / "bits.csv")
    assert kept.report["loss_unit"] == "bits/byte" and kept.runs["loss"].tolist() == [1.05]
    turned = import_runs(tmp_path / "bits.csv", ImportAnswers(bytes_per_token=4.0, loss_unit="bits/byte"))
    assert turned.report["loss_unit"] == "nats/token" and turned.runs["loss"].tolist() == pytest.approx(
        [2.9112181583517702]
    )
    with pytest.raises(ValueError, match="--bytes-per-token"):
        import_runs(tmp_path)
    both = import_runs(tmp_path, ImportAnswers(bytes_per_token=4.0))
    assert both.runs.set_index("run")["loss"].to_dict() == pytest.approx({"a": 2.9112181583517702, "b": 3.9})
    with pytest.raises(ValueError, match="keys of the losses say bits/byte"):
        import_runs(tmp_path / "bits.csv", ImportAnswers(loss_unit="nats/byte"))


def test_params_of_two_kinds_never_mix(tmp_path):
    (tmp_path / "one.csv").write_text("run;total params;tokens;loss\na;38.000.000;1.000.000.000;3,5123\n")
    (tmp_path / "two.csv").write_text("run;non-embedding params;tokens;loss\nb;19.000.000;1.000.000.000;3,7123\n")
    with pytest.raises(ValueError, match="all must count the same"):
        import_runs(tmp_path)
    runs, _, report = import_runs(tmp_path, ImportAnswers(params={"a": 2e7}))
    assert (
        runs.set_index("run")["params"].to_dict() == {"a": 2e7, "b": 1.9e7} and report["params_kind"] == "non-embedding"
    )


def test_a_table_is_known_again_by_its_content(tmp_path):
    (tmp_path / "bits.csv").write_text(
        HEAD.replace("eval/loss", "eval/bpb") + '"a","finished","19005440","419430400","1.05","0.003"\n'
    )
    write(import_runs(tmp_path / "bits.csv"), tmp_path / "runs.csv", {})
    (tmp_path / "runs.csv").rename(tmp_path / "renamed.csv")
    table = read_runs(tmp_path / "renamed.csv")
    assert (table.attrs["loss_unit"], table.attrs["params_kind"]) == ("bits/byte", "non-embedding")
    assert import_runs(tmp_path / "renamed.csv").report["loss_unit"] == "bits/byte"
    (tmp_path / "runs.csv").write_text(
        "run,params,tokens,loss\nx,19005440,419430400,3.9\n"
    )  # another table under its name
    assert "loss_unit" not in read_runs(tmp_path / "runs.csv").attrs


def test_an_earlier_import_in_the_folder_is_passed_over(logged):
    answers = ImportAnswers(params={"c": 1.2e8}, batch_tokens={"c": 32768.0})
    first = import_runs(logged, answers)
    write(first, logged / "runs.csv", {})
    again = import_runs(logged, answers)
    pd.testing.assert_frame_equal(again.runs, first.runs)
    assert len(again.report["passed_over"]) == 3


def test_a_run_that_two_files_tell_counts_once(logged):
    (logged / "again.csv").write_text(
        (logged / "w.csv").read_text().replace(',"lr"', ',"lr","more"').replace('"0.003"\n', '"0.003","1"\n')
    )
    answers = ImportAnswers(params={"c": 1.2e8}, batch_tokens={"c": 32768.0})
    imported = import_runs(logged, answers)
    assert sorted(imported.runs["run"]) == ["a", "b", "c"]
    assert all("the same run as in" in item["reason"] for item in imported.report["left_out"])
    (logged / "again.csv").unlink()
    (logged / "w.csv").write_text(
        (logged / "w.csv").read_text() + '"a","finished","19005440","419430400","3.9","0.003"\n'
    )
    assert len(import_runs(logged, answers).runs) == 4  # replicates of one file stay


def test_models_that_repeat_are_a_grid(tmp_path):
    lines = [
        "model,params,tokens,loss",
        *(f"70M,70000000,{tokens}000000000,{loss}" for tokens, loss in ((1, 3.9123), (2, 3.7123), (4, 3.5123))),
    ]
    (tmp_path / "grid.csv").write_text("\n".join(lines) + "\n")
    assert import_runs(tmp_path / "grid.csv").runs["loss"].tolist() == [3.9123, 3.7123, 3.5123]


def test_mappings_are_merged_and_round_trip(tmp_path):
    base = ImportAnswers(
        params={"a": 1e7}, leave_out=("bad",), set={"lr": {"*": 0.003}}, unfinished="keep", eval_set='c4 "x"'
    )
    (tmp_path / "m.toml").write_text(mapping_text(base))
    assert load_mapping(tmp_path / "m.toml") == base
    both = merged(
        base, {"params": {"b": 2e7}, "leave_out": ("worse",), "set": {"lr": {"b": 0.001}}, "unfinished": "leave-out"}
    )
    assert both.params == {"a": 1e7, "b": 2e7} and both.leave_out == ("bad", "worse")
    assert both.set == {"lr": {"*": 0.003, "b": 0.001}} and both.unfinished == "leave-out"
    (tmp_path / "m.toml").write_text('leave_out = "bad"')
    with pytest.raises(ValueError, match="must be a list"):
        load_mapping(tmp_path / "m.toml")


def test_a_fit_takes_the_unit_and_the_kind_of_its_table(logged):
    rows = "".join(
        f'"r{n}{d}","finished","{n}000000","{d}00000000","{1.0 + 5 / n**0.3 + 2 / d**0.3:.5f}","0.003"\n'
        for n in (10, 20, 40, 80)
        for d in (4, 16, 64)
    )
    (logged / "many.csv").write_text(HEAD.replace("eval/loss", "eval/bpb") + rows)
    write(import_runs(logged / "many.csv"), logged / "runs.csv", {})
    idata = fit(
        load_spec("chinchilla"),
        read_runs(logged / "runs.csv"),
        draws=50,
        tune=200,
        chains=2,
        cores=1,
        random_seed=1,
        progressbar=False,
    )
    assert (idata.attrs["loss_unit"], idata.attrs["params_kind"]) == ("bits/byte", "non-embedding")


def test_what_is_asked_names_the_answer_in_python_and_on_the_command_line(tmp_path):
    (tmp_path / "a.csv").write_text("step,val_loss\n500,4.1\n1000,3.9\n")
    with pytest.raises(OpenQuestions) as caught:
        import_runs(tmp_path / "a.csv")
    said = str(caught.value).splitlines()
    assert any(text.endswith("Answer with `batch_tokens` (--batch-tokens a=COUNT)") for text in said)
    assert any(text.endswith("Answer with `params` (--params a=COUNT)") for text in said)
    assert [question.option for question in caught.value.questions] == [
        "--batch-tokens RUN=COUNT",
        "--params RUN=COUNT",
    ]
