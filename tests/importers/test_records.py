"""JSON lines with a record per run, as home-made sweeps keep them: nested settings are columns with dots."""

import json

import pytest

from bayescale import ImportAnswers, import_runs


def write(folder, **changes):
    path = folder / "sweep.jsonl"
    records = [
        {
            "params": 1e6 * (i + 1),
            "tokens": 2e7,
            "train": {"lr": 1e-3 * (i + 1)},
            "val_bpc": 2.5 - i / 10,
            "curve": [1, 2],
            **changes,
        }
        for i in range(3)
    ]
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def test_a_sweep_is_imported(tmp_path):
    answers = ImportAnswers(map={"loss": "val_bpc", "lr": "train.lr"}, loss_unit="bits/char")
    found = import_runs([write(tmp_path)], answers)
    runs = found.runs
    assert runs["loss"].tolist() == pytest.approx([2.5, 2.4, 2.3]) and runs["lr"].tolist() == pytest.approx(
        [1e-3, 2e-3, 3e-3]
    )
    assert found.report["loss_unit"] == "bits/char"


def test_nested_settings_and_bits_per_character_are_known(tmp_path):
    runs = import_runs([write(tmp_path)]).runs
    assert runs["lr"].tolist() == [1e-3, 2e-3, 3e-3] and runs["loss"].tolist() == [2.5, 2.4, 2.3]


def test_an_unknown_loss_is_named_by_the_user(tmp_path):
    path = write(tmp_path)
    path.write_text(path.read_text().replace("val_bpc", "result"))
    with pytest.raises(ValueError, match="--map loss=COLUMN"):
        import_runs([path])


def test_a_broken_line_is_said(tmp_path):
    path = write(tmp_path)
    path.write_text(path.read_text() + '{"params": 1e6, \n')
    with pytest.raises(ValueError, match="line 4"):
        import_runs([path], ImportAnswers(map={"loss": "val_bpc"}))


WIDE = "model,size,100k,200k,400k\na,1e6,4.0,3.5,3.0\nb,2e6,3.8,3.3,\n"


def test_a_wide_table_names_its_shape_and_what_to_say(tmp_path):
    path = tmp_path / "wide.csv"
    path.write_text(WIDE)
    with pytest.raises(ValueError, match="The table is wide: 3 columns have numbers as names") as refused:
        import_runs(path)
    for option in ("--map params=COLUMN", "--map tokens=scale", "--map loss=value"):
        assert option in str(refused.value)
    assert "--map run" not in str(refused.value)  # `model` is known


def test_a_wide_table_is_read_with_what_was_said(tmp_path):
    path = tmp_path / "wide.csv"
    path.write_text(WIDE)
    answers = ImportAnswers(map={"run": "model", "params": "size", "tokens": "scale", "loss": "value"})
    found = import_runs(path, answers)
    ends = found.runs[["run", "params", "tokens", "loss"]]
    assert ends.to_numpy().tolist() == [["a", 1e6, 4e5, 3], ["b", 2e6, 2e5, 3.3]]
    assert found.checkpoints["tokens"].tolist() == [1e5, 2e5, 4e5, 1e5, 2e5]
    assert found.checkpoints["loss"].tolist() == [4, 3.5, 3, 3.8, 3.3]


def test_a_column_of_names_is_named_by_the_user(tmp_path):
    path = tmp_path / "runs.csv"
    path.write_text("label,params,tokens,loss\nx,1e6,2e7,4.0\ny,2e6,4e7,3.5\n")
    assert import_runs(path, ImportAnswers(map={"run": "label"})).runs["run"].tolist() == ["x", "y"]
    with pytest.raises(ValueError, match="no log has that key"):
        import_runs(path, ImportAnswers(map={"run": "lable"}))
