"""The loss of a run is that of its last evaluation, in the unit in which it was logged, wherever that stands."""

import math

import pytest

from bayescale.errors import InputError
from bayescale.importers.importing import import_runs
from bayescale.importers.interpret.answers import ImportAnswers

MEGATRON = """\
  global_batch_size ............................... 8
  seq_length ...................................... 1024
  train_iters ..................................... 20
 > number of parameters on (tensor, pipeline) model parallel rank (0, 0): 1000000
 iteration       10/      20 | consumed samples:           80 | learning rate: 1.0E-04 | lm loss: 5.0E+00 |
 iteration       20/      20 | consumed samples:          160 | learning rate: 1.0E-05 | lm loss: 4.0E+00 |
"""
TEST_SET = " validation loss at the end of training for test data | lm loss value: 1.5E+00 | lm loss PPL: 4.48E+00 |\n"

COMPOSER = """\
Config:
max_seq_len: 1024
model:
  name: mpt_causal_lm
n_params: 12000000
[batch=1/25]:
\t Train time/batch: 0
\t Train time/token: 0
\t Train loss/train/total: 10.8000
\t Train lr-DecoupledAdamW/group0: 0.0000
[batch=10/25]:
\t Train time/batch: 9
\t Train time/token: 9000
\t Train loss/train/total: 6.0000
\t Train lr-DecoupledAdamW/group0: 0.0060
[Eval batch=1/2] Eval on eval data
[Eval batch=2/2] Eval on eval data:
\t Eval metrics/eval/LanguageCrossEntropy: 6.5000
\t Eval metrics/eval/LanguagePerplexity: 665.1416
[batch=20/25]:
\t Train time/batch: 19
\t Train time/token: 19000
\t Train loss/train/total: 4.0000
[Eval batch=2/2] Eval on eval data:
\t Eval metrics/eval/LanguageCrossEntropy: 4.2500
\t Eval metrics/eval/LanguagePerplexity: 70.1054
[batch=25/25]:
\t Train time/batch: 24
\t Train time/token: 24000
\t Train loss/train/total: 3.9000
"""

MLX = """\
Trainable parameters: 100.000% (12.000M/12.000M)
Starting training..., iters: 200
Iter 1: Val loss 9.000, Val took 2.1s
Iter 100: Train loss 5.000, Learning Rate 1.000e-04, It/sec 2.000, Tokens/sec 400.0, Trained Tokens 20000, Peak mem 2.1 GB
Iter 200: Val loss 4.500, Val took 2.1s
Iter 200: Train loss 4.000, Learning Rate 1.000e-05, It/sec 2.000, Tokens/sec 400.0, Trained Tokens 40000, Peak mem 2.1 GB
Test loss 1.000, Test ppl 2.718.
"""


def written(folder, name, text):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def one(path, **answers):
    found = import_runs([path], ImportAnswers(**answers))
    (row,) = found.runs.to_dict(orient="records")
    return row, found.report


@pytest.mark.parametrize(
    "heading",
    [
        "validation loss at the end of training for val data | lm loss value: 3.5E+00 | lm loss PPL: 3.31E+01 |",
        "validation loss at the end of training for val data | LM loss: 3.5E+00 | LM PPL: 3.31E+01",
        "validation loss at iteration 20 on validation set | lm loss value: 3.5E+00 | lm loss PPL: 3.31E+01 |",
        "validation results at the end of training for val data | lm_loss value: 3.5E+00 | lm_loss_ppl value: 3.31E+01 |",
    ],
)
def test_megatron_evaluates_after_its_last_iteration(tmp_path, heading):
    row, report = one(written(tmp_path, "m.log", f"{MEGATRON} {heading}\n{TEST_SET}"))
    assert (row["loss"], row["steps"], row["tokens"]) == (3.5, 20, 160 * 1024)
    assert not report["training_loss"]


def test_a_test_set_is_never_the_evaluation_of_megatron(tmp_path):
    path = written(tmp_path, "m.log", MEGATRON + TEST_SET)
    with pytest.raises(InputError, match="--training-loss"):
        import_runs([path], ImportAnswers())
    row, report = one(path, training_loss=True)
    assert row["loss"] == 4.0 and report["training_loss"]


def test_old_megatron_writes_no_colons(tmp_path):
    text = (
        " iteration       10/      20 | elapsed time per iteration (ms): 8.9 | learning rate 1.0E-04 | lm loss 5.0E+00 | loss scale 1.0 |\n"
        " iteration       20/      20 | elapsed time per iteration (ms): 8.9 | learning rate 1.0E-05 | lm loss 4.0E+00 | loss scale 1.0 |\n"
        " validation loss at the end of training for val data | LM loss: 3.5E+00 | LM PPL: 3.31E+01\n"
    )
    row, _ = one(written(tmp_path, "m.log", text), batch_tokens={"*": 8192}, params={"*": 1e6})
    assert (row["loss"], row["steps"]) == (3.5, 20)


def test_a_loss_above_a_uniform_guess_is_said(tmp_path):
    text = MEGATRON + " validation loss at the end of training for val data | lm loss value: 1.2E+01 |\n"
    _, report = one(written(tmp_path, "m.log", text))
    assert any("uniform guess" in warning for warning in report["warnings"])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("t.csv", "run,params,tokens,train_loss\na,1e7,2e8,3.5\nb,2e7,4e8,3.2\n"),
        ("h.csv", "_step,tokens,train/loss\n100,20000000,3.5\n200,40000000,3.2\n"),
    ],
)
def test_training_losses_are_taken_only_on_demand(tmp_path, name, text):
    path = written(tmp_path, name, text)
    with pytest.raises(InputError, match="--training-loss"):
        import_runs([path], ImportAnswers(params={"*": 1e7}))
    assert import_runs([path], ImportAnswers(params={"*": 1e7}, training_loss=True)).report["training_loss"]


def table(folder, *rows, header="run,params,tokens,loss,ppl"):
    lines = [f"r{place},{1e7 * (1 + place):.0f},{2e8 * (1 + place):.0f},{row}" for place, row in enumerate(rows)]
    return written(folder, "runs.csv", "\n".join([header, *lines]) + "\n")


def test_a_loss_is_taken_before_the_perplexity_that_agrees_with_it(tmp_path):
    found = import_runs([table(tmp_path, "3.0,20.09", "2.5,12.18")], ImportAnswers())
    assert found.runs["loss"].tolist() == [3.0, 2.5] and found.report["warnings"] == []


def test_a_loss_whose_perplexity_is_a_power_of_two_is_in_bits(tmp_path):
    path = table(tmp_path, "3.0,8.0", "2.5,5.66")
    found = import_runs([path], ImportAnswers())
    assert found.runs["loss"].tolist() == pytest.approx([3 * math.log(2), 2.5 * math.log(2)])
    assert any("bits per token" in warning for warning in found.report["warnings"])
    assert import_runs([path], ImportAnswers(loss_unit="nats/token")).runs["loss"].tolist() == [3.0, 2.5]


@pytest.mark.parametrize("rows", [("3.0,33", "2.5,12.18"), ("3.0,20.09", "2.5,5.66")])
def test_a_loss_that_disagrees_with_its_perplexity_is_asked(tmp_path, rows):
    path = table(tmp_path, *rows)
    with pytest.raises(InputError, match=r"'loss'.*'ppl'|'ppl'.*'loss'"):
        import_runs([path], ImportAnswers())
    assert import_runs([path], ImportAnswers(map={"loss": "loss"})).runs["loss"].tolist() == [3.0, 2.5]


def test_a_history_whose_two_losses_disagree_is_asked(tmp_path):
    path = written(tmp_path, "h.csv", "_step,tokens,eval/loss,val_loss\n100,20000000,3.5,3.5\n200,40000000,3.2,2.9\n")
    with pytest.raises(InputError, match=r"eval/loss.*val_loss|val_loss.*eval/loss"):
        import_runs([path], ImportAnswers(params={"*": 1e7}))


def test_a_history_with_a_column_of_runs_is_one_run_each(tmp_path):
    rows = "\n".join(f"r{place},{place}000000,{place}0000000,{100 * place},{6 - place / 2}" for place in range(1, 10))
    path = written(tmp_path, "h.csv", f"run,params,tokens,_step,eval/loss\n{rows}\n")
    runs = import_runs([path], ImportAnswers()).runs.set_index("run")
    assert len(runs) == 9
    assert runs.loc["r4", ["params", "tokens", "loss"]].tolist() == [4e6, 4e7, 4.0]


def test_a_history_of_several_sizes_without_names_is_refused(tmp_path):
    path = written(tmp_path, "h.csv", "params,tokens,_step,eval/loss\n1000000,10000000,1,5\n2000000,20000000,2,4\n")
    with pytest.raises(InputError, match="column run"):
        import_runs([path], ImportAnswers())


def test_rows_of_tensorboard_are_in_the_order_of_time(tmp_path):
    later = [(100 + step, step, 4 - step / 100) for step in (20, 30, 40)]
    earlier = [(step, step, 9.0) for step in (10, 20, 30)]
    text = "Wall time,Step,Value\n" + "".join(f"{t},{s},{v}\n" for t, s, v in later + earlier)
    path = written(tmp_path, "run-a-tag-eval_loss.csv", text)
    found = import_runs([path], ImportAnswers(params={"*": 1e7}, batch_tokens={"*": 1e5}))
    assert found.runs["loss"].tolist() == [3.6] and found.runs["steps"].tolist() == [40]
    assert found.checkpoints["loss"].tolist() == pytest.approx([9.0, 3.8, 3.7, 3.6])
    assert any("from step 30 to 20" in warning for warning in found.report["warnings"])


def test_composer_evaluates_at_the_end(tmp_path):
    row, _ = one(written(tmp_path, "c.log", COMPOSER))
    assert (row["loss"], row["steps"], row["tokens"], row["params"]) == (4.25, 25, 25_000, 12_000_000)
    assert row["lr"] == 0.006


def test_mlx_evaluates_before_the_update(tmp_path):
    row, _ = one(written(tmp_path, "x.log", MLX))
    assert (row["loss"], row["steps"], row["tokens"], row["params_total"]) == (4.5, 199, 39_800, 12_000_000)


def test_old_mlx_evaluates_after_the_update(tmp_path):
    text = "Iter 10: Train loss 5.000, It/sec 2.000\nIter 20: Val loss 4.500, Val ppl 90.017, Val took 1.0s\n"
    row, _ = one(written(tmp_path, "x.log", text), params={"*": 1e7}, batch_tokens={"*": 1e4})
    assert (row["loss"], row["steps"]) == (4.5, 20)


NEMO = """\
Training epoch 0, iteration 9/19 | lr: 0.003 | global_batch_size: 32 | global_step: 9 | reduced_train_loss: 5.385 | consumed_samples: 320
Epoch 0, global step 9: 'val_loss' reached 5.26396 (best 5.26396), saving model to 'a--val_loss=5.2640.ckpt' as top 5
Training epoch 0, iteration 10/19 | lr: 0.003 | global_step: 10 | reduced_train_loss: 5.3 | consumed_samples: 352 | val_loss: 5.264
Training epoch 0, iteration 19/19 | lr: 0.003 | global_step: 19 | reduced_train_loss: 4.3 | consumed_samples: 640 | val_loss: 5.264
Epoch 0, global step 19: 'val_loss' reached 4.25001 (best 4.25001), saving model to 'a--val_loss=4.2500.ckpt' as top 5
"""


def test_a_loss_that_a_checkpoint_reached_is_a_validation_loss(tmp_path):
    (tmp_path / "nemo.log").write_text(NEMO)
    imported = import_runs(tmp_path / "nemo.log", ImportAnswers(params={"*": 1e7}, sequence={"*": 1024}))
    assert imported.runs[["loss", "steps"]].to_numpy().tolist() == [[4.25001, 20]]
    assert imported.checkpoints[["loss", "steps"]].to_numpy().tolist() == [[5.26396, 10], [4.25001, 20]]


def test_checkpoints_alone_say_that_a_run_went_on(tmp_path):
    lines = [f"Epoch {place}, global step {100 * place}: 'val_loss' reached {6 - place}.0 (best)" for place in (1, 2)]
    lines += [f"Epoch {place}, global step {100 * place}: 'val_loss' was not in top 1" for place in (3, 4)]
    (tmp_path / "lightning.log").write_text("\n".join(lines))
    imported = import_runs(tmp_path / "lightning.log", ImportAnswers(params={"*": 1e7}, batch_tokens={"*": 1e6}))
    assert imported.runs[["loss", "steps"]].to_numpy().tolist() == [[4.0, 200]]
    assert any("step 200 of 400" in text for text in imported.report["warnings"])
