"""Every sample of a logger's export gives what was written down for it (samples/expected.json)."""

import json
import math
from pathlib import Path

import pytest
from reading import gather

from bayescale.importers import keys
from bayescale.importers.find import find
from bayescale.importers.importing import import_runs
from bayescale.importers.interpret.answers import ImportAnswers
from bayescale.importers.interpret.losses import choose
from bayescale.importers.known import FORMATS

SAMPLES = Path(__file__).parent / "samples"
EXPECTED = json.loads((SAMPLES / "expected.json").read_text())
TOPICS = {  # words of an expected question -> topic of ours
    "params": "params",
    "tokens": "tokens",
    "batch_tokens": "tokens",
    "tokens (or batch_tokens)": "tokens",
    "seq_length": "tokens",
    "which eval set: c4 or wiki": "eval set",
    "which val_data": "eval set",
    "is Step an optimiser step or a count of log calls": "steps",
    "validation loss: none in the log": "validation loss",
    "tokens: num_input_tokens_seen is 0 = not counted; give params (non-embedding) or batch_tokens": "tokens",
}


def with_key(name):
    found = [item for item in EXPECTED if name in item]
    assert found
    return pytest.mark.parametrize("sample", found, ids=[item["path"] for item in found])


def logs_of(sample):
    (item,) = find([SAMPLES / sample["path"]]).found
    return FORMATS[item.format].read(item.path)


@pytest.mark.parametrize("sample", [item for item in EXPECTED if "refuse" not in item], ids=lambda item: item["path"])
def test_is_recognised(sample):
    assert {log.format for log in logs_of(sample)} == {sample["format"]}


@with_key("runs")
def test_runs(sample):
    _, table, unread = gather(SAMPLES / sample["path"], ImportAnswers())
    assert unread == []
    rows = {row.run: row for row in table.rows if not row.left_out}
    assert list(rows) == [run["run"] for run in sample["runs"]]
    for run in sample["runs"]:
        row = rows[run["run"]]
        for name, value in run.items():
            if name == "finished":
                assert row.finished is value
            elif name == "loss_set":
                assert row.loss_set == value
            elif name == "loss_unit":
                assert table.loss_unit == value
            elif name != "run":
                assert row.values.get(name) == (value if value is None else pytest.approx(value, rel=1e-12)), name


@with_key("left_out")
def test_left_out(sample):
    _, table, _ = gather(SAMPLES / sample["path"], ImportAnswers())
    reasons = {row.run: row.left_out for row in table.rows if row.left_out}
    assert list(reasons) == list(sample["left_out"])
    for run, reason in sample["left_out"].items():
        word = next(
            word for word in ("NaN", "FAILED", "deleted", "formula", "diverged", "summary", "600 of") if word in reason
        )
        assert word in reasons[run].replace("step 600 of 1000", "600 of") or word in reasons[run]


@pytest.mark.parametrize(
    "sample", [item for item in EXPECTED if "curve" in item or "curves" in item], ids=lambda item: item["path"]
)
def test_curves(sample):
    logs = logs_of(sample)
    curves = sample.get("curves") or {logs[0].run: sample["curve"]}
    assert [log.run for log in logs] == list(curves)
    for choice, curve in zip(choose(logs, ImportAnswers()).choices, curves.values(), strict=True):
        steps, losses = choice.points
        found = {f"{step:.0f}": None if math.isnan(loss) else loss for step, loss in zip(steps, losses, strict=True)}
        assert found == curve


@with_key("train_curve")
def test_training_curves(sample):
    (log,) = logs_of(sample)
    (points,) = [
        points
        for key, points in log.series.items()
        if (meaning := keys.loss_key(key)) and meaning.split == keys.TRAINING
    ]
    assert {f"{step:.0f}": loss for step, loss in zip(*points, strict=True)} == sample["train_curve"]


@with_key("ask")
def test_questions(sample):
    _, table, _ = gather(SAMPLES / sample["path"], ImportAnswers())
    topics = {question.topic for question in table.questions.all()}
    assert {TOPICS[text] for text in sample["ask"]} <= topics
    # torchtitan also asks about repeated data, which its sample log mentions; the Trainer also asks for params if they give the tokens
    assert topics - {TOPICS[text] for text in sample["ask"]} <= {"unique tokens", "params"}


@with_key("refuse")
def test_refusals(sample):
    with pytest.raises(ValueError, match="ungrouped" if "Group" in sample["refuse"] else "--decimal"):
        gather(SAMPLES / sample["path"], ImportAnswers())


@with_key("rows")
def test_scores(sample):
    scores = {(score.task, score.metric): score for score in logs_of(sample)}
    for row in sample["rows"]:
        score = scores[row["task"], row["metric"]]
        assert score.value == row.get("accuracy", row.get("value"))
        assert score.n_items == row["n_items"]
    assert not any("stderr" in metric for _, metric in scores)
    assert ("mmlu_anatomy", "acc") not in scores


@with_key("config")
def test_configurations(sample):
    (log,) = logs_of(sample)
    for name, value in sample["config"].items():
        found, _ = keys.config_value(log.config, {"n_layer": "layers"}.get(name, name))
        assert found == value


@with_key("tokens")
def test_tokens(sample):
    _, table, _ = gather(SAMPLES / sample["path"], ImportAnswers())
    assert [row.values["tokens"] for row in table.rows] == [sample["tokens"]]


@with_key("samples")
def test_counted_samples(sample):
    _, table, _ = gather(SAMPLES / sample["path"], ImportAnswers(sequence={"*": 1024}))
    assert [row.values["tokens"] for row in table.rows] == [sample["samples"] * 1024]


@with_key("warn")
def test_warnings(sample):
    _, table, _ = gather(SAMPLES / sample["path"], ImportAnswers())
    assert any("two decimals" in warning and "rounded" in warning for warning in table.warnings)


@with_key("checkpoint")
def test_an_unfinished_run_as_checkpoints(sample):
    answers = ImportAnswers(unfinished="keep", eval_set=sample["checkpoint"]["loss_set"])
    runs, checkpoints, report = import_runs(SAMPLES / sample["path"], answers)
    assert runs.empty and len(report["left_out"]) == 1
    last = checkpoints.iloc[-1]
    assert last["tokens"] == sample["checkpoint"]["tokens"]
    assert last["loss"] == sample["checkpoint"]["loss"]
    assert last["params"] == 12e6  # total_flos / (6 x tokens), as the note says


def test_the_trainer_with_params_gives_its_tokens():
    runs, _, report = import_runs(
        SAMPLES / "hf/m19-s1", ImportAnswers(params={"*": 12e6}, params_kind="non-embedding", eval_set="c4")
    )
    assert runs["tokens"].tolist() == [32768000]
    assert runs["unique_tokens"].tolist() == [16384000]
    assert runs["epochs"].tolist() == [2]
    assert report["params_kind"] == "non-embedding"
    assert not any(item["key"].startswith("train_loss") for item in report["columns"])


def test_a_resumed_run_has_the_later_files_points():
    (log,) = logs_of({"path": "tensorboard/m19-resumed"})
    steps, losses = log.series["train/loss"]
    assert losses[list(steps).index(500)] == 4.4453125
    assert len(set(steps)) == len(steps)


def test_an_offline_log_has_all_its_rows():
    (log,) = logs_of({"path": "wandb/offline-run-20260102_030405-toyrun01"})
    assert len({step for steps, _ in log.series.values() for step in steps}) >= 20
    assert log.state == "finished"


def test_the_page_lists_every_format():
    page = (Path(keys.__file__).parent / "README.md").read_text()
    assert [
        line.split("`")[1] for line in page.splitlines() if line.startswith("| `") and "--format" not in line
    ] and all(f"| `{name}` |" in page for name in FORMATS)
