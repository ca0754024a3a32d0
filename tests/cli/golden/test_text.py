"""What commands print for people: it fits the width, and its numbers are readable. The fits and words are those of the golden answers."""

import re

import pandas as pd
import pytest
from rich.cells import cell_len
from test_golden import COMMANDS

from bayescale.cli import output
from bayescale.cli.fitted import print_checks
from bayescale.cli.rates import print_rates
from bayescale.cli.tables import table_lines

# One for each form of output; the others print by the same functions.
NAMES = (
    "allocate-two-budgets",
    "allocate-max-epochs",
    "allocate-usd-demand",
    "allocate-experts",
    "allocate-profile",
    "worth-point",
    "explain-average",
    "overhead",
    "pareto-cvar",
    "forecast",
    "forecast-average",
)
OTHERS = {
    "check": "check SMALL",
    "models": "models",
    "datasets": "datasets",
    "recipes": "recipes",
    "recipes-plan": "recipes --params 7e9 --tokens 2T",
    "recipes-name": "recipes llama-2-7b",
}
_NUMBER = re.compile(r"(?<![\w.:/-])\d[\d,]*(?:\.\d+)?(?:e-?\d+)?")


@pytest.mark.parametrize("name", [*NAMES, *OTHERS])
def test_text_fits_and_reads(name, files, fit_file, run, monkeypatch):
    tables = []

    def laid_out(columns, rows, width, *, numeric):
        for other in (120, 60):
            lines = table_lines(columns, rows, other, numeric=numeric)
            assert max(map(cell_len, lines)) <= other, "a table fits narrow and wide terminals too"
        tables.append(table_lines(columns, rows, width, numeric=numeric))
        return tables[-1]

    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(output, "table_lines", laid_out)
    words = (OTHERS | COMMANDS)[name].split()
    code, out, err = run(*((files | {"SMALL": fit_file}).get(word, word) for word in words))
    assert code == 0, err
    assert "\x1b" not in out, "no colours in a pipe"
    wide = [line for line in out.splitlines() if cell_len(line) > 80]
    assert not wide, wide
    assert not [line for line in out.splitlines() if line != line.rstrip()]
    assert tables and not re.search(r"(?<![\w.])0\.000(?!\d)", out), "a value above zero is never written as zero"
    assert not re.search(r"\de[+]\d|\de-0\d", out), "numbers are written as people write them"
    for line in (line for table in tables for line in table[1:]):
        for number in _NUMBER.findall(line):
            digits = re.sub(r"e-?\d+|\D", "", number).lstrip("0")
            assert len(digits) <= 7, f"{number} in: {line}"


def test_the_check_of_an_average_is_one_table(capsys):
    rows = [{"severity": "warn", "value": 0.5, "threshold": 1.0, "passed": True, "advice": ""} | {"name": f"{law}: {name}"}
            for law in ("one", "two") for name in ("rhat", "explained")]  # fmt: skip
    rows[3] |= {"passed": False, "advice": "Look."}
    print_checks(pd.DataFrame(rows), {"one": 0.4, "two": 0.6})
    verdict, _, *table, advice = capsys.readouterr().out.splitlines()
    assert verdict == "Check passed, with 1 warning." and advice == "  WARN explained: Law 'two' (weight 0.60): Look."
    assert [line.split() for line in table] == [["one", "two"], ["rhat", "ok", "ok"], ["explained", "ok", "WARN"]]


def test_what_holds_for_both_budgets_is_said_once(files, run):
    code, out, _ = run("allocate", files["PLAIN"], "--flops", "1e22", "--flops", "3e22")
    flat = " ".join(out.split())
    assert code == 0 and flat.count("decades beyond the largest fitted run") == 1
    assert re.search(r"\d\.\d to \d\.\d decades beyond", flat)
    assert out.index("params") < out.index("Expected regret:") < out.index("decades beyond"), "the answer first"


def test_best_rates_fit_and_read(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    edges = {"lr": 1.5e-4, "batch_tokens": 1.05e6}
    row = {"params": 29533901585.673, "tokens": 1.4e12, **{f"{name}_median": value for name, value in edges.items()}}
    row |= {
        f"{name}_{edge}": value * factor
        for name, value in edges.items()
        for edge, factor in (("lower", 0.7), ("upper", 1.4))
    }
    row |= {"probability": 0.9, "extrapolation_decades": 1.25, "warning": "It lies 1.2 decades beyond the runs."}
    print_rates(pd.DataFrame([row, row], index=["the-first-big-model-of-the-spring-plan", "b"]))
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80 and out.count("beyond the runs") == 1
    assert "29.5B" in out and "1.5e-4" in out and "1.05e-4 to 2.1e-4" in out and "735k-1.47M" in out
