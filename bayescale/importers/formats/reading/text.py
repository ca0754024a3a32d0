"""Code shared by all text logs: text without colours, rank prefixes and carriage returns, and patterns for whole lines."""

import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from .safe import Unreadable, head, read_text, tail

_COLOUR = re.compile(r"\x1b?\[[0-9;]*m")
_LOOKED_AT = 100_000  # characters in which rank prefixes are searched
_PREFIX = re.compile(r"^(?:\[?(?:rank\s?)?\d+\]?:\s?|\(\w+ pid=\d+[^)]*\)\s?)+", re.MULTILINE)


_LONGEST_INTERVAL = 0.1  # share of the planned steps that one interval of logging may take
NUMBER = r"[-+.\dEeNnAaIiFfTtYy]+"  # as C and Python print it, including NAN and Infinity
_LONGEST_LINE = 20_000  # of a log; longer lines are dropped
_BLOCK = _LONGEST_LINE // 2  # characters; a longer line fills at least one whole block


def sample(path: Path) -> str:
    """Return the start and end of a text file, or "" if it is not text: a log may begin with a copy of its script."""
    return _sample(head(path), tail(path))


@lru_cache(maxsize=8)
def _sample(start: bytes, end: bytes) -> str:
    if not start or b"\0" in start:
        return ""
    return clean(start.decode("utf-8-sig", "replace") + "\n" + end.decode("utf-8", "replace"))


def log_text(path: Path) -> str:
    """Return a whole log, cleaned in the same way as `sample`."""
    return clean(read_text(path))


def clean(text: str) -> str:
    """Return text without colours, rank prefixes and carriage returns."""
    if "\x1b" in text or "[3" in text or "[0m" in text:
        text = _COLOUR.sub("", text)
    # not by a regular expression, which would scan each line once per character
    if any(text.find("\n", place, place + _BLOCK) < 0 for place in range(0, len(text) - _BLOCK, _BLOCK)):
        text = "\n".join(line if len(line) < _LONGEST_LINE else "" for line in text.split("\n"))
    if "\r" in text:
        text = text.replace("\r", "\n")
    return _PREFIX.sub("", text) if _PREFIX.search(text, 0, _LOOKED_AT) else text


def whole(text: str) -> float:
    """Return the value of a number with commas between thousands."""
    return float(text.replace(",", ""))


def first(pattern: str, text: str) -> str | None:
    """Return the first group of the first match, or None."""
    match = re.search(pattern, text, re.MULTILINE)
    return match[1] if match else None


def ends_early(steps: Iterable[float], planned: float | None) -> str:
    """Return "finished", the sentence that a log ends before its planned steps, or "" if no steps were planned.

    One logging interval is allowed: the last line need not be at the last step.
    """
    done = sorted(set(steps))
    if not done or not planned:
        return ""
    interval = min(done[-1] - done[-2], _LONGEST_INTERVAL * planned) if len(done) > 1 else 0
    return (
        "finished"
        if done[-1] + interval >= planned + 1e-9 or done[-1] >= planned
        else f"the log ends at step {done[-1]:.0f} of {planned:.0f}"
    )


def check_one_job(name: str, **said: Iterable[str]) -> None:
    """Raise Unreadable if a log holds jobs with different settings: it would be a guess which loss belongs to which job.

    A job that was restarted with the same settings passes.
    """
    for what, values in said.items():
        different = list(dict.fromkeys(values))
        if len(different) > 1:
            raise Unreadable(
                f"{name} holds several jobs ({what.replace('_', ' ')} {', '.join(different[:4])}): put each into its own file."
            )
