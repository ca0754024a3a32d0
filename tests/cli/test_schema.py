"""The JSON contract, `bayescale/cli/schema.json`: what commands print follows it, and it loses no key."""

import json
from importlib.resources import files

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from jsonschema import Draft202012Validator

import bayescale.calibrate.approaches
import bayescale.calibrate.laws
import bayescale.calibrate.sbc
import bayescale.quickstart
from bayescale import allocate, bands, forecast, load_fit, save_fit
from bayescale.cli.main import _COMMANDS

SCHEMA = json.loads(files("bayescale.cli").joinpath("schema.json").read_text(encoding="utf-8"))
PLAN = ["--params", "10B", "--tokens", "200B"]
PRICES = ["--accelerator", "H100-SXM", "--mfu", "0.4", "--usd-per-gpu-hour", "2.5"]


def problems(printed, kind):
    """What the schema says against a document as a document of one kind."""
    validator = Draft202012Validator({"$ref": f"#/$defs/{kind}", "$defs": SCHEMA["$defs"]})
    return [error.message for error in validator.iter_errors(printed)]


def resolved(schema):
    """Follow references; what stands beside one stays."""
    while "$ref" in schema:
        target = SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]]
        schema = {**target, **{key: value for key, value in schema.items() if key != "$ref"}}
    return schema


def form_of(command):
    """Name of the command that defines what this one prints: allocate for all that choose a plan."""
    return SCHEMA["$defs"][command].get("$ref", command).rpartition("/")[2]


def shorter(printed, schema):
    """Give each document that lacks one required key, with the key's path; of a list or a map the first item is taken."""
    schema = resolved(schema)
    if isinstance(printed, dict):
        for key in schema.get("required", ()):
            yield key, {name: value for name, value in printed.items() if name != key}
        parts = {name: schema.get("properties", {}).get(name) or schema.get("additionalProperties") for name in printed}
        for name, part in parts.items():
            for path, less in shorter(printed[name], part) if isinstance(part, dict) else ():
                yield f"{name}.{path}", {**printed, name: less}
    elif isinstance(printed, list) and printed and "items" in schema:
        for path, less in shorter(printed[0], schema["items"]):
            yield path, [less, *printed[1:]]


@pytest.fixture
def printed(run, fit_file, runs_file, tmp_path, sampled, monkeypatch, profile_from_constants):
    """Run a command and give what it prints."""
    rng = np.random.default_rng(1)
    table = tmp_path / "plans.csv"
    table.write_text("run,params,tokens,loss\na,2B,40B,2.4\nb,3B,60B,\nc,3B,60B,9\n")
    bad = tmp_path / "bad.csv"
    bad.write_text(runs_file.read_text() + "blank,1B,20B,\nsmall,1k,20k,9\n")
    fit = load_fit(fit_file)
    measured = bands(forecast(fit, bayescale.read_plans(table)))
    score = bayescale.score(measured)
    result = {
        "fits": {},
        "bands": {"mlp": measured},
        "scores": {"mlp": score},
        "textbook": {"mlp": score},
        "allocation": allocate(fit, 1e22),
        "files": [tmp_path / "fit.nc"],
    }
    monkeypatch.setattr(bayescale.quickstart, "run", lambda *_, **__: result)

    def fit_approach(spec, *_, **__):
        if spec.law == "approach-1":
            raise ValueError("Approach 1 needs more sizes.")
        return fit if spec.law == "chinchilla" else profile_from_constants(np.linspace(0, 0.1, 9), 0.5)

    monkeypatch.setattr(bayescale.calibrate.approaches, "fit", fit_approach)
    monkeypatch.setattr(bayescale.calibrate.laws, "fit", lambda *_, **__: fit)
    scores = pd.DataFrame({12: [1.0, 2.0, 3.0]}, index=["breaks_0", "breaks_1", "breaks_2"])
    monkeypatch.setattr(bayescale.calibrate.laws, "forward_scores", lambda *_, **__: scores)
    laws = [{"name": name, "weight": 0.5, "forward_score": 1.0, "passed": True} for name in ("one", "other")]
    average = bayescale.average_fits({"one": fit, "other": fit}, {"one": 1, "other": 1})
    average.attrs |= {"laws": json.dumps(laws), "weighted_by": "Weights are equal."}
    save_fit(average, tmp_path / "both.nc")
    shares = {name: ("replication", rng.permutation(40) / 40 + 0.01) for name in ("T", "log_N*")}
    about = {"passed": rng.random(40) < 0.9, "fault": np.full(40, ""), "plausible": rng.random(40) < 0.9}
    groups = {"prior_sbc": shares, "fits": {name: ("replication", value) for name, value in about.items()}}
    ranked = xr.DataTree.from_dict({name: xr.Dataset(group) for name, group in groups.items()})
    ranked.attrs["random_seed"] = 1
    monkeypatch.setattr(bayescale.calibrate.sbc, "sbc", lambda *_, **__: ranked)
    log = tmp_path / "nanogpt.log"
    log.write_text(
        "tokens per iteration will be: 32,768\nnumber of parameters: 12.00M\nstep 0: train loss 10.9, val loss 10.9\n"
        "step 500: train loss 4.4, val loss 4.5\n"
    )
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "trainer_state.json").write_text('{"log_history": [')
    (tmp_path / "m1").mkdir()
    (tmp_path / "m1" / "trainer_state.json").write_text('{"log_history": [], "global_step": 3, "max_steps": 10}')
    imported = ["import", log, tmp_path / "broken", tmp_path / "m1", "--out", tmp_path / "imported.csv"]
    words = {
        "import": imported,
        "compare": ["compare", tmp_path / "both.nc", "--flops", "1e22"],
        "backtest": ["backtest", runs_file, "--model", "chinchilla", "--cut", "0.1", "--cores", "1"],
        "fit-breaks": ["fit-breaks", runs_file, "--at", "tokens", "--out", tmp_path / "average.nc"],
        "sbc": ["sbc", "--model", "transfer"],
        "fit": [
            "fit",
            bad,
            "--model",
            "chinchilla",
            "--drop-bad",
            "--where",
            "params>1e6",
            "--out",
            tmp_path / "fit.nc",
        ],
        "check": ["check", fit_file],
        "forecast": ["forecast", fit_file, "--plans", table, "--score"],
        "allocate": ["allocate", fit_file, "--flops", "1e21", "--flops", "1e22"],
        "cheapest": ["cheapest", fit_file, "--target-loss", "2.4", "--probability", "0.5", "--probability", "0.9"],
        "worth": ["worth", fit_file, "--usd-per-nat", "1e6", *PRICES],
        "explain": ["explain", fit_file, "--flops", "1e21", "--plan", "ours=5e8,3e11"],
        "overhead": ["overhead", fit_file, "--params-ratio", "0.5"],
        "pareto": ["pareto", fit_file, "--flops", "1e21", "--flops", "1e22", "--params-ratio", "0.5"],
        "plot": ["plot", "isoflop", fit_file, "--flops", "1e22", "--width", "390", "--out", tmp_path / "isoflop.svg"],
        "report": ["report", fit_file, "--flops", "1e22", "--format", "md", "--out", tmp_path / "report.md"],
        "compare-approaches": ["compare-approaches", runs_file, "--flops", "1e21", "--flops", "1e22"],
        "models": ["models"],
        "datasets": ["datasets"],
        "recipes": ["recipes", "--params", "500M", "--tokens", "10B"],
        "quickstart": ["quickstart"],
    }

    def call(command):
        code, out, _ = run(*words[command], "--json")
        assert code == 0
        return json.loads(out)

    return call


def test_the_schema_is_one():
    Draft202012Validator.check_schema(SCHEMA)
    assert set(_COMMANDS) | {"error"} == {part["$ref"].rpartition("/")[2] for part in SCHEMA["anyOf"]}


def described(schema, path):
    """Give the path of each property without a description."""
    for name, part in schema.get("properties", {}).items():
        if not resolved(part).get("description"):
            yield f"{path}.{name}"
        yield from described(part, f"{path}.{name}")
    if "items" in schema:
        yield from described(schema["items"], path)


def test_every_key_says_what_it_means():
    assert [path for name, part in SCHEMA["$defs"].items() for path in described(part, name)] == []


@pytest.mark.parametrize("command", _COMMANDS)
def test_output_obeys_the_schema(command, printed):
    document = printed(command)
    assert problems(document, command) == []
    assert Draft202012Validator(SCHEMA).is_valid(document)
    assert problems({**document, "added_later": 1}, command) == []
    for other in {*_COMMANDS, "error"} - {name for name in _COMMANDS if form_of(name) == form_of(command)}:
        assert problems(document, other), f"{command} passes for {other}"


@pytest.mark.parametrize("command", _COMMANDS)
def test_no_key_may_go(command, printed):
    document = printed(command)
    cut = list(shorter(document, SCHEMA["$defs"][command]))
    assert len(cut) >= min(7, len(document))
    for path, less in cut:
        assert problems(less, command), f"without {path} it passes"
    assert problems({**document, "bayescale_json": 2}, command)


@pytest.mark.parametrize("command", _COMMANDS)
def test_no_key_is_printed_that_the_schema_does_not_describe(command, printed):
    def unknown(value, schema):
        schema = resolved(schema)
        if isinstance(value, dict):
            for name, part in value.items():
                known = schema.get("properties", {}).get(name) or schema.get("additionalProperties")
                yield from unknown(part, known) if known else [name]
        elif isinstance(value, list):
            for part in value:
                yield from unknown(part, schema["items"])

    assert list(unknown(printed(command), SCHEMA["$defs"][command])) == []


def test_a_law_of_one_input_has_no_params(run, power_file):
    _, out, _ = run("forecast", power_file, "--at", "flops=1e21", "--json")
    document = json.loads(out)
    assert problems(document, "forecast") == []
    (row,) = document["forecasts"]
    assert row["params"] is row["tokens"] is row["loss"] is None and row["inputs"] == {"flops": 1e21}


def test_a_fit_without_a_loss(run, profile_from_constants, tmp_path):
    path = save_fit(profile_from_constants(np.linspace(0, 0.1, 9), 0.5), tmp_path / "profile.nc")
    code, out, _ = run("allocate", path, "--flops", "1e22", "--json")
    assert code == 0 and problems(json.loads(out), "allocate") == []
    (row,) = json.loads(out)["allocations"]
    assert row["params"] > 0 and row["loss_median"] is row["expected_regret"] is row["wasted_compute"] is None
    code, out, err = run("forecast", path, *PLAN, "--json")
    assert code == 2 and "a forecast needs a law for the loss, such as chinchilla" in err


def test_values_out_of_range_fail(printed):
    document = printed("forecast")
    for key, value in {"loss_median": 0, "params": -1, "probability": 90, "inside": "yes", "plan": 1}.items():
        row = {**document["forecasts"][0], key: value}
        assert problems({**document, "forecasts": [row]}, "forecast"), key
    assert not np.isnan(document["forecasts"][0]["loss_median"])


ERRORS = {
    "no fit": (["check", "none.nc"], 2),
    "no file": (["fit", "none.csv"], 2),
    "no command": (["bogus"], 2),
    "no option": (["allocate", "FIT", "--bogus"], 2),
    "too far": (["forecast", "FIT", "--params", "1T", "--tokens", "20T"], 2),
    "a failed check": (["forecast", "FAILED", *PLAN], 1),
}


@pytest.mark.parametrize("what", ERRORS)
def test_errors_obey_the_schema(what, run, fit_file, failed_file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words, wanted = ERRORS[what]
    places = {"FIT": fit_file, "FAILED": failed_file}
    code, out, err = run(*(places.get(word, word) for word in words), "--json")
    document = json.loads(out)
    assert code == document["exit"] == wanted and err
    assert problems(document, "error") == [] and Draft202012Validator(SCHEMA).is_valid(document)
    for key in document:
        assert problems({name: value for name, value in document.items() if name != key}, "error")
    assert problems({**document, "exit": 0}, "error")


def test_a_failed_check_obeys_the_schema(run, failed_file):
    code, out, _ = run("check", failed_file, "--json")
    assert code == 1 and problems(json.loads(out), "check") == []
