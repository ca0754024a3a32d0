"""Names of runs: segments of one run are joined, and runs that share a name get different ones."""

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ...errors import InputError, given, named
from ...runs.columns import plain
from ...runs.values import one_line
from .. import keys
from ..log import FINISHED, Log, join, number_of
from .answers import EVERY, ImportAnswers, of_run
from .rows import Row

_LONGEST_NAME = 60
_SAME_COUNT = 0.01  # relative, of params and tokens
_SAME_LOSS = 1e-4  # relative, for losses that a table may have rounded
# Names that loggers give to files and folders, without information about the run
_GENERIC = re.compile(
    r"(?:version_\d+|metrics|log|logs|train|training|output|out|slurm.*|history|runs?|main|results)", re.IGNORECASE
)


def joined(logs: Sequence[Log]) -> list[Log]:
    """Return one log per run: segments of a resumed run are joined, unless they differ in params or seed."""
    groups: dict[str, list[Log]] = {}
    for place, log in enumerate(logs):
        groups.setdefault(log.identity or f"\0{place}", []).append(log)
    found: list[Log] = []
    for segments in groups.values():
        said = [_says(segment) for segment in segments] if len(segments) > 1 else []
        known = {
            name: {one[name] for one in said if name in one}
            for name in ("seed", "params", "params_total", "params_non_embedding")
        }
        found += (
            segments if len(segments) == 1 or any(len(values) > 1 for values in known.values()) else [join(segments)]
        )
    return found


def told_twice(logs: Sequence[Log], losses: Sequence[float | None]) -> dict[int, str]:
    """Return position -> reason for logs of a run that appears in another file too.

    Name and final loss are equal, and so are params, tokens and seed if both files have them. A history takes precedence over a summary,
    an earlier file over a later one. Equal rows of one file are replicates; names that loggers give are not compared.
    """
    groups: dict[str, list[int]] = {}
    for place, (log, loss) in enumerate(zip(logs, losses, strict=True)):
        is_run = not log.left_out and log.state in ("", FINISHED) and not _GENERIC.fullmatch(log.run)
        if loss is not None and np.isfinite(loss) and is_run:
            groups.setdefault(log.run, []).append(place)
    found: dict[int, str] = {}
    for places in groups.values():
        if len(places) == 1:
            continue
        said = {place: _says(logs[place]) for place in places}
        kept: list[int] = []
        for place in sorted(places, key=lambda place: logs[place].summary or bool(logs[place].facts.get("loss"))):
            same = next((one for one in kept if _same(logs, losses, said, one, place)), None)
            if same is None:
                kept.append(place)
            else:
                found[place] = f"the same run as in {logs[same].source}: name and loss agree"
    return found


def _same(
    logs: Sequence[Log], losses: Sequence[float | None], said: dict[int, dict[str, float]], one: int, other: int
) -> bool:
    first, second = losses[one], losses[other]
    assert first is not None and second is not None
    if abs(first - second) > _SAME_LOSS * abs(first) or _file(logs[one]) == _file(logs[other]):
        return False
    return all(
        abs(said[one][name] - said[other][name]) <= _SAME_COUNT * abs(said[one][name])
        for name in said[one].keys() & said[other].keys()
    )


def _says(log: Log) -> dict[str, float]:
    """Return the facts of a log that another log of the same run must not contradict."""
    found = {"seed": number_of(seed(log))}
    for name in ("params_non_embedding", "params_total", "params"):
        known = keys.config_value(log.config, name)
        found[name] = number_of(log.facts[name].value if name in log.facts else known[0] if known else None)
    counters = [points for key, points in log.series.items() if plain(key) in keys.TOKENS and len(points[1])]
    found["tokens"] = (
        number_of(log.facts["tokens"].value)
        if "tokens" in log.facts
        else float(counters[0][1][-1])
        if counters
        else None
    )
    return {name: value for name, value in found.items() if value is not None and np.isfinite(value)}


def _file(log: Log) -> str:
    return log.source.split(" row ")[0]


def distinct(logs: Sequence[Log], seeds: Sequence[str]) -> list[Log]:
    """Return the logs under different names: distinguished by seed, format, folder, or number.

    A finished run keeps its name if it shares it only with unfinished attempts.
    """
    groups: dict[str, list[int]] = {}
    for place, log in enumerate(logs):
        groups.setdefault(log.run, []).append(place)
    result, taken = list(logs), set(groups)
    for name, places in groups.items():
        whole = [place for place in places if not logs[place].left_out and logs[place].state in ("", FINISHED)]
        if len(places) == 1:
            continue
        own = [seeds[place] for place in places]
        by_seed = all(own) and len(set(own)) == len(own)
        others = [place for place in places if place not in whole] if len(whole) == 1 and not by_seed else places
        new_names = _told_apart(name, [logs[place] for place in places], [seeds[place] for place in places])
        for place, new in zip(places, new_names, strict=True):
            if place not in others:
                continue
            while new in taken:
                new += "'"
            taken.add(new)
            result[place] = replace(logs[place], run=new)
    return result


def _told_apart(name: str, logs: list[Log], seeds: list[str]) -> list[str]:
    folders = _differing([log.source for log in logs])
    usable = all(folders) and len(set(folders)) == len(logs) and max(map(len, folders)) <= _LONGEST_NAME
    if all(seeds) and len(set(seeds)) == len(logs):
        return [f"{name} [seed={seed}]" for seed in seeds]
    if usable and _GENERIC.fullmatch(name):
        return folders
    if len({log.format for log in logs}) == len(logs):
        return [f"{name} [{log.format}]" for log in logs]
    if usable:
        return [f"{name} [{folder}]" for folder in folders]
    return [f"{name} [{number}]" for number in range(1, len(logs) + 1)]


def _differing(sources: list[str]) -> list[str]:
    """Return the parts in which paths differ: "a/logs/version_0", "b/logs/version_0" -> "a", "b"."""
    parts = [source.split(" row ")[0].split("/") for source in sources]
    while all(parts) and len({item[0] for item in parts}) == 1:
        parts = [item[1:] for item in parts]
    while all(parts) and len({item[-1] for item in parts}) == 1:
        parts = [item[:-1] for item in parts]
    return ["/".join(item) for item in parts]


def seed(log: Log) -> str:
    """Return the seed of a run as a string, or "" if it has no seed."""
    found = keys.config_value(log.config, "seed")
    number = number_of(found[0] if found else log.facts["seed"].value if "seed" in log.facts else None)
    return "" if number is None else f"{number:.0f}"


def check_names(rows: list[Row], answers: ImportAnswers) -> None:
    """Raise ValueError if an answer names an unknown run, or a pattern of names does not match any."""
    if answers.name and rows and not any("--name" in row.origins.values() for row in rows):
        raise InputError(
            f"{given(name=one_line(answers.name))} does not match any run; "
            f"names are e.g. {', '.join(one_line(row.run) for row in rows[:3])}."
        )
    runs = [row.run for row in rows]
    for name, values in (
        (named("params"), answers.params),
        (named("batch_tokens"), answers.batch_tokens),
        (named("sequence"), answers.sequence),
        (named("unique_tokens"), answers.unique_tokens),
        (named("loss_factor"), answers.loss_factor),
        *((f"{named('set')} of {column}", by_run) for column, by_run in answers.set.items()),
        (named("leave_out"), dict.fromkeys(answers.leave_out)),
    ):
        for pattern in values:
            if pattern != EVERY and not any(of_run({pattern: True}, run) for run in runs):
                raise InputError(
                    f"{name} names '{one_line(pattern)}', which does not match any run; "
                    f"there are {', '.join(one_line(run) for run in runs[:8])}."
                )
