"""Published training recipes, and what published rules say about the learning rate, batch and weight decay of a plan.

The rules disagree, and each was fitted on one range of sizes with one schedule and data set. So none is a default: each rule
answers only inside its own range, and a range of values covers the rules that answer. Values known only from memory are not used.
"""

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import numpy as np
import pandas as pd

from ..errors import InputError, named
from ..laws.batch import critical_batch
from ..laws.formulas.learning_rate import best_weight_decay, kaplan_rate, power
from ..laws.law import compute
from .laws import PUBLISHED

_EDGE = 1.01  # ranges are rounded in print
_NEAREST = 3
_SEQUENCE = 2048  # tokens, Porian et al.
# Ranges of fits not in `PUBLISHED`. Porian's runs had about 20 tokens per parameter; the margin of a factor 4 is ours.
_COUNTS = {"step-law": "non-embedding params", "kaplan": "non-embedding params"}
_FITTED_ON: dict[tuple[str, str], dict[str, tuple[float, float]]] = {
    ("lr", "kaplan"): {"params": (0.0, 1.5e9)},
    ("lr", "porian"): {"tokens per param": (5.0, 80.0)},
    ("batch_tokens", "porian"): {"tokens per param": (5.0, 80.0)},
    ("critical_batch_tokens", "zhang"): {"params": (8.5e7, 1.2e9)},
}
_WHAT = {"lr": "learning rate", "batch_tokens": "batch"}
_UNVERIFIED = {
    ("lr", "bjorck"): (
        "arXiv:2409.19913",
        "its prefactor and units are not verified; exponents -0.23 of params, -0.32 of tokens",
    ),
    ("batch_tokens", "bergsma"): ("arXiv:2505.13738", "its prefactor is not verified; exponent 0.383 of tokens"),
}


def recipes(params: float | None = None, tokens: float | None = None, *, name: str | None = None) -> pd.DataFrame:
    """Return published recipes, nearest first if a plan is given.

    Parameters
    ----------
    params : float, optional
        Of a plan, raw count: recipes are sorted by the distance in ln params.
    tokens : float, optional
        Of the plan, raw count: then by that in ln tokens.
    name : str, optional
        Return only this recipe.

    Returns
    -------
    pandas.DataFrame
        Index name. `family`; `params`, `tokens` (seen in training), `lr` (peak), `batch_tokens` (tokens per step, at its largest;
        `batch_tokens_first` if it rose); `optimiser`, `schedule`, `warmup`; `weight_decay`, `dropout`, `clip` (NaN if not
        stated); `init`; `verified`, whether it was read in the paper or its code, and `checked`, what was read; `source`, `note`.

    Raises
    ------
    ValueError
        If there is no such recipe, or a count is not > 0.

    Examples
    --------
    >>> float(recipes().loc["gpt-3-175b", "lr"])
    6e-05
    >>> recipes(params=70e9, tokens=2e12).index[0]
    'llama-2-70b'
    """
    table = _read()
    if name is not None:
        if name not in table.index:
            raise InputError(f"There is no recipe '{name}'; `bayescale recipes` lists {', '.join(table.index)}.")
        return table.loc[[name]]
    _check_counts(params=params, tokens=tokens)
    if params is None:
        return table
    keys = pd.DataFrame({"params": np.abs(np.log(table["params"] / params)).round(6)})
    keys["tokens"] = np.abs(np.log(table["tokens"] / tokens)) if tokens is not None else 0.0
    return table.loc[keys.sort_values(["params", "tokens"], kind="stable", na_position="last").index]


def _read() -> pd.DataFrame:
    with files(__package__).joinpath("recipes.csv").open(encoding="utf-8") as file:
        table = pd.read_csv(file, index_col="name")
    for column in ("init", "note"):
        table[column] = table[column].fillna("")
    return table


def _check_counts(**counts: float | None) -> None:
    for name, value in counts.items():
        if value is not None and not (np.isfinite(value) and value > 0):
            raise InputError(f"{named(name)} must be > 0. Got {value!r}.")


def recipe_for(
    params: float, tokens: float | None = None, *, batch_tokens: float | None = None, lr: float | None = None
) -> dict[str, Any]:
    """Return what published rules and recipes give for a plan.

    Parameters
    ----------
    params : float
        Of the plan, raw count.
    tokens : float, optional
        Of the plan, raw count; without it, rules that take tokens do not answer.
    batch_tokens : float, optional
        Tokens per step, if fixed: the weight decay is for this batch.
    lr : float, optional
        Peak learning rate, if fixed: the weight decay is for this rate.

    Returns
    -------
    dict
        `params`, `tokens`, `batch_tokens`, `lr` as given; `rules`, one dict for each published rule (`quantity`, `rule`, `value`,
        None if the plan is outside its fit, `reason`, `fitted_on`, `source`, `checked`); `lr_lower, lr_upper,
        batch_tokens_lower, batch_tokens_upper` over the rules that answer, or None; `weight_decay_lower,
        weight_decay_upper` of AdamW by its time scale; `nearest`, names of recipes; `warmup` and `schedule` of the nearest;
        `notes`, sentences.

    Raises
    ------
    ValueError
        If a number is not > 0.

    Examples
    --------
    >>> said = recipe_for(5e8, 1e10)
    >>> said["lr_lower"] < said["lr_upper"]
    True
    """
    _check_counts(params=params, tokens=tokens, batch_tokens=batch_tokens, lr=lr)
    plan = _plan(params, tokens)
    rules = [_answer(quantity, rule, plan) for quantity, rule in _rules()]
    nearest = recipes(params, tokens).head(_NEAREST)
    answer: dict[str, Any] = {
        "params": params,
        "tokens": tokens,
        "batch_tokens": batch_tokens,
        "lr": lr,
        "rules": rules,
    }
    notes = _no_range_notes(rules)
    for quantity in ("lr", "batch_tokens"):
        values = [row["value"] for row in rules if row["quantity"] == quantity and row["value"] is not None]
        answer[f"{quantity}_lower"], answer[f"{quantity}_upper"] = (
            (min(values), max(values)) if values else (None, None)
        )
        if values:
            notes.append(_range_note(quantity, values))
    answer["weight_decay_lower"], answer["weight_decay_upper"], note = _weight_decay(answer)
    notes += [note, *_optimiser_notes(nearest)]
    first = nearest.iloc[0]
    return answer | {
        "nearest": nearest.index.tolist(),
        "warmup": first["warmup"],
        "schedule": first["schedule"],
        "notes": notes,
    }


def _plan(params: float, tokens: float | None) -> dict[str, float]:
    """Return all values that a rule may need from a plan, by name."""
    plan = {"params": float(params)}
    if tokens is not None:
        plan |= {"tokens": float(tokens), "flops": compute(params, tokens), "tokens per param": tokens / params}
    return plan


def _rules() -> list[tuple[str, str]]:
    return [
        *(("lr", name) for name in ("kaplan", *PUBLISHED["learning_rate"], "bjorck")),
        *(("batch_tokens", name) for name in (*PUBLISHED["batch"], "bergsma")),
        ("critical_batch_tokens", "zhang"),
    ]


def _answer(quantity: str, rule: str, plan: Mapping[str, float]) -> dict[str, Any]:
    """Return the value of one rule for a plan, or the reason why it has none."""
    row: dict[str, Any] = {"quantity": quantity, "rule": rule, "value": None, "reason": "", "fitted_on": ""}
    if (quantity, rule) in _UNVERIFIED:
        source, reason = _UNVERIFIED[quantity, rule]
        return row | {"reason": reason, "source": source, "checked": "exponents only"}
    entry = _entry(quantity, rule)
    ranges = {**entry.get("fitted_on", {}), **_FITTED_ON.get((quantity, rule), {})}
    row |= {"fitted_on": _ranges_text(ranges, rule), "source": entry["source"], "checked": entry["checked"]}
    missing = [name for name in (*_asks(entry, rule), *ranges) if name not in plan]
    if missing:
        return row | {"reason": f"it needs {missing[0]}: give tokens"}
    value = _value(quantity, rule, entry, plan)
    outside = [
        f"{name} {plan[name]:.3g} {'above' if plan[name] > high else 'below'} {high if plan[name] > high else low:.3g}"
        for name, (low, high) in ranges.items()
        if not low / _EDGE <= plan[name] <= high * _EDGE
    ]
    if outside:  # its extended value shows how far the rules differ
        said = f"; extended there it would give {value:.2e}" if value > 0 else ""
        return row | {"reason": f"outside its fit: {', '.join(outside)}{said}"}
    return row | {"value": value}


def _entry(quantity: str, rule: str) -> dict[str, Any]:
    if rule == "kaplan":
        return PUBLISHED["kaplan.learning_rate"]["webtext2"]
    if rule == "zhang":
        return PUBLISHED["critical_batch"]["zhang"]
    return PUBLISHED["learning_rate" if quantity == "lr" else "batch"][rule]


def _asks(entry: Mapping[str, Any], rule: str) -> list[str]:
    """Return the names of the inputs of a rule's formula."""
    return {"kaplan": ["params"], "zhang": ["tokens"]}.get(rule) or list(entry["constants"]["exponents"])


def _value(quantity: str, rule: str, entry: Mapping[str, Any], plan: Mapping[str, float]) -> float:
    constants = entry["constants"]
    if rule == "kaplan":
        return float(kaplan_rate(plan["params"], **constants))
    if rule == "zhang":
        return float(critical_batch(plan["tokens"], **constants))
    value = float(power(plan, **constants))
    return value * _SEQUENCE if quantity == "batch_tokens" and rule == "porian" else value


def _ranges_text(ranges: Mapping[str, tuple[float, float]], rule: str) -> str:
    texts = []
    for name, (low, high) in ranges.items():
        what = _COUNTS.get(rule, name) if name == "params" else name
        texts.append(f"{what} {low:.3g} to {high:.3g}" if low > 0 else f"{what} up to {high:.3g}")
    return ", ".join(texts)


def _no_range_notes(rules: list[dict[str, Any]]) -> list[str]:
    """Return a note if no rule applies."""
    answered = {row["quantity"] for row in rules if row["value"] is not None}
    silent = [what for quantity, what in _WHAT.items() if quantity not in answered]
    if not silent:
        return []
    return [
        f"No published rule for the {' or the '.join(silent)} was fitted on plans like this, so there is no range: sweep smaller runs "
        "(bayescale fit --model lr-surface), or start from the nearest recipes."
    ]


def _range_note(quantity: str, values: list[float]) -> str:
    what = _WHAT[quantity]
    if len(values) == 1:
        return f"Only one published rule for the {what} was fitted on such plans, so there is no range."
    return (
        f"{len(values)} published rules for the {what} were fitted on such plans and differ by a factor {max(values) / min(values):.2g}; "
        "the optimum is flat, and each belongs to its own schedule, data and parametrisation."
    )


def _weight_decay(answer: Mapping[str, Any]) -> tuple[float | None, float | None, str]:
    """Return AdamW's weight decay by its time scale, over the range of rates and batches, and a note on its basis or on what is missing."""
    rates = [answer["lr"]] * 2 if answer["lr"] else [answer["lr_lower"], answer["lr_upper"]]
    batches = (
        [answer["batch_tokens"]] * 2
        if answer["batch_tokens"]
        else [answer[f"batch_tokens_{end}"] for end in ("lower", "upper")]
    )
    missing = [
        text
        for known, text in (
            (answer["tokens"], named("tokens")),
            (rates[0], f"a learning rate, {named('lr')}"),
            (batches[0], f"a batch, {named('batch_tokens')}"),
        )
        if known is None
    ]
    if missing:
        return None, None, f"The weight decay by its time scale (arXiv:2505.13738) needs {' and '.join(missing)}."
    constants = PUBLISHED["weight_decay"]["bergsma"]["constants"]
    lower, upper = (
        float(best_weight_decay(answer["params"], answer["tokens"], batch, rate, **constants))
        for batch, rate in ((batches[0], rates[1]), (batches[1], rates[0]))
    )
    note = (
        "Weight decay by AdamW's time scale, B / (lr D tau) with tau = 1.084 (D / N)^-0.527 (arXiv:2505.13738, read in an account), over "
        "the rates and batches above: it holds for muP and linear decay to zero; published recipes use 0.1."
    )
    return lower, upper, note


def _optimiser_notes(nearest: pd.DataFrame) -> list[str]:
    others = [name for name, row in nearest.iterrows() if "Adafactor" in row["optimiser"]]
    if not others:
        return []
    return [
        f"The rate of {', '.join(map(str, others))} is for Adafactor, relative to the size of the weights: do not use it with Adam."
    ]
