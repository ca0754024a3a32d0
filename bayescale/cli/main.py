"""The `bayescale` command line: parsing, exit codes, and the commands in the order of the work."""

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
    "compare-approaches": "bayescale.cli.approaches",
    "fit-breaks": "bayescale.cli.breaks",
    "models": "bayescale.cli.lists",
    "datasets": "bayescale.cli.lists",
    "recipes": "bayescale.cli.recipes",
}

_INTERRUPTED = 130

_HELP = """Bayesian neural scaling laws: from a table of training runs to a decision.

Import logs into a table, fit RUNS, check the fit, forecast larger runs, then decide: allocate a budget, find the cheapest plan that
reaches a loss, or find the plan that is worth its cost.

What the numbers mean: params, tokens and FLOP are raw counts (written as 70B, 1.4T or 5.76e23); compute is
6 x params x tokens for runs and plans alike; loss is in the unit of the runs (--loss-unit labels it). `loss` is for a new
run, `expected` for the law's curve. Bands are equal-tailed, 90% unless --band says otherwise.

Every command takes --json. Exit codes: 0 done, 1 check failed, 2 bad input, 3 internal error.
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
    try:
        # Not standalone: the parser's own errors are handled here, so that --json applies to them too.
        code = build_app()(args=words, prog_name="bayescale", standalone_mode=False)
        if code == _INTERRUPTED:  # the parser turns Ctrl-C into this code
            raise KeyboardInterrupt
        raise SystemExit(code if isinstance(code, int) else 0)
    except TyperException as error:
        if not words:  # the bare command shows the help
            sys.stdout.write(error.format_message() + "\n")
            raise SystemExit(2) from None
        _leave(2, f"{error.format_message()}\nSee `bayescale --help`, and --help after a command.", words)
    except (KeyboardInterrupt, typer.Abort):
        print_error("interrupted; nothing was written")
        raise SystemExit(_INTERRUPTED) from None
    except CheckFailed as error:
        _leave(1, str(error), words)
    except InputError as error:
        _leave(2, str(error), words)
    except OSError as error:
        _leave(2, f"{error.strerror or error}: {error.filename or ''}", words)
    except Exception as error:
        if os.environ.get("BAYESCALE_DEBUG"):
            traceback.print_exc()
        _leave(
            3,
            f"internal error, {type(error).__name__}: {error}\nRun again with BAYESCALE_DEBUG=1 and report the traceback.",
            words,
        )


def _leave(code: int, message: str, words: list[str]) -> Any:
    if os.environ.get("BAYESCALE_DEBUG") and code == 2:
        traceback.print_exc()
    print_error(message)
    if "--json" in words:
        print_json({"error": message, "exit": code})
    raise SystemExit(code)
