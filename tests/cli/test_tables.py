"""Tables fit their width, and no number is cut for it."""

import pytest
from rich.cells import cell_len

from bayescale.cli.tables import table_lines

HEAD = ["plan", "params", "loss", "90% band"]
ROWS = [["the-first-big-model-of-the-spring-plan", "70B", "2.611", "2.446-2.752"], ["b", "1.4T", "2.5", "2.2-2.659"]]


@pytest.mark.parametrize("width", [200, 80, 60, 48, 40, 24])
def test_fits_and_keeps_numbers(width):
    lines = table_lines(HEAD, ROWS, width, numeric=True)
    assert max(map(cell_len, lines)) <= width
    words = " ".join(lines).replace(",", " ").split()
    assert all(cell in words for row in ROWS for cell in row[1:])


def test_names_are_shortened_in_the_middle():
    lines = table_lines(HEAD, ROWS, 50, numeric=True)
    assert lines[1].startswith("the-first-b…pring-plan ") and lines[2].startswith("b   ")
    assert len({len(line) for line in lines}) == 1, "numbers stay below each other"


def test_names_that_would_look_alike_stay_whole():
    rows = [["a-long-common-beginning-1-and-a-common-end", "1"], ["a-long-common-beginning-2-and-a-common-end", "2"]]
    lines = table_lines(["run", "x"], rows, 30, numeric=True)
    assert " ".join(lines).count("x ") == 2 and "…" not in " ".join(lines)


def test_wide_characters_count_twice():
    lines = table_lines(["run", "loss"], [["模型" * 30, "2.5"], ["b", "2.75"]], 40, numeric=True)
    assert max(map(cell_len, lines)) <= 40 and "…" in lines[1]


def test_text_is_wrapped_in_its_column():
    lines = table_lines(["rule", "why"], [["kaplan", "outside its fit " * 5]], 40, numeric=False)
    assert lines[1].startswith("kaplan  outside") and lines[2].startswith("        outside")
    assert max(map(len, lines)) <= 40
