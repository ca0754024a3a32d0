"""Compare our laws with a table of published values: columns law, quantity, inputs (JSON), expected, rel_tol.

    python benchmarks/law_checks.py [FILE.csv]

Prints one line per row and a count. Exits with 1 if a row failed or is unknown, with 2 if the file cannot be read. Rows are *listed* if
there is a known reason why they cannot be computed yet.
"""

import csv
import inspect
import json
import math
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
from law_table import TABLE

COLUMNS = ("law", "quantity", "inputs", "expected", "rel_tol")
LISTED: dict[tuple[str, str], str] = {}  # rows that cannot be computed yet, and why
LAWS_IN_LOGS = ("chinchilla", "data_constrained")  # where a, b, e are the natural logs of A, B, E
LOGS = {"a": "A", "b": "B", "e": "E"}


def plain(quantity: str) -> str:
    """The quantity without the part that names the source of its value."""
    return "rmsle" if quantity.startswith("rmsle_") else quantity.removesuffix("_printed")


def arguments(law: str, names: dict[str, str | None], inputs: dict[str, Any]) -> dict[str, Any]:
    """The inputs of a row under our names, constants given as logs exponentiated."""
    if law in LAWS_IN_LOGS:
        inputs = {LOGS.get(key, key): math.exp(value) if key in LOGS else value for key, value in inputs.items()}
    return {names.get(key) or key: value for key, value in inputs.items() if names.get(key, key) is not None}


def check(row: dict[str, Any]) -> tuple[str, str]:
    """Status of a row (checked, failed, listed, unknown), and a note on it."""
    law, quantity = row["law"], plain(row["quantity"])
    if (law, quantity) in LISTED:
        return "listed", LISTED[law, quantity]
    if quantity not in TABLE.get(law, {}):
        return "unknown", "none of our functions is named for it"
    function, names = TABLE[law][quantity]
    try:
        given = arguments(law, names, row["inputs"])
    except (ArithmeticError, TypeError) as wrong:
        return "failed", f"{type(wrong).__name__}: {wrong}"
    try:
        inspect.signature(function).bind(**given)
    except TypeError as wrong:
        return "unknown", f"our function takes other inputs: {wrong}"
    try:
        got = float(function(**given))
    except (ArithmeticError, LookupError, TypeError, ValueError) as wrong:
        return "failed", f"{type(wrong).__name__}: {wrong}"
    error = abs(got - row["expected"]) / (abs(row["expected"]) or 1.0)
    text = f"got {got:.10g}, expected {row['expected']:.10g}, relative error {error:.1e}, allowed {row['rel_tol']:g}"
    return ("checked" if error <= row["rel_tol"] else "failed"), text


def read(path: Path) -> list[dict[str, Any]]:
    """Rows of a file; raise ValueError with what is wrong and where."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = list(csv.reader(file, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as wrong:
        raise ValueError(f"{path} cannot be read: {wrong}") from None
    header = lines[0] if lines else []
    if missing := [name for name in COLUMNS if name not in header]:
        raise ValueError(f"{path} lacks {', '.join(missing)}. It has {', '.join(header) or 'nothing'}.")
    rows = []
    for number, cells in enumerate(lines[1:], 2):
        if not cells:
            continue
        if len(cells) != len(header):
            raise ValueError(f"{path}, row {number}: {len(header)} cells are needed. Got {len(cells)}.")
        rows.append(_parsed(dict(zip(header, cells, strict=True)), f"{path}, row {number}"))
    if not rows:
        raise ValueError(f"{path} has no rows.")
    return rows


def _parsed(row: dict[str, Any], where: str) -> dict[str, Any]:
    try:
        inputs = json.loads(row["inputs"])
    except json.JSONDecodeError as wrong:
        raise ValueError(f"{where}: `inputs` is not JSON: {wrong}") from None
    if not isinstance(inputs, dict):
        raise ValueError(f"{where}: `inputs` must be a JSON object. Got {row['inputs']!r}.")
    numbers = {}
    for name in ("expected", "rel_tol"):
        try:
            numbers[name] = float(row[name])
        except ValueError:
            raise ValueError(f"{where}: `{name}` must be a number. Got {row[name]!r}.") from None
        if not math.isfinite(numbers[name]) or (name == "rel_tol" and numbers[name] <= 0):
            raise ValueError(f"{where}: `{name}` must be finite, and a tolerance positive. Got {row[name]!r}.")
    return {**row, "inputs": inputs, **numbers}


def main(words: list[str]) -> int:
    """Check the given file, print the results, and return the exit code."""
    if len(words) > 1 or any(word.startswith("-") for word in words):
        print("usage: python benchmarks/law_checks.py [FILE.csv]", file=sys.stderr)
        return 2
    shared = Path(os.environ.get("BAYESCALE_SHARED", Path(__file__).resolve().parents[1] / "../shared"))
    try:
        rows = read(Path(words[0]) if words else shared / "law_checks.csv")
    except ValueError as wrong:
        print(wrong, file=sys.stderr)
        return 2
    counts = dict.fromkeys(("checked", "failed", "listed", "unknown"), 0)
    for row in rows:
        with np.errstate(all="ignore"):
            status, text = check(row)
        counts[status] += 1
        print(f"{'ok' if status == 'checked' else status:8} {row['law']}.{row['quantity']}: {text}")
    print(", ".join(f"{status} {count}" for status, count in counts.items()))
    return int(counts["failed"] + counts["unknown"] > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
