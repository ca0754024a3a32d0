"""`bayescale quickstart`."""

import contextlib
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from .allocations import as_records, print_allocations
from .fitted import laws_of, print_check, print_laws
from .forecast import print_bands, records
from .options import Json
from .output import print_json, print_text


def quickstart(
    directory: Annotated[str, typer.Option("--dir", help="Folder for the fit, tables and pictures.")] = "quickstart",
    json_: Json = False,
) -> None:
    """Fit the bundled runs, forecast those held out, allocate three budgets and draw two pictures, in about a minute."""
    from ..quickstart import SMOOTH, run

    start = time.perf_counter()
    with contextlib.redirect_stdout(sys.stderr):
        result = run(Path(directory), tell=lambda line: print(line, file=sys.stderr, flush=True))
    seconds = time.perf_counter() - start
    if json_:
        print_json(
            {
                "quickstart": {
                    "seconds": round(seconds, 1),
                    "files": [str(path) for path in result["files"]],
                    "forecasts": {
                        family: records(table, ["params", "tokens"]) for family, table in result["bands"].items()
                    },
                    "scores": result["scores"],
                    "scores_textbook": result["textbook"],
                    "allocations": as_records(result["allocation"]),
                }
            }
        )
        return
    _print(result, SMOOTH, seconds)


def _print(result: dict[str, Any], smooth: str, seconds: float) -> None:
    from ..posterior.check import open_checks

    idata = result["fits"][smooth]
    print_laws(idata, laws_of(idata))
    print_check(open_checks(idata))
    print_text("")
    print_bands(result["bands"][smooth], idata.attrs["loss_unit"])
    print_text("")
    for family in result["fits"]:
        print_text(_verdict(family, result))
    (other,) = (family for family in result["fits"] if family != smooth)
    print_text(
        f"In {other} a capability appears that hardly any smaller run showed. Ten next bytes exactly right: fitted runs up to "
        f"{result['copying']['fitted']:.1%}; {_copied(other, result)}. A band assumes that the law continues to hold, within its "
        "drift; it cannot rule out that larger runs learn something new.\n"
    )
    print_allocations(result["allocation"], idata.attrs["loss_unit"], 0.02)
    print_text(f"\nWritten in {seconds:.0f} s: {', '.join(str(path) for path in result['files'])}")


def _copied(family: str, result: dict[str, Any]) -> str:
    """Describe the exact match of the runs outside their band and of those inside."""
    inside = result["bands"][family]["inside"].astype(bool)
    parts = {"outside": inside.index[~inside], "inside": inside.index[inside]}
    return ", ".join(
        f"runs {side} their band {', '.join(f'{result["copying"][str(name)]:.1%}' for name in names)}"
        for side, names in parts.items()
        if len(names)
    )


def _verdict(family: str, result: dict[str, Any]) -> str:
    ours, plain = result["scores"][family], result["textbook"][family]
    table = result["bands"][family]
    outside = [str(name) for name in table.index[~table["inside"].astype(bool)]]
    missed = f" Outside: {', '.join(outside)}." if outside else ""
    return (
        f"{family}: {ours['inside']} of {ours['plans']} larger runs lie inside their {ours['probability']:.0%} band; the textbook "
        f"posterior (no fade, no drift) covers {plain['inside']} of {plain['plans']}. Interval score {ours['interval_score']:.1f} against "
        f"{plain['interval_score']:.1f} (lower is better).{missed}"
    )
