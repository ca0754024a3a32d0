"""`bayescale recipes`."""

from typing import Annotated, Any

import typer

from ..errors import InputError
from ..report.sentences import humanised
from ..report.units import count, number, rate
from .options import Json
from .output import print_json, print_table, print_text

_WORDS = {"lr": "learning rate", "batch_tokens": "batch, tokens per step", "weight_decay": "weight decay"}

_WRITE = {"lr": rate, "batch_tokens": count, "critical_batch_tokens": count, "weight_decay": number}


def recipes(
    name: Annotated[str | None, typer.Argument(help="Show only this recipe.")] = None,
    params: Annotated[str | None, typer.Option(help="Params of a plan, e.g. 7B.")] = None,
    tokens: Annotated[str | None, typer.Option(help="Tokens of the plan, e.g. 2T.")] = None,
    batch_tokens: Annotated[
        str | None, typer.Option(help="Tokens per step, if fixed: the weight decay is for it.")
    ] = None,
    lr: Annotated[str | None, typer.Option(help="Peak learning rate, if fixed.")] = None,
    json_: Json = False,
) -> None:
    """List published training recipes; with --params, show what published rules give, each only inside its range."""
    from ..published.recipes import recipe_for
    from ..published.recipes import recipes as list_recipes

    plan = _numbers(params=params, tokens=tokens, batch_tokens=batch_tokens, lr=lr)
    if name and plan:
        raise InputError(f"Give a recipe's name ({name}) or a plan (--params ...), not both.")
    if plan and "params" not in plan:
        raise InputError("--params is missing: rules and recipes need the size first.")
    answer = recipe_for(**plan) if plan else None
    table = list_recipes(name=name)
    table = table.loc[answer["nearest"]] if answer else table
    if json_:
        print_json({"recipes": table.reset_index().to_dict(orient="records"), "answer": answer})
    elif answer:
        _print_ranges(answer)
        for text in answer["notes"]:
            print_text(f"  {text}")
        _print_list(table, "Nearest published recipes")
        _print_rules(answer)
    elif name:
        _print_one(table)
    else:
        _print_list(table, "Published recipes")
        print_text(
            "Read: yes if taken from the paper or its code, no if from accounts of it. `bayescale recipes NAME` shows one."
        )


def _numbers(**texts: str | None) -> dict[str, float]:
    from ..runs import parse_number

    found = {}
    for name, text in texts.items():
        if text is not None:
            try:
                found[name] = parse_number(text)
            except ValueError as error:
                raise InputError(f"--{name.replace('_', '-')}: {error}") from None
    return found


def _print_list(table: Any, title: str) -> None:
    rows = [
        [
            str(name),
            count(row["params"]),
            count(row["tokens"]),
            rate(row["lr"]),
            count(row["batch_tokens"]),
            number(row["weight_decay"]),
            row["optimiser"].split(" ")[0],
            "yes" if row["verified"] else "no",
        ]
        for name, row in table.iterrows()
    ]
    print_table(title, ["recipe", "params", "tokens", "lr", "batch", "decay", "optimiser", "read"], rows)


def _print_one(table: Any) -> None:
    row = table.iloc[0]
    cells = []
    for column in table.columns:
        value = row[column]
        if column in ("params", "tokens", "batch_tokens", "batch_tokens_first"):
            text = count(value)
        elif isinstance(value, str):
            text = value or "-"
        elif column == "verified":
            text = "yes" if value else "no"
        else:
            text = number(value)
        cells.append([column.replace("_", " "), text])
    print_table(str(table.index[0]), ["", ""], cells, numeric=False)


def _print_ranges(answer: dict[str, Any]) -> None:
    plan = f"{count(answer['params'])} params"
    if answer["tokens"] is not None:
        plan += f", {count(answer['tokens'])} tokens"
    rows = []
    for quantity, words in _WORDS.items():
        lower, upper = answer[f"{quantity}_lower"], answer[f"{quantity}_upper"]
        rows.append([words, "-" if lower is None else f"{_WRITE[quantity](lower)} to {_WRITE[quantity](upper)}"])
    rows += [["warm-up (of the nearest)", answer["warmup"]], ["schedule (of the nearest)", answer["schedule"]]]
    print_table(f"For {plan}", ["", "range of the rules that apply"], rows, numeric=False)


def _print_rules(answer: dict[str, Any]) -> None:
    rules = [
        [
            {"lr": "lr", "batch_tokens": "batch"}.get(row["quantity"], "critical batch"),
            row["rule"],
            "-" if row["value"] is None else _WRITE[row["quantity"]](row["value"]),
            humanised(row["reason"]) or f"fitted on {row['fitted_on']}",
        ]
        for row in answer["rules"]
    ]
    print_table("Rules", ["", "rule", "value", "why"], rules, numeric=False)
