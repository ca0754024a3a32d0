"""fairseq's console log: bits become nats, words per batch tokens; of each kind of line what it can tell."""

import math

import pytest
from reading import gather

from bayescale import ImportAnswers, import_runs
from bayescale.importers.find import find
from bayescale.importers.formats import fairseq

CONFIG = (
    "2021-01-01 12:00:00 | INFO | fairseq_cli.train | {'common': {'seed': 0}, 'task': {'data': '/data/bin'}, "
    "'optimization': {'max_update': 400, 'lr': [0.0005]}}\n"
    "2021-01-01 12:00:00 | INFO | fairseq_cli.train | num. shared model params: 12,000,000 (num. trained: 12,000,000)\n"
    "2021-01-01 12:00:00 | INFO | fairseq_cli.train | num. expert model params: 0 (num. trained: 0)\n"
)
DONE = "2021-01-01 12:09:00 | INFO | fairseq_cli.train | done training in 540.0 seconds\n"


def inner(epoch, place, step, nll, wpb, lr=0.0005, loss=None):
    return (
        f"2021-01-01 12:0{epoch}:00 | INFO | train_inner | epoch {epoch:03d}:    {place} / 200 loss={loss or nll + 1:.3f}, "
        f"nll_loss={nll:.3f}, ppl={2**nll:.2f}, wps=26000.5, ups=0.4, wpb={wpb}, bsz=128, num_updates={step}, lr={lr}, gnorm=2.1\n"
    )


def of_epoch(epoch, step, nll, wpb):
    return (
        f"2021-01-01 12:0{epoch}:59 | INFO | train | epoch {epoch:03d} | loss {nll + 1:.3f} | nll_loss {nll:.3f} | ppl {2**nll:.2f} | "
        f"wps 26000 | ups 0.4 | wpb {wpb} | bsz 128 | num_updates {step} | lr 0.0005 | gnorm 0.9\n"
    )


def valid(epoch, step, nll, subset="valid"):
    return (
        f"2021-01-01 12:0{epoch}:58 | INFO | valid | epoch {epoch:03d} | valid on '{subset}' subset | loss {nll + 1:.3f} | "
        f"nll_loss {nll:.3f} | ppl {2**nll:.2f} | wps 88000 | wpb 900 | bsz 6 | num_updates {step} | best_loss 1.5\n"
    )


BODY = (
    inner(1, 100, 100, 12.0, 60000, lr=0.0001)
    + inner(1, 200, 200, 9.0, 64000)
    + valid(1, 200, 8.5)
    + of_epoch(1, 200, 10.5, 62000)
    + inner(2, 100, 300, 7.5, 64000, lr=0.0003)
    + inner(2, 200, 400, 7.0, 64000, lr=0.0001)
    + valid(2, 400, 6.5)
    + of_epoch(2, 400, 7.25, 64000)
)


def one(path, text, **answers):
    path.write_text(text)
    assert [item.format for item in find([path]).found] == ["fairseq"]
    _, table, unread = gather(path, ImportAnswers(**answers))
    assert unread == []
    (row,) = table.rows
    return row, table


def test_a_log_is_a_run(tmp_path):
    (tmp_path / "m12.log").write_text(CONFIG + BODY + DONE)
    runs, checkpoints, report = import_runs(tmp_path / "m12.log")
    (run,) = runs.to_dict(orient="records")
    assert run["loss"] == pytest.approx(6.5 * math.log(2)) and report["loss_unit"] == "nats/token"
    assert run["tokens"] == 100 * 60000 + 300 * 64000 and run["steps"] == 400
    assert run["params_total"] == 12e6 and run["lr"] == 0.0005 and run["seed"] == 0
    assert run["epochs"] == 2 and run["unique_tokens"] == run["tokens"] / 2
    assert report["left_out"] == [] and report["training_loss"] is False
    assert checkpoints["loss"].tolist() == pytest.approx([8.5 * math.log(2), 6.5 * math.log(2)])
    assert checkpoints["tokens"].tolist() == [12_400_000, 25_200_000]
    assert next(item["key"] for item in report["columns"] if item["column"] == "loss") == "valid/nll_loss in bits/token"


def test_a_log_that_ends_early_is_left_out(tmp_path):
    row, _ = one(tmp_path / "m.log", CONFIG + BODY[: BODY.index("2021-01-01 12:02:00")])
    assert "ends at step 200 of 400" in row.left_out


def test_whether_a_run_finished_is_said_by_its_last_line(tmp_path):
    assert one(tmp_path / "a.log", BODY)[0].finished is None
    assert one(tmp_path / "b.log", BODY + DONE)[0].finished is True
    assert one(tmp_path / "c.log", valid(1, 100, 9.0) + DONE + BODY)[0].finished is None


def test_a_resumed_run_counts_the_later_lines(tmp_path):
    again = inner(2, 100, 300, 7.4, 32000) + inner(2, 200, 400, 6.9, 32000) + valid(2, 400, 6.25)
    row, _ = one(tmp_path / "m.log", CONFIG + BODY + again + DONE)
    assert row.values["loss"] == pytest.approx(6.25 * math.log(2))
    assert row.values["tokens"] == 12_400_000 + 200 * 32000


def test_a_run_of_cross_entropy_alone_has_its_loss(tmp_path):
    text = (BODY + DONE).replace("nll_loss", "other")
    row, _ = one(tmp_path / "m.log", text)
    assert row.values["loss"] == pytest.approx(7.5 * math.log(2)) and row.origins["loss"] == "valid/loss in bits/token"


def test_training_losses_of_intervals_come_before_means_over_an_epoch(tmp_path):
    text = "".join(line for line in (BODY + DONE).splitlines(True) if "subset" not in line)
    row, table = one(tmp_path / "a.log", text, params={"*": 1e7}, training_loss=True)
    assert row.origins["loss"].startswith("train/nll_loss") and row.values["loss"] == pytest.approx(7.0 * math.log(2))
    assert table.questions.all() == []
    text = "".join(line for line in text.splitlines(True) if "train_inner" not in line)
    row, table = one(tmp_path / "b.log", text, params={"*": 1e7})
    assert [question.option for question in table.questions.all()] == ["--training-loss"]


def test_subsets_are_evaluation_sets(tmp_path):
    text = BODY + valid(2, 400, 5.0, "wiki") + valid(2, 400, 4.0, "test") + DONE
    row, _ = one(tmp_path / "m.log", text)  # that of `valid`, which has no name of its own
    assert row.values["loss"] == pytest.approx(6.5 * math.log(2)) and row.loss_set == ""
    for name, nll in (("wiki", 5.0), ("test", 4.0)):
        row, _ = one(tmp_path / "m.log", text, eval_set=name)
        assert row.values["loss"] == pytest.approx(nll * math.log(2))


def test_data_in_shards_have_an_epoch_each(tmp_path):
    row, _ = one(tmp_path / "m.log", CONFIG.replace("'/data/bin'", "'/data/a:/data/b'") + BODY + DONE)
    assert row.values["unique_tokens"] == row.values["tokens"]


def test_the_lines_of_older_versions(tmp_path):
    text = (
        "| num. model params: 12000000 (num. trained: 12000000)\n"
        "| epoch 001:    100 / 200 loss=11.521, nll_loss=10.881, ppl=1886.05, wps=52922, wpb=64000, bsz=532, num_updates=100, lr=9e-05\n"
        "| epoch 001 | loss 8.326 | nll_loss 8.0 | ppl 256.0 | wps 12876 | wpb 64000.000 | bsz 108 | num_updates 200 | lr 0.0002\n"
        "| epoch 001 | valid on 'valid' subset  1000 / 1311 loss=2.72\n"
        "| epoch 001 | valid on 'valid' subset | valid_loss 8.11425 | valid_nll_loss 6.5 | valid_ppl 90.5 | num_updates 200 | best 8.1\n"
        "| done training in 32352.1 seconds\n"
    )
    row, table = one(tmp_path / "m.log", text)
    assert row.values["loss"] == pytest.approx(6.5 * math.log(2)) and row.values["tokens"] == 12_800_000
    assert row.finished is True and row.kinds == {"total": 12e6} and table.questions.all() == []


def test_a_json_log_is_not_this_one(tmp_path):
    line = '2021-01-01 12:00:00 | INFO | train | {"epoch": 1, "train_loss": "9", "train_wpb": "6", "train_num_updates": "3"}\n'
    (tmp_path / "m.log").write_text(line)
    with pytest.raises(ValueError, match="unknown format"):
        find([tmp_path / "m.log"])


@pytest.mark.parametrize("unit", ["nats/token", "bits/byte"])
def test_another_unit_than_that_of_the_log_is_refused(tmp_path, unit):
    with pytest.raises(ValueError, match="the logs and keys of the losses say bits/token"):
        one(tmp_path / "a.log", BODY + DONE, loss_unit=unit)


def test_a_log_that_begins_late_says_so(tmp_path):
    lines = "".join(inner(3, step % 100, step, 4.0, 64000) for step in (1000, 1010, 1020))
    path = tmp_path / "a.log"
    path.write_text(lines + valid(3, 1020, 3.5) + DONE)
    (log,) = fairseq.read(path)
    assert len(log.notes) == 1 and "begins at update 1000" in log.notes[0]
    path.write_text(BODY + DONE)
    assert fairseq.read(path)[0].notes == ()
