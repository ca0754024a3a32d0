"""What `bayescale fit` prints: the constants of one law or the weights of several, and what their check says."""

import json
from collections.abc import Mapping
from math import log
from typing import Any

from ..report.units import number, probability
from ..runs.problems import counted
from .models import print_covariates, print_priors
from .output import meaning, print_json, print_table, print_text
from .saved import say_kept

_PROB = 0.9  # of the intervals of parameters
_EQUAL = 1.25  # ratio of weights that count as nearly equal


def give_fit(idata: Any, path: str, out: str, model: str, seconds: float, *, json_: bool) -> None:
    """Print a fit that was saved at `path`, and was meant for `out`: for people, or as JSON."""
    from ..posterior import is_average
    from ..posterior.check import open_checks

    report = _report(idata, model, path, seconds)
    if json_:
        print_json(report)
        return
    if is_average(idata):
        print_laws(idata, report["laws"])
    else:
        _print_fit(idata, report)
    left = f", {report['runs_left_out']} left out" if report["runs_left_out"] else ""
    dropped = f", {report['runs_dropped']} dropped" if report["runs_dropped"] else ""
    used = f"after {seconds:.0f} s: {report['runs_used']} runs used{left}{dropped}."
    print_text(say_kept(path, out, used))
    print_check(open_checks(idata))


def laws_of(idata: Any) -> list[dict[str, Any]]:
    """Return the laws of an average as JSON has them; none for a plain fit."""
    keys = ("name", "weight", "forward_score", "passed")
    return [{key: law[key] for key in keys} for law in json.loads(idata.attrs.get("laws", "[]"))]


def print_laws(idata: Any, laws: list[dict[str, Any]]) -> None:
    """Print the laws of an average, with their weights and why."""
    from ..posterior import fitted_spec

    first = idata[laws[0]["name"]]
    spec = fitted_spec(first)
    unit = f" in {idata.attrs['loss_unit']}" if spec.response.startswith("loss") else ""
    rows = [
        [law["name"], probability(law["weight"]), number(law["forward_score"]), "ok" if law["passed"] else "FAIL"]
        for law in laws
    ]
    title = f"Average of {counted(len(laws), 'law')}: {first['observed_data'].sizes['run']} runs, {spec.response}{unit}"
    print_table(title, ["law", "weight", "forward score", "check"], rows)
    why = [why_weights(idata, {law["name"]: law["weight"] for law in laws if law["passed"]})]
    if cuts := json.loads(idata.attrs["cuts"]):
        before = ", ".join(str(cut["before"]) for cut in cuts)
        why.append(f"A score is the mean log density of a run beyond a cut (after {before} runs), averaged over cuts.")
    print_text(" ".join(why))


def why_weights(idata: Any, weights: Mapping[str, float]) -> str:
    """Return what the weights of the laws of an average rest on, and why they are nearly equal, if they are."""
    why, cuts = str(idata.attrs["weighted_by"]), len(json.loads(idata.attrs["cuts"]))
    if not cuts or len(weights) < 2 or max(weights.values()) > _EQUAL * min(weights.values()):
        return why
    scores = [law["forward_score"] for law in json.loads(idata.attrs["laws"]) if law["name"] in weights]
    if max(scores) - min(scores) < log(_EQUAL):
        return f"{why} They are nearly equal because the laws forecast about equally well."
    return f"{why} They are nearly equal because so few cuts tell little about which law forecasts best."


def _report(idata: Any, model: str, out: str, seconds: float) -> dict[str, Any]:
    from ..posterior import failed_checks, one_fit
    from ..posterior.check import open_checks

    left_out, dropped = json.loads(idata.attrs["left_out"]), json.loads(idata.attrs["dropped"])
    return {
        "fit": out,
        "model": model,
        "runs_used": one_fit(idata)["observed_data"].sizes["run"],
        "runs_left_out": len(left_out),
        "runs_dropped": len(dropped),
        "seconds": round(seconds, 1),
        "passed": not failed_checks(idata),
        "warnings": [
            *json.loads(idata.attrs["notes"]).values(),
            *(f"{row['name']}: {row['advice']}" for row in open_checks(idata)),
        ],
        "left_out": left_out,
        "dropped": dropped,
        **meaning(idata),
        "probability": _PROB,
        "laws": laws_of(idata),
        **_constants(idata),
    }


def _constants(idata: Any) -> dict[str, Any]:
    """Return priors and parameters; those of an average carry the name of their law."""
    from ..posterior import fit_weights, fitted_spec
    from ..spec.learnt import prior_texts

    found: dict[str, Any] = {"priors": {}, "parameters": []}
    for law in fit_weights(idata) or ("",):
        one = idata[law] if law else idata
        before = f"{law}: " if law else ""
        spec = fitted_spec(one)
        texts = prior_texts(spec.priors, spec.get_learnt())
        found["priors"] |= {f"{before}{name}": text for name, text in texts.items()}
        found["parameters"] += [{**row, "name": before + row["name"]} for row in _parameters(one)]
    return found


def _parameters(idata: Any) -> list[dict[str, Any]]:
    """Return the constants of a fit, and the best rates of one of learning rates."""
    from ..posterior import fitted_spec
    from ..report.parameters import parameters

    found = parameters(idata)
    if fitted_spec(idata).get_law().surface:
        from .rates import cell_parameters

        found += [{**row, "central": None} for row in cell_parameters(idata, _PROB)]
    return found


def _print_fit(idata: Any, report: dict[str, Any]) -> None:
    from ..posterior import fitted_spec

    spec = fitted_spec(idata)
    unit = (
        f" in {report['loss_unit']}" if spec.response.startswith("loss") else ""
    )  # of an accuracy or a size there is none
    title = f"{spec.title}: {report['runs_used']} runs, {spec.response}{unit}"
    edges = ("median", "lower", "upper")
    rows = [
        [
            row["name"],
            *(number(row[edge]) for edge in edges),
            "" if row["central"] is None else number(row["central"], 5),
        ]
        for row in report["parameters"]
    ]
    print_table(title, ["", "median", f"{(1 - _PROB) / 2:.0%}", f"{(1 + _PROB) / 2:.0%}", "together"], rows)
    print_text(
        "To write down one law, take the constants of the last column: they belong together, and the medians do not."
    )
    print_priors(spec)
    print_covariates(spec, idata["constant_data"])


def print_check(open_: list[dict[str, Any]]) -> None:
    """Print the verdict of a check and the advice of its rows that were not passed."""
    print_text(_verdict(open_))
    _print_advice(open_)


def _verdict(open_: list[dict[str, Any]]) -> str:
    warned = sum(row["severity"] == "warn" for row in open_)
    verdict = "Check failed: do not use these draws" if warned < len(open_) else "Check passed"
    return f"{verdict}{f', with {counted(warned, "warning")}' if warned else ''}."


def _print_advice(open_: list[dict[str, Any]]) -> None:
    for row in open_:
        print_text(f"  {row['severity'].upper()} {row['name']}: {row['advice']}")


def print_checks(table: Any, weights: Mapping[str, float]) -> None:
    """Print the verdict, all checks of a fit, and the advice of those not passed; of an average, a column for each law of `weights`."""
    from ..posterior.check import of_several

    rows = table.to_dict(orient="records")
    if not weights:
        open_ = [row for row in rows if not row["passed"]]
        print_text(_verdict(open_))
        cells = [[row["name"], _passed(row), number(row["value"]), number(row["threshold"])] for row in rows]
        print_table("Checks", ["", "verdict", "value", "threshold"], cells)
        _print_advice(open_)
        return
    laws: dict[str, dict[str, dict[str, Any]]] = {}
    for row in rows:
        law, _, name = row["name"].partition(": ")
        laws.setdefault(law, {})[name] = {**row, "name": name}
    open_ = [dict(row) for row in of_several({law: own.values() for law, own in laws.items()}, weights)]
    print_text(_verdict(open_))
    names = list(dict.fromkeys(name for own in laws.values() for name in own))
    cells = [[name, *(_passed(own[name]) if name in own else "-" for own in laws.values())] for name in names]
    print_table("Checks of each law (--json has values and thresholds)", ["", *laws], cells)
    _print_advice(open_)


def _passed(row: dict[str, Any]) -> str:
    return "ok" if row["passed"] else str(row["severity"]).upper()
