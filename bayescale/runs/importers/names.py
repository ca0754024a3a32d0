"""Names of runs: segments of one run are joined, and runs that share a name told apart."""

from collections.abc import Sequence
from dataclasses import replace

from ..values import one_line
from . import keys
from .answers import EVERY, ImportAnswers, of_run
from .log import Log, join, number_of
from .rows import Row

_LONGEST_NAME = 60


def joined(logs: Sequence[Log]) -> list[Log]:
    """Return one log per run: segments of a resumed run are joined."""
    groups: dict[str, list[Log]] = {}
    for place, log in enumerate(logs):
        groups.setdefault(log.identity or f"\0{place}", []).append(log)
    return [segments[0] if len(segments) == 1 else join(segments) for segments in groups.values()]


def told_once(logs: Sequence[Log]) -> list[Log]:
    """Return the logs without those that say the same of the same run, as two exports of one table do."""
    seen: dict[object, Log] = {}
    for place, log in enumerate(logs):
        ends = tuple(
            sorted(
                (key, float(steps[-1]), float(values[-1])) for key, (steps, values) in log.series.items() if len(steps)
            )
        )
        facts = tuple(sorted((name, str(fact.value)) for name, fact in log.facts.items() if name != "source"))
        seen.setdefault((log.run, log.format, ends, facts) if ends or facts else place, log)
    return list(seen.values())


def distinct(logs: Sequence[Log], seeds: Sequence[str]) -> list[Log]:
    """Return the logs under names that differ: by seed, by format, by the folders that differ, or by number."""
    groups: dict[str, list[int]] = {}
    for place, log in enumerate(logs):
        groups.setdefault(log.run, []).append(place)
    result, taken = list(logs), set(groups)
    for name, places in groups.items():
        if len(places) == 1:
            continue
        new_names = _told_apart(name, [logs[place] for place in places], [seeds[place] for place in places])
        for place, new in zip(places, new_names, strict=True):
            while new in taken:
                new += "'"
            taken.add(new)
            result[place] = replace(logs[place], run=new)
    return result


def _told_apart(name: str, logs: list[Log], seeds: list[str]) -> list[str]:
    folders = _differing([log.source for log in logs])
    if all(seeds) and len(set(seeds)) == len(logs):
        return [f"{name} [seed={seed}]" for seed in seeds]
    if len({log.format for log in logs}) == len(logs):
        return [f"{name} [{log.format}]" for log in logs]
    if all(folders) and len(set(folders)) == len(logs) and max(map(len, folders)) <= _LONGEST_NAME:
        return folders
    return [f"{name} [{number}]" for number in range(1, len(logs) + 1)]


def _differing(sources: list[str]) -> list[str]:
    """Return the parts of paths in which they differ: "a/logs/version_0", "b/logs/version_0" -> "a", "b"."""
    parts = [source.split(" row ")[0].split("/") for source in sources]
    while all(parts) and len({item[0] for item in parts}) == 1:
        parts = [item[1:] for item in parts]
    while all(parts) and len({item[-1] for item in parts}) == 1:
        parts = [item[:-1] for item in parts]
    return ["/".join(item) for item in parts]


def seed(log: Log) -> str:
    """Return the seed of a run as text, "" where it has none."""
    found = keys.config_value(log.config, "seed")
    value = found[0] if found else log.facts["seed"].value if "seed" in log.facts else ""
    number = number_of(value)
    return f"{number:.0f}" if number is not None else str(value)


def check_names(rows: list[Row], answers: ImportAnswers) -> None:
    """Raise ValueError where an answer names a run that there is not, or a pattern of names fits none."""
    if answers.name and rows and not any("--name" in row.origins.values() for row in rows):
        raise ValueError(
            f"--name '{one_line(answers.name)}' fits no run; names are e.g. {', '.join(one_line(row.run) for row in rows[:3])}."
        )
    names = [row.run for row in rows]
    for option, values in (
        ("--params", answers.params),
        ("--batch-tokens", answers.batch_tokens),
        ("--sequence", answers.sequence),
        ("--unique-tokens", answers.unique_tokens),
        *((f"--set {column}", by_run) for column, by_run in answers.set.items()),
        ("--leave-out", dict.fromkeys(answers.leave_out)),
    ):
        for pattern in values:
            if pattern != EVERY and not any(of_run({pattern: True}, name) for name in names):
                raise ValueError(
                    f"{option} names '{one_line(pattern)}', which fits no run; there are {', '.join(one_line(name) for name in names[:8])}."
                )
