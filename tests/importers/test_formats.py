"""The set of formats is what the files of `formats/` say, and the order in which they are tried is what they say too."""

import ast
from pathlib import Path

import pytest

from bayescale import importers
from bayescale.importers import formats
from bayescale.importers.known import FORMATS

FILES = sorted(path.stem for path in Path(formats.__file__).parent.glob("*.py") if path.stem != "__init__")

PACKAGE = Path(importers.__file__).parent
FORMAT_FREE = [path for path in sorted(PACKAGE.rglob("*.py")) if not path.is_relative_to(PACKAGE / "formats")]


@pytest.mark.parametrize("path", FORMAT_FREE, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_stage_but_the_readers_knows_a_format(path):
    """What a format has of its own is a field of what its reader returns."""
    tree = ast.parse(path.read_text())
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    assert not texts & {name for known in FORMATS.values() for name in (known.name, known.title)}
    compared = [
        part for node in ast.walk(tree) if isinstance(node, ast.Compare) for part in (node.left, *node.comparators)
    ]
    called = [node.func.value for node in ast.walk(tree) if isinstance(node, ast.Call) and hasattr(node.func, "value")]
    assert not [ast.unparse(part) for part in (*compared, *called) if getattr(part, "attr", "") == "format"]


def test_each_file_is_one_format():
    assert len(FORMATS) == len(FILES)
    assert sorted(known.read.__module__.rpartition(".")[2] for known in FORMATS.values()) == FILES


def test_the_order_is_one_alone():
    ranks = [known.rank for known in FORMATS.values()]
    assert ranks == sorted(set(ranks))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("wandb-log", "wandb-folder"),  # a run folder with its log, and without
        ("wandb-chart", "lightning"),  # a chart's CSV may have a step and a loss
        ("hf-trainer", "tensorboard"),  # an output folder with event files in it
        ("lightning", "tensorboard"),  # the same
        ("levanter", "wandb-history"),  # a summary has a _step too
        ("lightning", "spreadsheet"),  # a CSV of steps and losses
    ],
)
def test_what_is_told_apart_by_more_is_tried_first(first, second):
    assert FORMATS[first].rank < FORMATS[second].rank
    assert list(FORMATS)[-1] == "spreadsheet"


def test_a_name_is_said_in_one_place():
    assert all(name == known.name and known.title for name, known in FORMATS.items())
