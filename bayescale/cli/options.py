"""Options that several commands share, and the reading of NAME=VALUE pairs."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import InputError
from ..files import check_target, write_file
from .output import print_notes

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document to stdout and nothing else.")]
Band = Annotated[float, typer.Option("--band", help="Probability of the equal-tailed bands.")]
Force = Annotated[bool, typer.Option("--force", help="Use the fit even if its check failed.")]
NoDrift = Annotated[
    bool,
    typer.Option("--no-drift", help="Use the bare law, without its drift beyond the runs."),
]
MaxExtrapolation = Annotated[
    float,
    typer.Option(
        "--max-extrapolation", help="Largest allowed extrapolation, decades of compute beyond the largest fitted run."
    ),
]
Columns = Annotated[
    list[str] | None,
    typer.Option("--column", metavar="NAME=COLUMN", help="Read NAME from COLUMN of the file; repeatable."),
]
Where = Annotated[
    list[str] | None, typer.Option("--where", metavar="'COLUMN OP VALUE'", help="Use only these rows; repeatable.")
]
Family = Annotated[str | None, typer.Option("--family", help="The family to fit, if the table has several.")]
RunColumn = Annotated[
    str | None,
    typer.Option("--run", metavar="COLUMN", help="Column that names the runs; the last row of each is used."),
]
BestOf = Annotated[
    str | None,
    typer.Option(
        "--best-of",
        metavar="COLUMN,...",
        help="Columns of settings, e.g. lr,batch_tokens: of the rows with equal inputs use those with the best setting.",
    ),
]
AllRows = Annotated[
    bool, typer.Option("--all-rows", help="Use every row as a run, also checkpoints and the trials of a sweep.")
]
Out = Annotated[str | None, typer.Option("--out", help="Also write the table to this CSV file.")]
ParamsKind = Annotated[
    str, typer.Option("--params-kind", help="What params counts: total, non-embedding, active or unknown.")
]


def check_out(out: str | None, *inputs: str | None, option: str = "--out") -> None:
    """Raise ValueError if a file could not be written or would replace a fit or an input, before any work is done."""
    if out is None:
        return
    from ..posterior.store import is_netcdf

    target = check_target(out)
    if target.is_file() and (is_netcdf(target) or any(name and _same(target, name) for name in inputs)):
        raise InputError(f"{option} {out} would overwrite a fit or a table that is read; give another file.")


def _same(target: Path, name: str) -> bool:
    with suppress(OSError, ValueError):
        return target.samefile(name)
    return False


def save_table(table: Any, out: str | None, *, index: bool = False) -> None:
    """Write a table to the file of --out, if there is one, and say if spreadsheets would have executed some of its text."""
    if out is None:
        return
    from ..spreadsheet import csv_text, formulas_note

    text, quoted = csv_text(table, index=index)
    write_file(out, text.encode("utf-8", "backslashreplace"))
    if quoted:
        print_notes([formulas_note(out, quoted)])


def law_options(texts: Sequence[str] | None) -> dict[str, Any]:
    """Read the NAME=VALUE strings of --option; numbers, true and false are converted."""
    return {name: _option_value(text) for name, text in pairs("--option", texts).items()}


def _option_value(text: str) -> Any:
    if text in ("true", "false"):
        return text == "true"
    try:
        return int(text) if text.isdecimal() else float(text)
    except ValueError:
        return text


def columns_with_run(column: Sequence[str] | None, run: str | None) -> dict[str, str] | None:
    """Return the pairs of --column and the column of --run, or None if neither is given."""
    found = pairs("--column", column)
    if run is not None:
        if "run" in found and found["run"] != run:
            raise InputError(f"--run {run} and --column run={found['run']} name two columns for the runs; give one.")
        found["run"] = run
    return found or None


def names_of(option: str, text: str | None) -> tuple[str, ...]:
    """Read column names separated by commas."""
    names = tuple(name.strip() for name in (text or "").split(","))
    if text is None:
        return ()
    if not all(names):
        raise InputError(f"{option} takes names of columns separated by commas, e.g. lr,batch_tokens. Got '{text}'.")
    return names


def pairs(option: str, texts: Sequence[str] | None) -> dict[str, str]:
    """Read NAME=VALUE strings of a repeatable option; a ValueError names the option and shows the form."""
    found: dict[str, str] = {}
    for text in texts or ():
        name, equals, value = text.partition("=")
        if not equals or not name.strip() or not value.strip():
            raise InputError(f"{option} takes NAME=VALUE. Got '{text}'.")
        if name.strip() in found:
            raise InputError(f"{option} gives '{name.strip()}' twice.")
        found[name.strip()] = value.strip()
    return found
