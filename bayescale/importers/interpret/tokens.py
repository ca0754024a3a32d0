"""Tokens and FLOP at the steps of the loss: from counters first, then samples, then steps; all available counts must agree."""

import math

import numpy as np

from ...laws.law import compute, tokens_within
from ...runs.columns import plain
from ...runs.values import one_line
from .. import keys
from ..log import UNIQUE_TOKENS, Log, number_of
from .answers import EVERY, ImportAnswers, named_for
from .losses import Choice
from .questions import Questions
from .rows import Row

_TOLERANCE = 0.01  # by which two counts of tokens may differ
_JITTER = 0.05  # relative range of a rate
_FLOPS_RATIO = 30  # between logged FLOP and 6 x params x tokens, either way
_LARGEST_BATCH = 3e8  # tokens per update


def tokens(
    row: Row, log: Log, choice: Choice, answers: ImportAnswers, batch: tuple[float, str] | None, warnings: list[str]
) -> tuple[np.ndarray, str] | None:
    """Return the tokens at the steps of the loss and how they were counted, by the first available method."""
    assert choice.points is not None
    steps = choice.points[0]
    ways: list[tuple[np.ndarray, str]] = []
    order = {name: place for place, name in enumerate(keys.TOKENS)}
    mapped = plain(answers.map.get("tokens", ""))
    order |= {mapped: -1} if mapped else {}
    counters = sorted((order[plain(key)], key) for key in log.series if plain(key) in order and key != choice.key)
    for _, key in counters:
        points = log.series[key]
        if not len(points[0]) or not np.isfinite(points[1]).all() or points[1].max() <= 0:
            continue
        if np.any(np.diff(points[1]) < 0):
            warnings.append(
                f"{row.run}: '{one_line(key)}' falls while steps rise: the counter was restarted, so it is not used."
            )
        elif len(points[1]) > 1 and np.ptp(points[1]) == 0:
            warnings.append(
                f"{row.run}: '{one_line(key)}' is {points[1][0]:.6g} at all steps, so it does not count the run's tokens; it is not used."
            )
        else:
            ways.append(_at(steps, points, key))
    sequence = _sequence(log, answers)
    for key, points in log.series.items():
        if plain(key) in keys.SAMPLES and sequence and len(points[0]):
            counts, how = _at(steps, points, key)
            ways.append((counts * sequence[0], f"{how} x {sequence[1]}"))
    if batch:
        ways.append((steps * batch[0], f"steps x {batch[1]}"))
    params, own = row.kinds.get("non-embedding"), log.own_flops
    if own and params and (flops := log.series.get(own.flops)):
        counts, how = _at(steps, flops, own.flops)
        ways.append((tokens_within(counts, params), f"{how} / (6 x params)"))
    if not ways:
        return None
    (first, how), others = ways[0], ways[1:]
    for other, way in others:
        if abs(other[-1] - first[-1]) > _TOLERANCE * first[-1]:
            warnings.append(
                f"{row.run}: tokens are {first[-1]:.6g} by {how} and {other[-1]:.6g} by {way}; the first is used."
            )
    return first, how


def _at(steps: np.ndarray, points: tuple[np.ndarray, np.ndarray], key: str) -> tuple[np.ndarray, str]:
    """Return a counter at given steps; between and beyond its own points it is proportional to steps."""
    known, counts = points
    exact = np.isin(steps, known)
    if exact.all():
        return counts[np.searchsorted(known, steps)], key
    if known[-1] <= 0:
        return np.full(len(steps), counts[-1]), key
    if known[0] > 0:
        known, counts = np.append(0.0, known), np.append(0.0, counts)
    values = np.interp(steps, known, counts)
    beyond = steps > known[-1]
    values[beyond] = counts[-1] * steps[beyond] / known[-1]
    return values, key if exact[-1] else f"{key}, in proportion to steps"


def put_flops(row: Row, log: Log, steps: np.ndarray, answers: ImportAnswers, warnings: list[str]) -> None:
    """Use a counter of FLOP; a constant one is a rate and is not used."""
    for key, points in log.series.items():
        factor = 1.0 if plain(key) == plain(answers.map.get("flops", "-")) else keys.FLOPS.get(plain(key))
        if not factor or not len(points[0]) or not np.isfinite(points[1]).all() or points[1][-1] <= 0:
            continue
        if len(points[1]) > 1 and np.ptp(points[1]) <= _JITTER * points[1].max():
            warnings.append(
                f"{row.run}: '{one_line(key)}' hardly changes, so it is a rate, not the FLOP of the run; it is not used."
            )
            continue
        counts, how = _at(steps, points, key)
        row.put("flops", float(counts[-1]) * factor, how if factor == 1 else f"{how} x {factor:g}")


def check_flops(row: Row, warnings: list[str]) -> None:
    """Drop FLOP that cannot be the total of this run, judged by 6 x params x tokens: a rate, or FLOP of another run."""
    params = next(iter(row.kinds.values()), None)
    if row.own_flops or not params or not row.values.get("flops") or not row.values.get("tokens"):
        return
    ratio = row.values["flops"] / compute(params, row.values["tokens"])
    if not 1 / _FLOPS_RATIO < ratio < _FLOPS_RATIO:
        warnings.append(
            f"{row.run}: '{row.origins['flops']}' is {ratio:.3g} times 6 x params x tokens, so it is not this run's FLOP; it is not used."
        )
        del row.values["flops"]


def _sequence(log: Log, answers: ImportAnswers) -> tuple[float, str] | None:
    named = named_for(answers.sequence, log.run)
    if named is not None:
        return float(named), "--sequence"
    found = keys.config_value(log.config, "sequence")
    value = number_of(found[0]) if found else None
    if found and value:
        return value, found[1]
    every = answers.sequence.get(EVERY)
    return None if every is None else (float(every), "--sequence")


def batch_tokens(row: Row, log: Log, answers: ImportAnswers) -> tuple[float, str] | None:
    """Return tokens per update: as given, as logged, or as the product of all its parts, never of only some of them."""
    named = named_for(answers.batch_tokens, log.run)
    if named is not None:
        return float(named), "--batch-tokens"
    if "batch_tokens" in row.values:
        return row.values["batch_tokens"], row.origins["batch_tokens"]
    every = answers.batch_tokens.get(EVERY)
    return _logged_batch(log, answers) or (None if every is None else (float(every), "--batch-tokens"))


def _logged_batch(log: Log, answers: ImportAnswers) -> tuple[float, str] | None:
    wanted = ("batch_tokens", "global_batch", "micro_batch", "accumulation", "data_ranks", "ranks")
    found = {name: keys.config_value(log.config, name) for name in wanted}
    numbers = {name: (value, item[1]) for name, item in found.items() if item and (value := number_of(item[0]))}
    sequence = _sequence(log, answers)
    if "batch_tokens" in numbers:
        return numbers["batch_tokens"]
    if not sequence or (sequence[1].endswith(keys.OWN_ACCUMULATION) and "global_batch" not in numbers):
        return None
    if "global_batch" in numbers:
        tokens_ = numbers["global_batch"][0] * sequence[0]
        # a larger product means that the batch already counts tokens (OLMo-core)
        return (tokens_, f"{numbers['global_batch'][1]} x {sequence[1]}") if tokens_ <= _LARGEST_BATCH else None
    ranks = numbers.get("data_ranks") or _data_ranks(log, numbers.get("ranks"))
    parts = [numbers.get("micro_batch"), numbers.get("accumulation"), ranks]
    if not all(parts):
        return None
    return math.prod(part[0] for part in parts if part) * sequence[0], " x ".join(
        [*(part[1] for part in parts if part), sequence[1]]
    )


def _data_ranks(log: Log, ranks: tuple[float, str] | None) -> tuple[float, str] | None:
    """Return the data-parallel ranks: all ranks divided by those that share a model."""
    if ranks is None:
        return None
    shared = {
        plain(key): number_of(value) or 1
        for key, value in log.config.items()
        if plain(key) in keys.CONFIG["model_ranks"]
    }
    if not shared:
        return ranks
    return ranks[0] / math.prod(shared.values()), " / ".join([ranks[1], *shared])


def put_batch(row: Row, tokens: np.ndarray, steps: np.ndarray, unknown: bool) -> None:
    """Use tokens over steps as the batch if it was constant throughout."""
    if unknown or len(steps) < 2 or steps[0] <= 0:
        return
    rates = tokens / steps
    if np.ptp(rates) <= 1e-6 * rates[-1]:
        row.put("batch_tokens", float(rates[-1]), "tokens / steps")


def ask_tokens(row: Row, log: Log, questions: Questions, needs_meaning: bool) -> None:
    """Ask for the missing value that gives the tokens; which one depends on the log."""
    doubt = log.step_doubt
    if doubt and needs_meaning:
        questions.ask(
            "steps",
            f"{doubt.logger}'s {doubt.counter} counts calls of {doubt.call} unless the code passed step=; "
            "does it count updates of the optimiser here?",
            "--step-is updates (or calls)",
            row.run,
        )
        return
    has_samples = any(plain(key) in keys.SAMPLES for key in log.series)
    if has_samples:
        questions.ask("tokens", "samples were counted; how many tokens per sequence?", "--sequence RUN=TOKENS", row.run)
        return
    if log.own_flops and log.own_flops.flops in log.series:
        questions.ask(
            "tokens",
            f"none were counted; they follow from {log.own_flops.flops} and non-embedding params, or from the batch.",
            "--batch-tokens RUN=COUNT, or with --params RUN=COUNT --params-kind non-embedding",
            row.run,
        )
        return
    if doubt:
        questions.ask(
            "steps",
            f"does {doubt.logger}'s {doubt.counter} count updates of the optimiser, or calls of {doubt.call}?",
            "--step-is updates (or calls)",
            row.run,
        )
    questions.ask(
        "tokens",
        "no count was logged; how many tokens per update (over all ranks)?",
        "--batch-tokens RUN=COUNT",
        row.run,
    )


def put_data(row: Row, log: Log, step: float, answers: ImportAnswers, questions: Questions) -> None:
    """Set epochs and unique tokens: in one epoch all tokens are unique; for more, they come from the user or a counter."""
    named, every = named_for(answers.unique_tokens, log.run), answers.unique_tokens.get(EVERY)
    tokens = row.values.get("tokens")
    if named is not None:
        row.put("unique_tokens", float(named), "--unique-tokens")
    else:
        fractional, epochs, key = _epochs(log, step)
        if "unique_tokens" in row.values:
            return
        repeated = UNIQUE_TOKENS in log.asks or (epochs is not None and epochs >= 1 and not fractional)
        if every is not None and (repeated or epochs is None):
            row.put("unique_tokens", float(every), "--unique-tokens")
        elif repeated:
            questions.ask(
                "unique tokens",
                "the data were repeated; how many distinct tokens are there?",
                "--unique-tokens RUN=COUNT",
                row.run,
            )
        elif epochs is not None and tokens:
            done = max(epochs, 1.0) if fractional else 1.0
            row.put("unique_tokens", tokens / done, "tokens" if done == 1 else f"tokens / {key}")
            if done > 1:
                row.put("epochs", done, key)
        elif epochs is not None and fractional and epochs > 1:
            row.put("epochs", epochs, key)


def _epochs(log: Log, step: float) -> tuple[bool, float | None, str]:
    """Return whether the counter counts completed epochs (not the index of the current one), its value at a step, and its key."""
    for key, points in log.series.items():
        if plain(key) in keys.EPOCH and len(points[1]) and np.isfinite(points[1]).all():
            are_done = log.counts_epochs_done or plain(key) in keys.EPOCHS_DONE
            if are_done or not (points[1] == np.round(points[1])).all():
                return True, float(_at(np.array([step]), points, key)[0][0]), key
            return False, float(points[1].max()), key
    return False, None, ""
