"""The table of published values: every row comes out, every name of the vocabulary is known, and mistakes are seen."""

import csv
import importlib
import inspect
import json
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
HEADER = "law,quantity,inputs,expected,rel_tol,source\n"
ROW = 'units,perplexity,"{""nats_per_token"": 1.9366}",6.935131393371979,1e-06,definition\n'


@pytest.fixture(scope="module")
def law_checks():
    """The script as a module."""
    sys.path.insert(0, str(BENCHMARKS))
    try:
        yield importlib.import_module("law_checks")
    finally:
        sys.path.remove(str(BENCHMARKS))


@pytest.fixture
def run(law_checks, tmp_path, capsys):
    """Run the script on a text: exit code, last line of the output, errors."""

    def _run(text):
        path = tmp_path / "checks.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        code = law_checks.main([str(path)])
        out, err = capsys.readouterr()
        return code, (out.splitlines() or [""])[-1], err

    return _run


def test_every_row_comes_out(law_checks, checks_file, capsys):
    assert law_checks.main([str(checks_file)]) == 0
    lines = capsys.readouterr().out.splitlines()
    with checks_file.open(encoding="utf-8") as file:
        count = sum(1 for _ in csv.DictReader(file))
    assert len(lines) == count + 1
    assert lines[-1] == f"checked {count}, failed 0, listed 0, unknown 0"


def test_every_name_of_the_vocabulary_is_mapped_with_exactly_its_inputs(law_checks, checks_file):
    with checks_file.with_name("law_vocabulary.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    named = set()
    for row in rows:
        law, quantity = row["law"], law_checks.plain(row["quantity"])
        named.add((law, quantity))
        function, names = law_checks.TABLE[law][quantity]
        inputs = dict.fromkeys(row["inputs"].split(), 1.0)
        given = law_checks.arguments(law, names, inputs)
        assert len(given) == len(inputs) - list(names.values()).count(None)
        parameters = inspect.signature(function).parameters.values()
        assert not [p for p in parameters if p.kind in (p.VAR_KEYWORD, p.VAR_POSITIONAL)], (law, quantity)
        inspect.signature(function).bind(**given)
        for name in given:
            if inspect.signature(function).parameters[name].default is inspect.Parameter.empty:
                with pytest.raises(TypeError):
                    inspect.signature(function).bind(**{key: 1.0 for key in given if key != name})
    ours = {(law, quantity) for law, quantities in law_checks.TABLE.items() for quantity in quantities}
    assert ours - named <= {("kaplan", "L_C")}
    assert set(law_checks.LISTED) <= named


def test_a_wrong_value_fails(run):
    assert run(HEADER + ROW)[:2] == (0, "checked 1, failed 0, listed 0, unknown 0")
    assert run(HEADER + ROW.replace("6.9351", "6.9352"))[:2] == (1, "checked 0, failed 1, listed 0, unknown 0")


@pytest.mark.parametrize(
    ("row", "count"),
    [
        (ROW.replace("perplexity", "perplexity_printed"), "checked 1, failed 0, listed 0, unknown 0"),
        (ROW.replace("perplexity", "perplexities"), "checked 0, failed 0, listed 0, unknown 1"),
        (ROW.replace("units", "unit"), "checked 0, failed 0, listed 0, unknown 1"),
        (ROW.replace("nats_per_token", "bits"), "checked 0, failed 0, listed 0, unknown 1"),
        (ROW.replace("1.9366", '""two""'), "checked 0, failed 1, listed 0, unknown 0"),
        (ROW.replace("1.9366", "NaN"), "checked 0, failed 1, listed 0, unknown 0"),
        ('hp,steplaw_lr,"{""N"": 1e9}",1,1e-6,\n', "checked 0, failed 0, listed 0, unknown 1"),
        (
            'chinchilla,G,"{""a"": 1e9, ""b"": 1, ""e"": 1, ""alpha"": 1, ""beta"": 1}",1,1e-6,\n',
            "checked 0, failed 1, listed 0, unknown 0",
        ),
        ("decision,cvar_sample,{},1,1e-6,\n", "checked 0, failed 0, listed 0, unknown 1"),
        ("decision,mood,{},1,1e-6,\n", "checked 0, failed 0, listed 0, unknown 1"),
    ],
)
def test_status_of_a_row(run, row, count):
    code, last, _ = run(HEADER + row)
    assert last == count
    assert code == int("failed 0" not in count or "unknown 0" not in count)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "lacks law, quantity, inputs, expected, rel_tol. It has nothing."),
        (HEADER, "has no rows"),
        (HEADER.replace("rel_tol", "tolerance") + ROW, "lacks rel_tol"),
        (HEADER + ROW + "units,perplexity\n", "row 3: 6 cells are needed. Got 2."),
        (HEADER + ROW.replace("}", ""), "row 2: `inputs` is not JSON"),
        (
            HEADER + ROW.replace('"{""nats_per_token"": 1.9366}"', "[]"),
            "row 2: `inputs` must be a JSON object. Got '[]'.",
        ),
        (HEADER + ROW.replace("6.9", "about 6.9"), "row 2: `expected` must be a number"),
        (HEADER + ROW.replace("1e-06", "-1"), "row 2: `rel_tol` must be finite, and a tolerance positive. Got '-1'."),
        (HEADER + ROW.replace("6.935131393371979", "inf"), "row 2: `expected` must be finite"),
        (HEADER + ROW.replace('1.9366}"', "1.9366}"), "cannot be read"),
        (HEADER.encode() + b"\xff\xfe\n", "cannot be read"),
    ],
)
def test_a_malformed_file_is_refused_in_words(run, text, message):
    code, out, err = run(text)
    assert code == 2 and message in err and not out
    assert "Traceback" not in err and len(err.splitlines()) == 1


def test_no_such_file_and_bad_usage(law_checks, tmp_path, capsys):
    assert law_checks.main([str(tmp_path / "none.csv")]) == 2
    assert "cannot be read" in capsys.readouterr().err
    assert law_checks.main(["a.csv", "b.csv"]) == law_checks.main(["--help"]) == 2
    assert "usage" in capsys.readouterr().err


def test_columns_may_stand_in_any_order_beside_others(run):
    row = json.dumps({"nats_per_token": 0.0}).replace('"', '""')
    assert run(f'note,rel_tol,expected,inputs,quantity,law\n,1e-6,1,"{row}",perplexity,units\n')[0] == 0
