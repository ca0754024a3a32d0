"""One file per mistake in tests/bad_inputs, and what must be said about it in expected.toml."""

import tomllib
from pathlib import Path

import pytest

from bayescale.runs import read_runs, select_rows

FOLDER = Path(__file__).parents[1] / "bad_inputs"
EXPECTED = tomllib.loads((FOLDER / "expected.toml").read_text(encoding="utf-8"))
FILES = sorted(path.name for path in FOLDER.iterdir() if path.name != "expected.toml")


def test_every_entry_has_its_file():
    assert sorted(EXPECTED) == FILES
    assert len(FILES) >= 25


def test_entries_use_known_keys():
    assert {key for entry in EXPECTED.values() for key in entry} <= {"match", "via", "columns", "where"}


@pytest.mark.parametrize("name", FILES)
def test_message(name):
    expected = EXPECTED[name]  # a file without an entry fails here
    columns = expected.get("columns")
    if expected.get("via", "read") == "read":
        with pytest.raises(ValueError, match=expected["match"]) as caught:
            read_runs(FOLDER / name, columns)
        message = str(caught.value)
    else:
        runs = read_runs(FOLDER / name, columns)
        inputs = {"params": "params", "tokens": "tokens"}
        with pytest.raises(ValueError, match=expected["match"]) as caught:
            select_rows(runs, inputs=inputs, where=expected.get("where", ()))
        message = str(caught.value)
    assert all(line.strip() and line.isprintable() for line in message.split("\n"))
