"""fairseq, console log (simple or no progress bar): losses in bits, words per batch.

`nll_loss` is the cross entropy without label smoothing and `loss` is what is minimised; if both are the same, only `loss` is logged.
`wpb` counts the words on the target side of an update over all workers, without padding. Lines of `train_inner` are means since the
last such line. Lines of older versions, and the line at the end of an epoch, are means over the epoch.
"""

import re
from pathlib import Path
from typing import Any

import numpy as np

from ..format import Format
from ..keys import VALIDATION, loss_key
from ..log import FINISHED, Fact, Log, Series, number_of, series_of
from .reading.text import NUMBER, check_one_job, log_text, sample, whole

TITLE = "fairseq"
_LINE = re.compile(
    r"^(.{0,200}?)\bepoch (\d+)(?::\s+(\d+) / (\d+) |\s+\| (?:(?:valid|\S+) on '([^'\n]+)' subset\s+\| )?)(.*\bnum_updates[= ]\d.*)$",
    re.MULTILINE,
)
_FIELD = re.compile(rf"(?<![^|, ])(\w+?_)??(nll_loss|loss|wpb|num_updates|lr)[= ]({NUMBER})")
_LOSSES = ("nll_loss", "loss")
_OF_EPOCH = "epoch_"  # prefix of means over the epoch
_PARAMS = re.compile(r"\bnum\. (?:shared )?model params: ([\d,]+)")
_EXPERTS = re.compile(r"\bnum\. expert model params: ([1-9][\d,]*)")
_DONE = re.compile(r"\| done training in ")
# in `Namespace(max_update=...)` or in a dictionary, depending on the version; 0 updates mean "not set"
_PLANNED = re.compile(r"\bmax_update'?[=:] ?([1-9]\d*)\b")
_SEED = re.compile(r"\bseed'?[=:] ?(\d+)\b")
_DATA = re.compile(r"\bdata'?[=:] ?'([^'\n]*)'")


def recognises(path: Path) -> bool:
    """Return whether epoch lines hold losses, words per batch and updates."""
    text = sample(path)
    return any({"loss", "wpb", "num_updates"} <= _fields(match).keys() for match in _LINE.finditer(text))


def read(path: Path) -> list[Log]:
    """Return the run; losses stay in bits, the unit of the log."""
    text = log_text(path)
    lines = list(_LINE.finditer(text))
    ends = [0, *(match.end() for match in lines)]
    rest = "".join(text[end : match.start()] for end, match in zip(ends, lines, strict=False)) + text[ends[-1] :]
    counts = _PARAMS.findall(rest)
    check_one_job(path.name, params=counts)
    shards = _shards(rest)
    told = [(match, _fields(match)) for match in lines]
    rows = [
        (step, _cells(match, cells, shards)) for match, cells in told if (step := number_of(cells.get("num_updates")))
    ]
    series = series_of(rows)
    counted = _with_tokens(series)
    planned, seed = _PLANNED.findall(rest), _SEED.findall(rest)
    return [
        Log(
            run=path.stem,
            source=path.name,
            format=TITLE,
            series=counted,
            config={name: said[-1] for name, said in (("max_steps", planned), ("seed", seed)) if said},
            facts=_params(counts) if not _EXPERTS.search(rest) else {},
            state=FINISHED if _DONE.search(text, ends[-1]) else "",
            loss_unit="bits/token",
            counts_epochs_done=True,
            notes=_begins_late(counted),
        )
    ]


def _fields(match: re.Match[str]) -> dict[str, str]:
    """Return the fields of a line, without the subset before their names (`valid_loss`)."""
    own = ("", f"{match[5]}_")
    return {name: value for before, name, value in _FIELD.findall(match[6]) if before in own}


def _cells(match: re.Match[str], fields: dict[str, str], shards: int) -> dict[str, Any]:
    """Return the values of a line under keys that name their kind."""
    before, epoch, done, planned, subset, _ = match.groups()
    losses = {name: fields[name] for name in _LOSSES if name in fields}
    if subset:
        home = subset if (meaning := loss_key(f"{subset}/loss")) and meaning.split == VALIDATION else f"valid/{subset}"
        return {f"{home}/{name}": value for name, value in losses.items()}
    kind = "" if "train_inner" in before else _OF_EPOCH
    cells: dict[str, Any] = {f"train/{kind}{name}": value for name, value in losses.items()}
    if "wpb" in fields:
        cells[f"{kind}wpb"] = fields["wpb"]
    if "lr" in fields:
        cells["lr"] = fields["lr"]
    passed = float(done) / float(planned) if done and float(planned) else 1.0
    return {**cells, "epoch": (float(epoch) - 1 + passed) / shards}


def _with_tokens(series: dict[str, Series]) -> dict[str, Series]:
    """Return the series with the tokens done: words per batch times the updates since the line before."""
    of_epoch = series.pop(f"{_OF_EPOCH}wpb", None)
    words = series.pop("wpb", of_epoch)
    if words is None:
        return series
    steps, per_batch = words
    return {**series, "train_tokens": (steps, np.cumsum(per_batch * np.diff(steps, prepend=0.0)))}


def _begins_late(series: dict[str, Series]) -> tuple[str, ...]:
    """Say that a log begins after updates which it does not show: their tokens are counted at the first batch that it shows."""
    steps = series["train_tokens"][0] if "train_tokens" in series else np.array([])
    if len(steps) < 2 or steps[0] <= 2 * np.median(np.diff(steps)):
        return ()
    return (f"The log begins at update {steps[0]:g}; the tokens before it are taken at the batch of its first line.",)


def _params(counts: list[str]) -> dict[str, Fact]:
    return {"params_total": Fact(whole(counts[-1]), "num. model params")} if counts else {}


def _shards(text: str) -> int:
    """Return the number of parts of the data, separated by colons; an epoch reads one part."""
    found = _DATA.search(text)
    return 1 + len(re.findall(r":(?!//)", found[1])) if found else 1


FORMAT = Format("fairseq", TITLE, recognises, read, rank=285, is_console=True)
