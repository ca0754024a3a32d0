"""Broken and hostile files: a clear line each, no traceback, no hang, and never a loss of the other files."""

import json
import random
import shutil
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from reading import gather

from bayescale.importers.formats.reading.safe import Unreadable
from bayescale.importers.interpret.answers import ImportAnswers
from bayescale.importers.known import FORMATS
from bayescale.importers.log import Log

SAMPLES = Path(__file__).parent / "samples"
FILES = sorted(
    file
    for file in SAMPLES.rglob("*")
    if file.is_file() and "mlruns" not in file.parts and file.name != "expected.json"
)


def told(path):
    """Import a path; return what was read, or the error's text; anything but a ValueError with a text is a failure."""
    start = time.process_time()
    try:
        _, table, unread = gather(path, ImportAnswers())
        result = [row.run for row in table.rows], unread
    except ValueError as error:
        assert str(error).strip() and "Traceback" not in str(error)
        result = str(error)
    assert time.process_time() - start < 10
    return result


def placed(tmp_path, file, data):
    """Write data where the file stands among its neighbours, as a reader of folders expects them."""
    target = tmp_path / file.relative_to(SAMPLES)
    target.parent.mkdir(parents=True)
    target.write_bytes(data)
    return target


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(SAMPLES)))
def test_cut_off(tmp_path, file):
    data = file.read_bytes()
    step = 1024 if len(data) > 2048 else 100
    target = placed(tmp_path, file, b"")
    for size in range(0, len(data), step):
        target.write_bytes(data[:size])
        told(target)
        told(tmp_path)


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(SAMPLES)))
def test_damaged(tmp_path, file):
    data, rng = bytearray(file.read_bytes()), random.Random(file.name)
    for place in range(5):
        damaged = bytearray(data)
        for _ in range(20):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        (tmp_path / f"{place}").mkdir()
        told(placed(tmp_path / f"{place}", file, bytes(damaged)))


@pytest.mark.parametrize(
    "name",
    ["offline-run-20260102_030405-toyrun01/run-toyrun01.wandb", "m19-s1/events.out.tfevents.1767322800.toyhost.0"],
)
def test_binary_logs_cut_anywhere_give_a_prefix(tmp_path, name):
    (file,) = [found for found in FILES if str(found).endswith(name)]
    data, known = file.read_bytes(), FORMATS["wandb-log" if name.endswith(".wandb") else "tensorboard"]
    (whole,) = known.read(file)
    target = tmp_path / file.name
    for size in range(8, len(data), 41 if len(data) > 20_000 else 3):
        target.write_bytes(data[:size])
        logs = known.read(target)
        assert all(isinstance(log, Log) for log in logs)
        for key, (steps, values) in (logs[0].series if logs else {}).items():
            np.testing.assert_array_equal(steps, whole.series[key][0][: len(steps)])
            np.testing.assert_array_equal(values, whole.series[key][1][: len(steps)])


def test_random_bytes(tmp_path):
    rng = random.Random(1)
    names = [
        "a.wandb",
        "b.csv",
        "trainer_state.json",
        "c.jsonl",
        "d.log",
        "e.xlsx",
        "f.ods",
        "events.out.tfevents.1.x.0",
        "g.db",
        "h.parquet",
        "config.yaml",
    ]
    for name in names:
        (tmp_path / name).write_bytes(rng.randbytes(20_000))
        told(tmp_path / name)
    told(tmp_path)
    starts = {
        "a.wandb": b":W&B\xe1\xbe\x00",
        "g.db": b"SQLite format 3\0",
        "h.parquet": b"PAR1",
        "e.xlsx": b"PK\x03\x04",
    }
    for name, start in starts.items():
        (tmp_path / name).write_bytes(start + rng.randbytes(20_000))
        told(tmp_path / name)


def test_one_bad_file_does_not_lose_the_others(tmp_path):
    shutil.copytree(SAMPLES / "hf" / "m19-s2", tmp_path / "good")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "trainer_state.json").write_text('{"log_history": [')
    rows, unread = told(tmp_path)
    assert rows == ["good"]
    assert [item["source"] for item in unread] == ["bad"]
    assert "not valid JSON" in unread[0]["reason"]


def test_deep_json(tmp_path):
    file = tmp_path / "trainer_state.json"
    file.write_text('{"log_history": ' + "[" * 10_000 + "]" * 10_000 + "}")
    assert "nested too deeply" in told(file) or "log_history" in told(file) or told(file)[0] == ["x"]
    file.write_text("[" * 10_000)
    told(file)
    (tmp_path / "history.jsonl").write_text('{"_step": 1, "a": ' + '{"a": ' * 10_000 + "1" + "}" * 10_001 + "\n")
    told(tmp_path / "history.jsonl")


def test_alias_bomb(tmp_path):
    lines = ["a0: &a0 [x, x]"] + [
        f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]" for level in range(1, 60)
    ]
    files = tmp_path / "run-20260102_030405-ab12cd34" / "files"
    files.mkdir(parents=True)
    (files / "config.yaml").write_text("\n".join(lines))
    (files / "wandb-summary.json").write_text('{"eval/loss": 3.0, "_step": 10}')
    assert "aliases" in told(tmp_path / "run-20260102_030405-ab12cd34")


def test_zip_that_is_no_workbook(tmp_path):
    file = tmp_path / "runs.xlsx"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("hello.txt", "hello")
    assert "not readable as a workbook" in told(file)


def test_zip_bomb(tmp_path):
    file = tmp_path / "runs.xlsx"
    with (
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("xl/worksheets/sheet1.xml", "w") as member,
    ):
        for _ in range(1100):
            member.write(b"0" * 1_000_000)
    assert "would unpack to" in told(file)


def test_links(tmp_path):
    inside, outside = tmp_path / "runs", tmp_path / "elsewhere"
    inside.mkdir()
    shutil.copytree(SAMPLES / "hf" / "m19-s2", inside / "m19-s2")
    shutil.copytree(SAMPLES / "hf" / "m19-s1", outside)
    (inside / "loop").symlink_to(inside)
    (inside / "self").symlink_to(inside / "self")
    (inside / "leads-out").symlink_to(outside)
    (inside / "trainer.json").symlink_to(outside / "trainer_state.json")
    rows, unread = told(inside)
    assert rows == ["m19-s2"] and unread == []


def test_many_columns(tmp_path):
    file = tmp_path / "metrics.csv"
    file.write_text(
        "step,epoch,val_loss," + ",".join(f"c{place}" for place in range(300_000)) + "\n1,0,3.0" + "," * 300_000 + "\n"
    )
    told(file)
    told(tmp_path)
    keys = {f"k{place}": 1.0 for place in range(300_000)}
    (tmp_path / "history.jsonl").write_text(json.dumps({"_step": 1, "eval/loss": 3.0, **keys}) + "\n")
    told(tmp_path / "history.jsonl")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\0" * 1000,
        "run,params,tokens,loss\n",
        "\ufeff",
        "run;params;tokens;loss\na;\0;1;2\n",
        '"Name","State"\n',
        '"Step","a - b__MIN"\n',
    ],
)
def test_empty_tables(tmp_path, text):
    file = tmp_path / "runs.csv"
    file.write_bytes(text.encode())
    assert isinstance(told(file), str) or told(file)[0]


def test_no_such_source(tmp_path):
    for source in (tmp_path / "missing", tmp_path / "*.csv", "", "a\0b"):
        assert isinstance(told(source), str)
    assert "nothing in a known format" in told(tmp_path)


def test_unreadable_is_a_value_error():
    assert issubclass(Unreadable, ValueError)
