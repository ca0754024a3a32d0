"""The `bayescale` command line: parsing, exit codes, and the commands in the order of the work."""

import contextlib
import gc
import os
import sys
import traceback
from importlib import import_module
from keyword import iskeyword
from typing import Any

import typer
from typer.exceptions import TyperException

from ..errors import InputError
from .blocks import expanded
from .leaving import INTERRUPTED, TERMINATED, StdoutClosed, Terminated, safe_streams, terminable
from .output import print_error, print_json
from .saved import CheckFailed

_COMMANDS = {
    "quickstart": "bayescale.cli.quickstart",
    "import": "bayescale.cli.imports",
    "fit": "bayescale.cli.fit",
    "check": "bayescale.cli.fit",
    "forecast": "bayescale.cli.forecast",
    "allocate": "bayescale.cli.allocate",
    "cheapest": "bayescale.cli.cheapest",
    "worth": "bayescale.cli.cheapest",
    "explain": "bayescale.cli.explain",
    "overhead": "bayescale.cli.overhead",
    "pareto": "bayescale.cli.pareto",
    "plot": "bayescale.cli.plot",
    "report": "bayescale.cli.report",
    "compare-approaches": "bayescale.cli.approaches",
    "compare": "bayescale.cli.compare",
    "backtest": "bayescale.cli.backtest",
    "fit-breaks": "bayescale.cli.breaks",
    "sbc": "bayescale.cli.sbc",
    "models": "bayescale.cli.lists",
    "datasets": "bayescale.cli.lists",
    "recipes": "bayescale.cli.recipes",
}

_OBJECTS = 100_000  # made between two looks for garbage: with Python's 700 (2,000), a tenth of the time of all imports goes into them

_HELP = """Bayesian neural scaling laws: from a table of training runs to a decision.

Import logs into a table, fit RUNS, compare the laws, forecast larger runs, then decide: allocate a budget, find the cheapest plan that
reaches a loss, or find the plan that is worth its cost.

What the numbers mean: params, tokens and FLOP are raw counts (written as 70B, 1.4T or 5.76e23); compute is
6 x params x tokens for runs and plans alike; loss is in the unit of the runs (--loss-unit labels it). `loss` is for a new
run, `expected` for the law's curve. Bands are equal-tailed, 90% unless --band says otherwise.

Every command takes --json. Exit codes: 0 done, 1 check failed, 2 bad input, 3 internal error;
130 interrupted, 141 stdout closed, 143 terminated.
"""


def build_app() -> typer.Typer:
    """Return the application with all commands."""
    app = typer.Typer(
        help=_HELP,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    app.callback(invoke_without_command=True)(_version)
    for name, module in _COMMANDS.items():
        function = f"{name}_" if iskeyword(name) else name.replace("-", "_")
        app.command(name)(expanded(getattr(import_module(module), function)))
    return app


def _version(
    version: bool = typer.Option(False, "--version", is_eager=True, help="Print the version.", callback=None),
) -> None:
    if version:
        from .. import __version__

        typer.echo(f"bayescale {__version__}")
        raise typer.Exit


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit; a user's mistake prints a few lines, an internal error its name."""
    words = sys.argv[1:] if arguments is None else arguments
    gc.set_threshold(_OBJECTS)
    with terminable(), safe_streams():
        try:
            code = _called(words)
            sys.stdout.flush()  # here, because Python would complain at its very end
        except TyperException as error:
            if not words:  # the bare command shows the help
                sys.stdout.write(error.format_message() + "\n")
                raise SystemExit(2) from None
            _leave(2, f"{error.format_message()}\nSee `bayescale --help`, and --help after a command.", words)
        except (KeyboardInterrupt, typer.Abort, EOFError):
            _leave(INTERRUPTED, "interrupted; no file is half-written", [])
        except Terminated:
            _leave(TERMINATED, "terminated; no file is half-written", [])
        except StdoutClosed as error:
            _leave(error.code, str(error), [])
        except CheckFailed as error:
            _leave(1, str(error), words)
        except InputError as error:
            _leave(2, str(error), words)
        except OSError as error:
            _leave(2, ": ".join(str(part) for part in (error.strerror or error, error.filename) if part), words)
        except Exception as error:
            if os.environ.get("BAYESCALE_DEBUG"):
                traceback.print_exc()
            _leave(
                3,
                f"internal error, {type(error).__name__}: {error}\nRun again with BAYESCALE_DEBUG=1 and report the traceback.",
                words,
            )
    raise SystemExit(code)


def _called(words: list[str]) -> int:
    """Run one command and return its exit code. The parser's own `main` would turn a closed stdout into code 1, a failed check."""
    command = typer.main.get_command(build_app())
    try:
        with command.make_context("bayescale", list(words)) as context:
            command.invoke(context)
    except typer.Exit as left:
        return left.exit_code
    return 0


def _leave(code: int, message: str, words: list[str]) -> Any:
    if os.environ.get("BAYESCALE_DEBUG") and code == 2:
        traceback.print_exc()
    print_error(message)
    if "--json" in words:
        with contextlib.suppress(StdoutClosed):
            print_json({"error": message, "exit": code})
            sys.stdout.flush()
    raise SystemExit(code)
