"""MLflow file store `mlruns/`, read without MLflow, which refuses it by default from version 3 on."""

from pathlib import Path

from ...runs.problems import counted
from ..format import Format
from ..log import FINISHED, Log, number_of, series_of
from ..resumed import Point, in_order
from .reading.safe import Unreadable, inside, read_bytes, read_text, read_yaml, walk

TITLE = "mlflow file store"
STATES = {1: "RUNNING", 2: "SCHEDULED", 3: "FINISHED", 4: "FAILED", 5: "KILLED"}
_NO_STEPS = "All steps are 0: the code did not pass step=, so the steps of the points are unknown."
_MOST_PARAM = 10_000  # bytes of a parameter's file


def recognises(path: Path) -> bool:
    """Return whether the folder holds runs, holds experiments with runs, or is itself a run."""
    return path.is_dir() and bool(_runs(path, quick=True))


def read(path: Path) -> list[Log]:
    """Return the runs; deleted ones are left out."""
    logs = []
    for run in _runs(path):
        try:
            logs.append(_read_run(run, path))
        except Unreadable as error:
            logs.append(Log(run.name, f"{run.parent.name}/{run.name}", TITLE, left_out=str(error)))
    return logs


def _is_run(folder: Path) -> bool:
    return (folder / "meta.yaml").is_file() and ((folder / "metrics").is_dir() or (folder / "params").is_dir())


def _runs(path: Path, *, quick: bool = False) -> list[Path]:
    if _is_run(path):
        return [path]
    found = []
    for experiment in [path, *sorted(item for item in path.iterdir() if item.is_dir() and not item.is_symlink())]:
        if experiment is not path and not (experiment / "meta.yaml").is_file():
            continue
        for run in sorted(item for item in experiment.iterdir() if item.is_dir() and not item.is_symlink()):
            if _is_run(run):
                found.append(run)
                if quick:
                    return found
    return found


def _read_run(folder: Path, root: Path) -> Log:
    meta = read_yaml(folder / "meta.yaml")
    if not isinstance(meta, dict):
        raise Unreadable(f"{folder.name}/meta.yaml does not describe a run.")
    notes: list[str] = []
    points: list[Point] = []
    config = {}
    for file in _files(folder / "params", root):
        if file.stat().st_size <= _MOST_PARAM:  # longer ones are prompts and the like
            config[file.relative_to(folder / "params").as_posix()] = read_bytes(file).decode("utf-8", "replace").strip()
    for file in _files(folder / "metrics", root):
        key = file.relative_to(folder / "metrics").as_posix()
        found, bad = _points(file)
        points += [Point(time, step, {key: value}) for time, step, value in found]
        if bad:
            notes.append(
                f"{counted(bad, 'line')} of metric '{key}' {'is' if bad == 1 else 'are'} cut off, and skipped."
            )
    name_file = folder / "tags" / "mlflow.runName"
    name = str(meta.get("run_name") or "") or (read_text(name_file, _MOST_PARAM).strip() if name_file.is_file() else "")
    rows, went_back = in_order(points, name or folder.name)
    series = series_of(rows)
    notes += went_back
    family = folder / "tags" / "family"
    if family.is_file():
        config.setdefault("family", read_text(family, _MOST_PARAM).strip())
    state = STATES.get(int(number_of(meta.get("status")) or 0), "")
    deleted = meta.get("lifecycle_stage") == "deleted"
    notes += [_NO_STEPS] if series and all(not steps.any() for steps, _ in series.values()) else []
    return Log(
        run=name or folder.name,
        source=f"{folder.parent.name}/{folder.name}",
        format=TITLE,
        series=series,
        config=config,
        state=FINISHED if state == "FINISHED" else f"status is {state}" if state else "",
        left_out="lifecycle_stage is deleted" if deleted else "",
        notes=tuple(notes),
    )


def _files(folder: Path, root: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return [part / name for part, _, names in walk(folder) for name in names if inside(part / name, root)]


def _points(file: Path) -> tuple[list[tuple[float, float, float]], int]:
    """Return (time, step, value) of `<ms> <value> <step>` lines; very old lines lack the step, newer ones add a data set."""
    rows, bad = [], 0
    for line in read_text(file).split("\n"):
        parts = line.split(" ")
        if len(parts) < 2:
            bad += bool(line.strip())
            continue
        time, value, step = number_of(parts[0]), number_of(parts[1]), number_of(parts[2]) if len(parts) > 2 else 0.0
        if time is None or value is None or step is None:
            bad += 1
        else:
            rows.append((time, step, value))
    return rows, bad


FORMAT = Format("mlflow", TITLE, recognises, read, rank=60, on_folders=True, holds_runs=True)
