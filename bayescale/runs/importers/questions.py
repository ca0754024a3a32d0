"""What an import must ask: every question is one option, asked once with all runs that it concerns."""

from collections.abc import Sequence
from typing import NamedTuple

from ..values import one_line

_NAMED = 4


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
    """Return a question as one line that ends with the option that answers it."""
    runs = [one_line(run) for run in question.runs]
    named = ", ".join(runs[:_NAMED]) + (f" and {len(runs) - _NAMED} more" if len(runs) > _NAMED else "")
    return f"{question.topic} ({named}): {question.text} Answer with {options_of(question)}"


def options_of(question: Question) -> str:
    """Return the option with the run in place of RUN where there is one alone."""
    return question.option.replace("RUN", f"'{question.runs[0]}'") if len(question.runs) == 1 else question.option


def words_of(questions: Sequence[Question]) -> str:
    """Return the options of all questions in one line, to be filled in and added to the command."""
    found = []
    for question in questions:
        option = question.option.split(" or ")[0].split(" (")[0].split(",")[0]
        found += [option.replace("RUN", f"'{run}'") for run in question.runs] if "RUN" in option else [option]
    return " ".join(dict.fromkeys(found))
