"""Bars of long work: on a terminal what is done and the time left, elsewhere a line now and then, and nothing for work that is short."""

import io
import re
import time
from contextlib import redirect_stderr

import pytest

from bayescale.cli import progress
from bayescale.progress import counter, steps


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(progress, "_SHOWN_AFTER", 0.05)
    return Terminal()


def _plain(stream):
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", stream.getvalue())


def test_a_terminal_sees_each_step_and_the_time_left(terminal):
    with redirect_stderr(terminal), progress.working("Fitting"):
        for _ in steps(range(3), "Fitting laws"):
            time.sleep(0.2)
        draws = counter("Sampling", 200)
        for _ in range(150):
            draws()
        time.sleep(0.6)
    lines = [line for line in re.split(r"[\r\n]+", _plain(terminal)) if line.strip()]
    assert any(re.match(r"Fitting laws .*0:00:00 0:00:0", line) for line in lines), lines
    assert lines[-1].startswith("Sampling"), "what is finished makes room"
    assert max(map(len, lines)) <= 80


def test_short_work_shows_nothing(terminal):
    with redirect_stderr(terminal), progress.working("Fitting"):
        list(steps(range(3), "Fitting laws"))
    assert not _plain(terminal).strip()


def test_a_pipe_sees_lines_of_long_work_alone(capsys, monkeypatch):
    monkeypatch.setattr(progress, "_EVERY", 0.1)
    for long, said in ((False, ""), (True, "Fitting: 0 s\n")):
        with progress.working("Fitting", long=long):
            time.sleep(0.15)
        assert capsys.readouterr().err == said
