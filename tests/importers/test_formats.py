"""The set of formats is what the files of `formats/` say, and the order in which they are tried is what they say too."""

from pathlib import Path

import pytest

from bayescale.importers import formats
from bayescale.importers.known import FORMATS

FILES = sorted(path.stem for path in Path(formats.__file__).parent.glob("*.py") if path.stem != "__init__")


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
