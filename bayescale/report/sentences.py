"""What is said about several plans or budgets, once: sentences that differ in their numbers alone are merged, and numbers are readable."""

import re
from collections.abc import Mapping, Sequence

from .units import count, flop

_NAMED = 3
_SUFFIXES = {"k": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}
# As Python writes a number (6.82e+09); what a user typed (4e12) stays as it is.
_EXPONENT = re.compile(r"(?<![\w.:=<>'/-])(\d(?:\.\d+)?e[+-]\d+)(?=( FLOP\b)?)(?![\w/])")
_NUMBER = re.compile(r"(?<![\w.:=<>'/-])\d[\d,]*(?:\.\d+)?(?:e-?\d+|[kMBT])?(?![\w/'-])(?!\.\d)")
_END = re.compile(r"(?<=[.!?])(?<!e\.g\.)(?<!i\.e\.)(?<!et al\.)(?<!vs\.)(?<!eq\.) ")


def humanised(text: str) -> str:
    """Return a text with its large numbers as people write them: 6.82e+09 as 6.82B, 1e+23 FLOP as 1e23 FLOP."""

    def written(found: re.Match[str]) -> str:
        value = float(found[1])
        if value < 1:
            mantissa, _, power = found[1].partition("e")
            return f"{float(mantissa):g}e{int(power)}"
        return flop(value) if found[2] else count(value)

    return _EXPONENT.sub(written, text)


def grouped(said: Mapping[str, str]) -> list[str]:
    """Merge what is said about each of several things, by name.

    Parameters
    ----------
    said : mapping of str to str
        Name -> sentences; empty if there are none.

    Returns
    -------
    list of str
        A paragraph for all sentences about the same things, which it names unless they are all. Sentences that differ only in numbers are
        one, with the smallest and the largest.

    Examples
    --------
    >>> grouped({"a": "It lies 0.4 decades beyond. Look.", "b": "It lies 1.2 decades beyond."})
    ['It lies 0.4 to 1.2 decades beyond.', 'a: Look.']
    """
    numbers: dict[tuple[str, int], dict[str, list[str]]] = {}
    for name, text in said.items():
        times: dict[str, int] = {}
        for sentence in filter(None, _END.split(humanised(text).strip())):
            form = _NUMBER.sub("\0", sentence)
            times[form] = times.get(form, 0) + 1
            numbers.setdefault((form, times[form]), {})[name] = _NUMBER.findall(sentence)
    about: dict[tuple[str, ...], list[str]] = {}
    for (form, _), each in numbers.items():
        ranges = iter([_range(values) for values in zip(*each.values(), strict=True)])
        about.setdefault(tuple(each), []).append(re.sub("\0", lambda _, ranges=ranges: next(ranges), form))  # type: ignore[misc]
    whole = sorted(about.items(), key=lambda item: -len(item[0]))
    return [
        (f"{_listed(names)}: " if len(names) < len(said) else "") + " ".join(sentences) for names, sentences in whole
    ]


def _range(texts: Sequence[str]) -> str:
    ordered = sorted(texts, key=_value)
    return ordered[0] if _value(ordered[0]) == _value(ordered[-1]) else f"{ordered[0]} to {ordered[-1]}"


def _value(text: str) -> float:
    plain = text.replace(",", "")
    return float(plain[:-1]) * _SUFFIXES[plain[-1]] if plain[-1] in _SUFFIXES else float(plain)


def _listed(names: Sequence[str]) -> str:
    if len(names) <= _NAMED:
        return ", ".join(names)
    return f"{', '.join(names[:_NAMED])} and {len(names) - _NAMED} more"
