"""`bayescale import`."""

import os
import shlex
import sys
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from ..errors import InputError
from .options import Json
from .output import print_json, print_notes, print_table, print_text

_OUT = "runs.csv"
_LISTED = 20
_NAMED = 6


def import_(
    sources: Annotated[list[str], typer.Argument(help="Log files, folders or globs; formats may be mixed.")],
    out: Annotated[
        str | None,
        typer.Option(help="Where to write the table; checkpoints and report go next to it. Default: runs.csv."),
    ] = None,
    format: Annotated[
        str | None, typer.Option(help="Read all sources as this format instead of recognising it.")
    ] = None,
    params: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COUNT|RUN=COUNT",
            help="Params of runs that logged none, e.g. 12M; m70*=50M overrides the log; repeatable.",
        ),
    ] = None,
    params_kind: Annotated[str | None, typer.Option(help="What params count: total, non-embedding or active.")] = None,
    batch_tokens: Annotated[
        list[str] | None,
        typer.Option(metavar="COUNT|RUN=COUNT", help="Tokens per update over all ranks, if not logged; repeatable."),
    ] = None,
    sequence: Annotated[
        list[str] | None,
        typer.Option(metavar="COUNT|RUN=COUNT", help="Tokens per sequence, if not logged; repeatable."),
    ] = None,
    unique_tokens: Annotated[
        list[str] | None, typer.Option(metavar="COUNT|RUN=COUNT", help="Distinct tokens of repeated data; repeatable.")
    ] = None,
    eval_set: Annotated[
        str | None, typer.Option(help="Evaluation set of the loss, e.g. c4, or c4,any to fall back on a run's own.")
    ] = None,
    loss_unit: Annotated[
        str | None, typer.Option(help="Unit of the logged losses: nats/token, nats/byte or bits/byte.")
    ] = None,
    bytes_per_token: Annotated[float | None, typer.Option(help="Converts bits per byte to nats per token.")] = None,
    loss_factor: Annotated[
        list[str] | None,
        typer.Option(metavar="NUMBER|RUN=NUMBER", help="Multiplies the loss, e.g. if a sum was logged; repeatable."),
    ] = None,
    step_is: Annotated[str | None, typer.Option(help="What W&B's _step counts: updates or calls.")] = None,
    training_loss: Annotated[
        bool, typer.Option("--training-loss", help="Take training losses from logs that have no others.")
    ] = False,
    name: Annotated[str | None, typer.Option(help="Columns in run names, e.g. 'N{params}_D{tokens}'.")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="[RUN:]COLUMN=VALUE", help="A value for all runs or for some; repeatable."),
    ] = None,
    map_: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="COLUMN=KEY", help="Read COLUMN from this key of the logs; repeatable."),
    ] = None,
    unfinished: Annotated[
        str | None, typer.Option(help="leave-out, or keep as checkpoints. Default: leave-out.")
    ] = None,
    leave_out: Annotated[
        list[str] | None, typer.Option(metavar="RUN", help="Leave out this run, or a pattern; repeatable.")
    ] = None,
    task: Annotated[str | None, typer.Option(help="Task of evaluation results.")] = None,
    metric: Annotated[str | None, typer.Option(help="Metric of evaluation results.")] = None,
    join: Annotated[
        list[str] | None, typer.Option(metavar="MODEL=RUN", help="Which run an evaluated model is; repeatable.")
    ] = None,
    sheet: Annotated[str | None, typer.Option(help="Sheet of a workbook.")] = None,
    decimal: Annotated[str | None, typer.Option(help="Decimal mark of text tables: . or ,")] = None,
    mapping: Annotated[str | None, typer.Option(help="TOML file of answers, from --save-mapping.")] = None,
    save_mapping: Annotated[str | None, typer.Option(help="Save the answers to this TOML file.")] = None,
    json_: Json = False,
) -> None:
    """Import runs from the logs that you have: W&B, Trainer, TensorBoard, MLflow, Megatron, spreadsheets and others.

    Writes RUNS.csv, RUNS.checkpoints.csv and RUNS.import.json, which says where every number comes from. The command asks for
    everything that no log contains, all at once: interactively in a terminal, otherwise as a list of the options to add (exit 2).
    """
    from ..importers.interpret.answers import ImportAnswers, load_mapping, mapping_text, merged
    from ..importers.typed_answers import by_run, sets
    from ..importers.write import check_own, paths, write

    if out is None:
        out = _OUT
        check_own(paths(out))
    _check_out(out, save_mapping, sources, format, paths(out))
    given = {
        "params": by_run("--params", params),
        "params_kind": params_kind,
        "batch_tokens": by_run("--batch-tokens", batch_tokens),
        "sequence": by_run("--sequence", sequence),
        "unique_tokens": by_run("--unique-tokens", unique_tokens),
        "eval_set": eval_set,
        "loss_unit": loss_unit,
        "bytes_per_token": bytes_per_token,
        "loss_factor": by_run("--loss-factor", loss_factor),
        "step_is": step_is,
        "training_loss": training_loss or None,
        "name": name,
        "set": sets(set_),
        "map": _pairs("--map", map_),
        "unfinished": unfinished,
        "leave_out": tuple(leave_out or ()),
        "task": task,
        "metric": metric,
        "join": _pairs("--join", join),
        "sheet": sheet,
        "decimal": decimal,
    }
    base = load_mapping(mapping) if mapping else ImportAnswers()
    answers = merged(base, {key: value for key, value in given.items() if value is not None})
    imported, answers = _imported(sources, answers, format, json_)
    details = {
        "command": shlex.join(["bayescale", *sys.argv[1:]]),
        "sources": [str(source) for source in sources],
        "answers": mapping_text(answers),
    }
    if save_mapping:
        _save(save_mapping, answers)
    files, notes = write(imported, out, details)
    print_notes(notes)
    report = {
        **imported.report,
        **details,
        **{name: str(path) for name, path in files.items() if name != "runs"},
        "table": str(files["runs"]),
    }
    if json_:
        print_json(report)
    else:
        _print(report, imported.runs)


def _imported(sources: list[str], answers: Any, format: str | None, json_: bool) -> tuple[Any, Any]:
    """Read the sources once and, in a terminal, ask until no question is open; return the import and all answers."""
    from ..importers.importing import OpenQuestions, imported
    from ..importers.interpret.answers import mapping_text
    from ..importers.read import read_logs, reading_options

    given, logs = answers, None
    try:
        while True:
            if logs is None or logs.options != reading_options(answers):
                with _progress() as progress:
                    workers = min(os.cpu_count() or 1, 8)
                    logs = read_logs(sources, answers, format=format, workers=workers, progress=progress)
            try:
                return imported(logs, answers), answers
            except OpenQuestions as error:
                if json_ or not (sys.stdin.isatty() and sys.stderr.isatty()):
                    _leave_open(error, json_)
                for more in _asked(error, answers):
                    answers = more
    except ValueError:
        if answers != given:  # typed answers took work: they must not be lost with the import
            print_text(
                f"Your answers so far; save them to a file and give it with --mapping:\n{mapping_text(answers)}",
                file=sys.stderr,
            )
        raise


def _check_out(out: str, mapping: str | None, sources: list[str], format: str | None, files: dict[str, Any]) -> None:
    """Raise ValueError if a file could not be written, or would replace a file that is read."""
    from pathlib import Path

    from ..files import check_target
    from ..importers.find import find

    written = [*files.values(), *([Path(mapping)] if mapping else [])]
    for path in written:
        check_target(path)
    if len({path.resolve() for path in written}) < len(written):
        raise InputError(f"--save-mapping {mapping} is a file that --out {out} writes; give another file.")
    existing = {path.resolve(): path for path in written if path.exists()}
    if not existing:
        return
    for item in find(sources, format).found:
        if item.path.resolve() in existing:
            path = existing[item.path.resolve()]
            option = f"--save-mapping {mapping}" if mapping and path == Path(mapping) else f"--out {out}"
            raise InputError(f"{option} would overwrite '{path}', which is read; give another file.")


def _pairs(option: str, texts: list[str] | None) -> dict[str, str]:
    from .options import pairs

    return pairs(option, texts)


class _progress:
    """A progress bar on stderr if it is a terminal, otherwise nothing."""

    def __enter__(self) -> Any:
        if not sys.stderr.isatty():
            return None
        from rich.console import Console
        from rich.progress import Progress

        self._bar = Progress(console=Console(stderr=True), transient=True)
        self._bar.start()
        task = self._bar.add_task("reading", total=None)
        return lambda done, total, name: self._bar.update(task, completed=done, total=total, description=name[-30:])

    def __exit__(self, *error: object) -> None:
        if hasattr(self, "_bar"):
            self._bar.stop()


def _leave_open(error: Any, json_: bool) -> None:
    """Print all open questions, each with the option that answers it, and exit with 2."""
    from ..importers.interpret.questions import words_of
    from .output import print_error

    lines = str(error).splitlines()
    print_error(lines[0])
    for line in lines[1:]:
        print_text(f"  {line}", file=sys.stderr)
    print_text(f"Add to the command: {words_of(error.questions)}", file=sys.stderr)
    if json_:
        questions = [question._asdict() for question in error.questions]
        print_json({"error": str(error), "exit": 2, "questions": questions})
    raise typer.Exit(2)


def _asked(error: Any, answers: Any) -> Iterator[Any]:
    """Ask each question on the terminal, and yield the answers after each; an empty line gives up."""
    from ..importers.interpret.questions import line
    from ..importers.typed_answers import with_answer

    print_text(
        f"Values that no log contains: {len(error.questions)}; an empty answer ends the import without writing.",
        file=sys.stderr,
    )
    for question in error.questions:
        print_text(line(question), file=sys.stderr)
        text = typer.prompt(f"  {question.option}", default="", show_default=False, err=True).strip()
        if not text:
            raise error
        while True:
            try:
                answers = with_answer(answers, question, text)
                break
            except ValueError as wrong:
                print_text(f"  {wrong}", file=sys.stderr)
                text = typer.prompt("  again", default="", show_default=False, err=True).strip()
                if not text:
                    raise error from None
        yield answers


def _save(path: str, answers: Any) -> None:
    from ..files import write_file
    from ..importers.interpret.answers import mapping_text

    write_file(path, mapping_text(answers).encode())


def _print(report: dict[str, Any], runs: Any) -> None:
    from ..runs.problems import counted

    keys: dict[str, dict[str, int]] = {}
    for item in report["columns"]:
        found = keys.setdefault(item["column"], {})
        found[item["key"]] = found.get(item["key"], 0) + item["runs"]
    unit = (
        f"{'training ' if report['training_loss'] else ''}loss in {report['loss_unit']}, {report['params_kind']} params"
    )
    formats = ", ".join(f"{count} from {name}" for name, count in report["formats"].items())
    left = len(report["left_out"])
    print_text(
        f"{report['table']}: {counted(len(runs), 'run')}, {unit}. Found {formats}{f'; {left} left out' if left else ''}. "
        f"Checkpoints are in {report['checkpoints']}, the report in {report['report']}."
    )
    rows = [[name, ", ".join(f"{key} ({runs_})" for key, runs_ in found.items())] for name, found in keys.items()]
    print_table("Where the numbers come from", ["column", "key (runs)"], rows, numeric=False)
    if report["left_out"]:
        shown = report["left_out"][:_LISTED]
        print_table("Left out", ["run", "reason"], [[item["run"], item["reason"]] for item in shown], numeric=False)
        if len(report["left_out"]) > _LISTED:
            print_text(f"and {len(report['left_out']) - _LISTED} more, in {report['report']}.")
    for item in report["unread"]:
        print_text(f"Not read: {item['reason']}")
    for item in report["passed_over"][:_LISTED]:
        print_text(f"Skipped: {item}.")
    unknown = report["unknown_files"]
    if unknown:
        more = f" and {len(unknown) - _NAMED} more" if len(unknown) > _NAMED else ""
        print_text(f"Unknown format: {', '.join(unknown[:_NAMED])}{more}.")
    for warning in report["warnings"]:
        print_text(f"Warning: {warning}")
