"""How bayescale refuses: the exception of every refusal, and the wording that refusals share.

A refusal is a mistake by the user: the command line prints it and exits with 2, and treats every other exception as a bug in bayescale.
This is the only place where a name is written both as the library and as the command line spell it.
"""

import math
from collections.abc import Iterable
from difflib import get_close_matches
from shlex import quote
from typing import Any

# Arguments with an option of a different name.
_OPTIONS = {
    "prob": "--band",
    "drift": "--no-drift",
    "columns": "--column",
    "options": "--option",
    "inputs": "--input",
    "plans": "--plan",
    "demand": "--inference-tokens",
    "sigma": "--inference-tokens TOKENS:SIGMA",
    "budget_quantile": "--demand-quantile",
    "x": "--at",
}


# Options of values that are attributes in Python.
_ATTRIBUTES = {"target_loss": "Target.loss", "target_on": "Target.on", "inference_tokens": "Demand.tokens"}


class InputError(ValueError):
    """A mistake by the user. The message names the thing, the rule, the value and the fix."""


class InputTypeError(InputError, TypeError):
    """A value of the wrong type."""


def named(argument: str) -> str:
    """Return the name of an argument and of its option, such as "`max_params` (--max-params)"."""
    return f"`{_ATTRIBUTES.get(argument, argument)}` ({option(argument)})"


def option(argument: str) -> str:
    """Return the option of an argument, such as "--max-params"."""
    return _OPTIONS.get(argument, "--" + argument.replace("_", "-"))


def given(**values: Any) -> str:
    """Return how to give values in Python and on the command line, such as "`draws=4000` (--draws 4000)"."""
    words = ", ".join(
        f"load_spec({value!r})" if name == "model" else f"{name}={value!r}" for name, value in values.items()
    )
    options = " ".join(f"{option(name)} {quote(str(value))}" for name, value in values.items())
    return f"`{words}` ({options})"


def near(word: Any, names: Iterable[Any], most: int = 1) -> list[str]:
    """Return the names that begin with a word, ignoring case, or at most `most` names that are similar to it."""
    known = {str(name).casefold(): str(name) for name in names}
    key = str(word).casefold()
    begun = [name for folded, name in known.items() if key and folded.startswith(key) and folded != key]
    return begun[: max(most, 3)] or [known[folded] for folded in get_close_matches(key, known, n=most)]


def suggest(word: Any, names: Iterable[Any]) -> str:
    """Return `` Did you mean 'x'?``, or an empty string if no name is near."""
    found = near(word, names)
    return f" Did you mean {' or '.join(map(repr, found))}?" if found else ""


def positive(argument: str, value: Any, unit: str = "", example: str = "") -> float:
    """Return a number as a float; raise InputError if it is not a positive, finite number."""
    number = math.nan if isinstance(value, bool) else _float(value)
    if not (math.isfinite(number) and number > 0):
        of = f" of {unit}" if unit else ""
        shown = value if isinstance(value, str) else repr(value)
        raise InputError(
            f"{named(argument)} must be a positive number{of}{f', e.g. {example}' if example else ''}. Got {shown}."
        )
    return number


def _float(value: Any) -> float:
    try:
        return math.nan if isinstance(value, str) else float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan
