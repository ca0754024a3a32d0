"""What commands and calls of decisions answered once, in `answers/`: all that is changed on purpose is recorded again and reviewed.

`BAYESCALE_RECORD=1 make test` writes the answers anew. Numbers may differ by what another machine's rounding does to a search.
"""

import json
import math
import os
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bayescale as bs
from bayescale.cli.output import strict

ANSWERS = Path(__file__).parent / "answers"
RECORD = bool(os.environ.get("BAYESCALE_RECORD"))
SAME = 2e-5  # relative
MONEY = "--costs COSTS"
FLEET = f"--accelerators 64 --tokens-per-accelerator 50000 {MONEY}"
SERVED = "--inference-tokens 1e11:0.4 --prompt-share 0.8"

# Name -> words of a command; FITS and files in upper case.
COMMANDS = {
    "allocate-two-budgets": "allocate PLAIN --flops 1e21 --flops 1e22",
    "allocate-quantile": "allocate PLAIN --flops 1e22 --risk quantile:0.9",
    "allocate-cvar": "allocate PLAIN --flops 1e22 --risk cvar:0.1 --band 0.8",
    "allocate-regret-quantile": "allocate PLAIN --flops 1e22 --risk regret-quantile:0.9",
    "allocate-regret-cvar": "allocate PLAIN --flops 1e22 --risk regret-cvar:0.2 --random-seed 5",
    "allocate-target": "allocate PLAIN --flops 1e22 --risk target --target-loss 2.25",
    "allocate-target-observed": "allocate PLAIN --flops 1e22 --risk target --target-loss 2.25 --target-on observed",
    "allocate-target-sure": "allocate PLAIN --flops 1e22 --target-loss 2.3 --probability 0.5",
    "allocate-target-refused": "allocate PLAIN --flops 1e21 --target-loss 2.2 --probability 0.9 --no-drift",
    "allocate-max-params": "allocate PLAIN --flops 1e22 --max-params 2B",
    "allocate-max-tokens": "allocate PLAIN --flops 1e22 --max-tokens 60B --within-compute 0.05",
    "allocate-fixed": "allocate PLAIN --flops 1e22 --max-params 2B --max-tokens 60B",
    "allocate-unique-tokens": "allocate PLAIN --flops 1e22 --unique-tokens 100B",
    "allocate-max-epochs": "allocate REPEATED --flops 1e22 --unique-tokens 30B --max-epochs 3",
    "allocate-repeats-published": "allocate PLAIN --flops 1e21 --unique-tokens 5B --repeats published",
    "allocate-repeated": "allocate REPEATED --flops 1e21 --unique-tokens 15B",
    "allocate-many-epochs": "allocate REPEATED --flops 3e21 --unique-tokens 1B",
    "allocate-rising": "allocate RISING --flops 1e21 --unique-tokens 10B",
    "allocate-buying": f"allocate REPEATED --usd 3000 {MONEY} --unique-tokens 20B --usd-per-unique-token 1e-8",
    "allocate-days": f"allocate PLAIN --days 3 --accelerators 32 {MONEY}",
    "allocate-days-limit": f"allocate PLAIN --gpu-hours 5000 --days 3 --critical-batch-tokens 1e6 {FLEET}",
    "allocate-batch-days": f"allocate BATCH --flops 1e22 --at batch_tokens=1e6 --days 10 {FLEET}",
    "allocate-usd-demand": f"allocate PLAIN --usd 20000 {MONEY} {SERVED}",
    "allocate-demand-quantile": "allocate PLAIN --flops 1e22 --inference-tokens 3e11:0.5 --demand-quantile 0.8",
    "allocate-train-only": "allocate PLAIN --flops 1e22 --inference-tokens 3e11 --train-only",
    "allocate-shapes": "allocate PLAIN --flops 1e22 --shapes SHAPES",
    "allocate-experts": "allocate PLAIN --flops 1e22 --shapes EXPERTS --max-params 20B --risk cvar:0.2",
    "allocate-shapes-demand": f"allocate RISING --usd 9000 {MONEY} --shapes SHAPES --unique-tokens 30B {SERVED}",
    "allocate-flops-rule": "allocate MISCOUNTED --flops 1e22 --flops-rule table",
    "allocate-average": "allocate AVERAGE --flops 1e22",
    "allocate-average-limits": f"allocate AVERAGE --usd 20000 {MONEY} {SERVED} --max-params 5B --unique-tokens 300B",
    "allocate-grouped": "allocate GROUPED --flops 1e21 --at family=7B --at dropout=0.05",
    "allocate-group-unseen": "allocate GROUPED --flops 1e21 --at family=3B --at dropout=0.05",
    "allocate-warned": "allocate WARNED --flops 1e22 --no-drift",
    "allocate-profile": "allocate PROFILE --flops 1e21 --flops 1e22",
    "allocate-profile-limit": "allocate PROFILE --flops 1e22 --max-params 1B",
    "allocate-too-far": "allocate PLAIN --flops 1e26",
    "allocate-ratio-refused": "allocate PLAIN --flops 1e22 --max-params 50M",
    "allocate-two-units": "allocate PLAIN --flops 1e22 --usd 10",
    "allocate-no-price": "allocate PLAIN --usd 10",
    "allocate-at-refused": "allocate PLAIN --flops 1e22 --at colour=red",
    "allocate-no-sizes": "allocate POWER --flops 1e22",
    "cheapest": "cheapest PLAIN --target-loss 2.3 --probability 0.5 --probability 0.8 --no-drift",
    "cheapest-drift": "cheapest PLAIN --target-loss 2.35 --probability 0.6",
    "cheapest-usd": f"cheapest PLAIN --target-loss 2.35 --probability 0.5 {MONEY} --inference-tokens 1e11 --prompt-share 0.5",
    "cheapest-days": f"cheapest PLAIN --target-loss 2.35 --probability 0.5 --days 20 --accelerators 64 {MONEY}",
    "cheapest-observed": "cheapest PLAIN --target-loss 2.35 --target-on observed --probability 0.5 --max-params 3B",
    "cheapest-repeated": "cheapest REPEATED --target-loss 2.4 --probability 0.5 --unique-tokens 30B --no-drift",
    "cheapest-out-of-reach": "cheapest PLAIN --target-loss 2.0 --probability 0.9 --max-tokens 100B --no-drift",
    "worth-nat": f"worth PLAIN --usd-per-nat 1e6 {MONEY}",
    "worth-nat-demand": f"worth PLAIN --usd-per-nat 1e6 {MONEY} --inference-tokens 1e11 --prompt-share 0.5 --max-params 3B",
    "worth-point": f"worth PLAIN --usd-per-point 3e3 --metric ACCURACY {MONEY}",
    "worth-refused": "worth PLAIN --usd-per-point 3e3",
    "explain": "explain PLAIN --flops 1e22 --plan ours=2B,400B --max-extrapolation 3",
    "explain-cvar-limits": "explain PLAIN --flops 1e22 --risk cvar:0.1 --max-params 3B --max-extrapolation 3",
    "explain-usd": f"explain PLAIN --usd 20000 {MONEY} --inference-tokens 1e11 --prompt-share 0.5 --max-extrapolation 4",
    "explain-average": "explain AVERAGE --flops 1e22 --max-extrapolation 3",
    "explain-rising": "explain RISING --flops 1e21 --unique-tokens 10B --max-extrapolation 3",
    "explain-target-refused": "explain PLAIN --flops 1e22 --risk target",
    "explain-profile": "explain PROFILE --flops 1e22",
    "overhead": "overhead PLAIN --params-ratio 0.5 --params-ratio 0.2 --flops 1e22",
    "overhead-kaplan": "overhead KAPLAN --params-ratio 0.5",
    "overhead-grouped": "overhead GROUPED --params-ratio 0.5 --at family=7B --at dropout=0",
    "overhead-refused": "overhead POWER --params-ratio 0.5",
    "pareto": "pareto PLAIN --flops 1e21 --flops 1e22 --params-ratio 1 --params-ratio 0.5",
    "pareto-cvar": "pareto AVERAGE --flops 1e22 --risk cvar:0.1 --params-ratio 1 --params-ratio 0.5",
    "pareto-rising": "pareto RISING --flops 1e21 --unique-tokens 10B --params-ratio 1 --params-ratio 0.5",
    "pareto-refused": "pareto PLAIN --flops 1e22 --risk regret-cvar:0.1",
    "forecast": "forecast PLAIN --plans PLANS --score",
    "forecast-average": "forecast AVERAGE --plans PLANS",
    "forecast-through": "forecast ACCURACY --through PLAIN --params 3B --tokens 60B",
    "forecast-group-unseen": "forecast GROUPED --params 1B --tokens 20B --at family=3B --at dropout=0",
}  # fmt: skip


def _table(table):
    return {"rows": table.reset_index().to_dict(orient="records"), "attrs": dict(table.attrs)}


# Name -> call on the fits.
CALLS = {
    "sensitivity": lambda fits: _table(bs.sensitivity(fits["plain"], 1e22)),
    "sensitivity-demand": lambda fits: _table(
        bs.sensitivity(fits["plain"], bs.Budget(flops=1e22, demand=bs.Demand(1e12)))
    ),
    "leave-one-out": lambda fits: _table(bs.leave_one_out(fits["plain"], 1e22, limits=bs.Limits(max_tokens=1.5e11))),
    "batch-for-steps": lambda fits: _table(bs.batch_for_steps(fits["batch"], tokens=1e11, steps=[2e5, 1e5, 5e4])),
    "allocate-own-risk": lambda fits: _table(
        bs.allocate(fits["plain"], 1e22, risk=lambda loss, best=None: np.median(loss, axis=-1))
    ),
    "plans-for": lambda fits: _table(bs.plans_for(flops=1e22, params=np.array([1e9, 2e9]))),
    "recipe-for": lambda fits: bs.recipe_for(5e8, 1e10),
}


def same(one, other, path=""):
    """Where two answers differ: the path and both values."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in {**one, **other}:
            if key not in one or key not in other:
                yield f"{path}.{key}", one.get(key, "absent"), other.get(key, "absent")
            else:
                yield from same(one[key], other[key], f"{path}.{key}")
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for place, pair in enumerate(zip(one, other, strict=True)):
            yield from same(*pair, f"{path}[{place}]")
    elif isinstance(one, int | float) and isinstance(other, int | float) and not isinstance(one, bool):
        if not math.isclose(one, other, rel_tol=SAME, abs_tol=1e-9):
            yield path, one, other
    elif one != other:
        yield path, one, other


def held(name, found):
    """Compare with what was recorded, or record."""
    path = ANSWERS / f"{name}.json"
    found = json.loads(json.dumps(strict(found)))
    if RECORD:
        path.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        return
    differences = list(same(json.loads(path.read_text(encoding="utf-8")), found))
    assert not differences, "\n".join(f"{where}: {was!r} -> {now!r}" for where, was, now in differences[:20])


@pytest.mark.parametrize("name", COMMANDS)
def test_command(name, files, run, document):
    code, out, err = run(*(files.get(word, word) for word in COMMANDS[name].split()), "--json")
    folder = str(next(iter(files.values())).parent)
    notes = [re.sub(r"[^' ]*/", "", line) for line in err.splitlines() if line.startswith("note: ")]
    held(
        name,
        {"exit": code, "notes": notes, "document": json.loads(json.dumps(document(out)).replace(folder, "FOLDER"))},
    )


@pytest.mark.parametrize("name", CALLS)
def test_call(name, fits):
    held(name, CALLS[name](fits))


def test_nothing_recorded_is_left_over():
    assert {path.stem for path in ANSWERS.glob("*.json")} == {*COMMANDS, *CALLS}


def test_a_difference_is_seen():
    rows = pd.DataFrame({"params": [1e9], "warning": ["far"]}).to_dict(orient="records")
    assert not list(same(rows, [{"params": 1e9 * (1 + SAME / 2), "warning": "far"}]))
    for other in ({"params": 1e9 * (1 + 2 * SAME), "warning": "far"}, {"params": 1e9, "warning": ""}, {"params": 1e9}):
        assert list(same(rows, [other]))
