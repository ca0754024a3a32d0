"""What an import must ask: every question is one option, asked once with all runs that it concerns."""

import re
import shlex
from collections.abc import Sequence
from typing import NamedTuple

from ...runs.values import one_line

_NAMED = 4
_OPTION = re.compile(r"(?:^|\s)--([a-z]+(?:-[a-z]+)*)")
_RUN = re.compile(r"\bRUN(?=[=:]|\b)")


class Question(NamedTuple):
    """One open point: the topic, what is asked, the option that answers it, and the runs."""

    topic: str
    text: str
    option: str
    runs: tuple[str, ...]


class Questions:
    """Collects questions of many runs, a topic once."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], tuple[str, list[str]]] = {}

    def ask(self, topic: str, text: str, option: str, run: str) -> None:
        """Add a run to a question."""
        self._found.setdefault((topic, text), (option, []))[1].append(run)

    def all(self) -> list[Question]:
        """Return the questions in the order in which they first came up."""
        return [
            Question(topic, text, option, tuple(dict.fromkeys(runs)))
            for (topic, text), (option, runs) in self._found.items()
        ]


def line(question: Question) -> str:
    """Return a question as one line that ends with what answers it: fields of `ImportAnswers`, and the options of the command."""
    runs = [one_line(run) for run in question.runs]
    named = ", ".join(runs[:_NAMED]) + (f" and {len(runs) - _NAMED} more" if len(runs) > _NAMED else "")
    answers = ", ".join(f"`{name.replace('-', '_')}`" for name in dict.fromkeys(_OPTION.findall(question.option)))
    return f"{question.topic} ({named}): {question.text} Answer with {answers} ({options_of(question)})"


def options_of(question: Question) -> str:
    """Return the option with the run in place of RUN where there is one alone."""
    return _filled(question.option, question.runs[0]) if len(question.runs) == 1 else question.option


def words_of(questions: Sequence[Question]) -> str:
    """Return the options of all questions in one line, to be filled in and added to the command."""
    found: list[str] = []
    for question in questions:
        option = re.split(r" or |,| \((?!\d)", question.option)[0]
        found += [_filled(option, run) for run in question.runs] if _RUN.search(option) else [option]
    return " ".join(dict.fromkeys(found))


def _filled(option: str, run: str) -> str:
    return _RUN.sub(lambda _: shlex.quote(run), option)
