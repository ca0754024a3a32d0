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
