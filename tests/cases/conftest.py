"""What the public cases share: the answers, the tables, and the command line with each fit made once."""

import contextlib
import io
import json
import os
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from bayescale.cli.main import main

CHECKOUT = Path(__file__).resolve().parents[2]


class Said(NamedTuple):
    """What one command said: exit code, its JSON document and stderr; `fit` is where it kept one."""

    code: int
    document: dict
    err: str
    fit: Path | None = None

    @property
    def notes(self):
        return [line.removeprefix("note: ") for line in self.err.splitlines() if line.startswith("note: ")]


def command(*words):
    """Call the command line; give exit code, stdout, stderr."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.raises(SystemExit) as left:
        main([str(word) for word in words])
    assert "Traceback" not in out.getvalue() + err.getvalue()
    return left.value.code or 0, out.getvalue(), err.getvalue()


@pytest.fixture(scope="session")
def cases():
    """Folder of the public cases, which are not part of the project."""
    folder = Path(os.environ.get("BAYESCALE_SHARED", CHECKOUT / "../shared")).resolve() / "cases"
    if not (folder / "cases.yaml").is_file():
        pytest.skip(f"{folder} is absent; name the folder above it in BAYESCALE_SHARED")
    return folder


@pytest.fixture(scope="session")
def table(cases):
    """Give the path of a case's table by its name."""
    return lambda name: cases / "inputs" / f"{name}.csv"


@pytest.fixture(scope="session")
def answer(cases):
    """Give the numbers of a case's answer by its id: what these tests hold must be what the case says."""
    found = {case["id"]: case["answer"] for case in yaml.safe_load((cases / "cases.yaml").read_text(encoding="utf-8"))}
    return lambda name: found[name]["numbers"]


@pytest.fixture(scope="session")
def ask():
    """Call a command with --json."""

    def call(*words):
        code, out, err = command(*words, "--json")
        return Said(code, json.loads(out), err)

    return call


@pytest.fixture(scope="session")
def say():
    """Call a command as a person does; give stdout."""

    def call(*words):
        code, out, _ = command(*words)
        assert code == 0
        return out

    return call


@pytest.fixture(scope="session")
def fitted(ask, tmp_path_factory):
    """Fit with `bayescale fit`, once for each command; its check has passed."""
    made = {}

    def call(runs, *options):
        words = (str(runs), *map(str, options))
        if words not in made:
            path = tmp_path_factory.mktemp("cases") / "fit.nc"
            said = ask("fit", *words, "--out", path)
            assert said.code == 0 and path.is_file() and said.document["passed"], said
            made[words] = said._replace(fit=path)
        return made[words]

    return call


@pytest.fixture(scope="session")
def open_checks(ask):
    """Give the open checks of a fit, name -> advice; of an average, that of its first law."""

    def call(fit):
        said = ask("check", fit)
        assert said.code == 0
        rows = [row for row in reversed(said.document["checks"]) if not row["passed"]]
        return {row["name"].rpartition(": ")[2]: row["advice"] for row in rows}

    return call


@pytest.fixture(scope="session")
def one_plan(ask):
    """Forecast one plan; give its row."""

    def call(fit, *options):
        said = ask("forecast", fit, *options)
        assert said.code == 0, said
        (row,) = said.document["forecasts"]
        return row

    return call


@pytest.fixture(scope="session")
def one_budget(ask):
    """Allocate one budget; give its row. In each answer the plan costs the budget."""

    def call(fit, flops, *options):
        said = ask("allocate", fit, "--flops", flops, *options)
        assert said.code == 0, said
        (row,) = said.document["allocations"]
        assert 6 * row["params"] * row["tokens"] == pytest.approx(float(flops), rel=1e-6)
        return row

    return call
