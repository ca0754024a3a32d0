"""Aim `metric.dataframe()` as CSV: points in long form, with the split in a context column."""

from pathlib import Path

from ..format import Format
from ..log import Log, number_of, series_of
from ..resumed import Point, in_order, time_of
from .reading.tables import header, is_blank_text, read_csv

TITLE = "aim"


def recognises(path: Path) -> bool:
    """Return whether the file has Aim's columns."""
    return path.suffix.lower() == ".csv" and {"run.hash", "metric.name", "step", "value"} <= set(header(path))


def read(path: Path) -> list[Log]:
    """Return its runs."""
    frame = read_csv(path)
    contexts = [str(name) for name in frame if str(name).startswith("metric.context.")]
    logs = []
    for identity, points in frame.groupby("run.hash", sort=False):
        found: list[Point] = []
        for record in points.to_dict(orient="records"):
            cells = {str(key): cell for key, cell in record.items()}
            context = "/".join(str(cells[name]) for name in contexts if not is_blank_text(cells[name]))
            step = number_of(cells["step"])
            if step is not None:
                name = f"{context}/{cells['metric.name']}" if context else str(cells["metric.name"])
                found.append(Point(time_of(cells.get("time")), step, {name: cells["value"]}))
        rows, notes = in_order(found, f"{path.name} {identity}")
        first = {str(name): cell for name, cell in points.iloc[0].items()}
        config = {
            name.removeprefix("run.").removeprefix("hparams."): cell
            for name, cell in first.items()
            if name.startswith("run.") and name != "run.hash" and not is_blank_text(cell)
        }
        name = str(config.pop("name", "") or identity)
        logs.append(
            Log(
                run=name,
                source=f"{path.name} {identity}",
                format=TITLE,
                series=series_of(rows),
                config=config,
                notes=notes,
            )
        )
    return logs


FORMAT = Format("aim", TITLE, recognises, read, rank=150)
