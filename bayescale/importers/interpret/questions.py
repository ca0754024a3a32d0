"""The questions of an import: each is answered by one option and asked once for all its runs."""

import re
import shlex
from collections.abc import Sequence
from typing import NamedTuple

from ...runs.values import one_line

_NAMED = 4
_OPTION = re.compile(r"(?:^|\s)--([a-z]+(?:-[a-z]+)*)")
_RUN = re.compile(r"\bRUN(?=[=:]|\b)")


class Question(NamedTuple):
    """One question: the topic, the text, the option that answers it, and the runs."""

    topic: str
    text: str
    option: str
    runs: tuple[str, ...]


class Questions:
    """Collects the questions of many runs, each question once."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], tuple[str, list[str]]] = {}

    def ask(self, topic: str, text: str, option: str, run: str) -> None:
        """Add a run to a question."""
        self._found.setdefault((topic, text), (option, []))[1].append(run)

    def all(self) -> list[Question]:
        """Return the questions in the order in which they first appeared."""
        return [
            Question(topic, text, option, tuple(dict.fromkeys(runs)))
            for (topic, text), (option, runs) in self._found.items()
        ]


def line(question: Question) -> str:
    """Return a question as one line that ends with how to answer it: fields of `ImportAnswers`, and options of the command."""
    runs = [one_line(run) for run in question.runs]
    named = ", ".join(runs[:_NAMED]) + (f" and {len(runs) - _NAMED} more" if len(runs) > _NAMED else "")
    answers = ", ".join(f"`{name.replace('-', '_')}`" for name in dict.fromkeys(_OPTION.findall(question.option)))
    return f"{question.topic} ({named}): {question.text} Answer with {answers} ({options_of(question)})"


def options_of(question: Question) -> str:
    """Return the option, with RUN replaced by the run if there is only one."""
    return _filled(question.option, question.runs[0]) if len(question.runs) == 1 else question.option


def words_of(questions: Sequence[Question]) -> str:
    """Return the options of all questions on one line, to be filled in and added to the command."""
    found: list[str] = []
    for question in questions:
        option = re.split(r" or |,| \((?!\d)", question.option)[0]
        found += [_filled(option, run) for run in question.runs] if _RUN.search(option) else [option]
    return " ".join(dict.fromkeys(found))


def _filled(option: str, run: str) -> str:
    return _RUN.sub(lambda _: shlex.quote(run), option)
