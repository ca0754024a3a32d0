"""The runs that were fitted: how many, from where, over which range, and the largest of them."""

import json
from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr

from ...laws.law import compute
from ...posterior import one_fit
from ...runs.problems import counted
from ..findings import Findings
from ..page import Block, Bullets, Picture, Section, Table, Text
from ..units import between, count, flop, level, number
from .records import records

_LISTED = 25
_REASONS = 5


def fitted_runs(idata: xr.DataTree) -> pd.DataFrame:
    """Return the fitted runs, the largest first: their names, inputs of all laws, response, and compute if they have params and tokens."""
    from ...posterior import fits_of
    from ...spec.noise import from_link

    one, fits = one_fit(idata), fits_of(idata)
    observed = next(iter(one["observed_data"].data_vars.values()))
    spec, data = fits[0].spec, one["constant_data"]
    table = pd.DataFrame({"run": data["run"].to_numpy().astype(str)})
    for column in dict.fromkeys(column for fit in fits for column in fit.spec.inputs.values()):
        if column in data:
            table[column] = data[column].to_numpy().astype(float)
    if {"params", "tokens"} <= set(table):
        table["flops"] = compute(table["params"], table["tokens"])
    if spec.response in data:
        table[spec.response] = data[spec.response].to_numpy().astype(float)
    elif observed.dims == ("run",):
        table[spec.response] = np.asarray(from_link(spec, observed.to_numpy()), dtype=float)
    size = "flops" if "flops" in table else table.columns[1] if len(table.columns) > 1 else "run"
    return table.sort_values(size, ascending=False, kind="stable", ignore_index=True)


def runs(found: Findings, pictures: Mapping[str, Picture]) -> Section:
    """Return the section on the runs."""
    table = fitted_runs(found.idata)
    attrs = found.idata.attrs
    left_out, dropped = json.loads(attrs.get("left_out", "[]")), json.loads(attrs.get("dropped", "[]"))
    where = [*json.loads(attrs.get("where", "[]")), *([f"family {attrs['family']}"] if attrs.get("family") else [])]
    chosen = f", chosen by {'; '.join(map(str, where))}" if where else ""
    blocks: list[Block] = [
        Text(
            f"{counted(len(table), 'run')} from {attrs.get('source', 'a table')}{chosen}. {_left(left_out, dropped)}".strip()
        ),
        Bullets(tuple(_ranges(found, table))),
    ]
    if "loss" in pictures:
        blocks.append(pictures["loss"])
    head = tuple(table.columns)
    rows = tuple(
        tuple(
            str(value) if column == "run" else _cell(column, float(value), found)
            for column, value in zip(head, row, strict=True)
        )
        for row in table.head(_LISTED).itertuples(index=False)
    )
    more = f"; {len(table) - _LISTED} smaller ones are not listed" if len(table) > _LISTED else ""
    blocks.append(Table(f"The runs, the largest first{more}", tuple(map(_titled, head)), rows))
    return Section("runs", "Runs", tuple(blocks), {"runs": records(table), "left_out": left_out, "dropped": dropped})


def _titled(column: str) -> str:
    return "compute, FLOP" if column == "flops" else column


def _cell(column: str, value: float, found: Findings) -> str:
    if column == "flops":
        return flop(value)
    if column == found.response:
        return level(value)
    return count(value) if abs(value) >= 1000 else number(value)


def _ranges(found: Findings, table: pd.DataFrame) -> list[str]:
    """Return the range of each column in words."""
    said = []
    for column in table.columns[1:]:
        low, high = float(table[column].min()), float(table[column].max())
        write = level if column == found.response else flop if column == "flops" else count
        unit = f" {found.unit}" if column == found.response and found.unit else ""
        span = f", {np.log10(high / low):.1f} decades" if column == "flops" and high > low > 0 else ""
        said.append(f"{_titled(column)}: {between(low, high, write) if high > low else write(low)}{unit}{span}")
    if {"params", "tokens"} <= set(table):
        ratio = table["tokens"] / table["params"]
        said.append(
            f"tokens per parameter: {between(float(ratio.min()), float(ratio.max()), lambda one: number(one, 3))}"
        )
    return said


def _left(left_out: list[dict[str, str]], dropped: list[object]) -> str:
    said = []
    if left_out:
        reasons = pd.Series([str(row.get("reason", "")) for row in left_out]).value_counts()
        listed = "; ".join(f"{reason} ({number})" for reason, number in reasons.head(_REASONS).items())
        more = f"; {len(reasons) - _REASONS} more reasons" if len(reasons) > _REASONS else ""
        said.append(
            f"{counted(len(left_out), 'row')} of the table {'was' if len(left_out) == 1 else 'were'} left out: {listed}{more}."
        )
    if dropped:
        said.append(f"{counted(len(dropped), 'row')} with problems {'was' if len(dropped) == 1 else 'were'} dropped.")
    return " ".join(said)
