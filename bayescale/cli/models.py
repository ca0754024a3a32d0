"""The model of a fit from its options: a name, a file or a formula, and what is changed in it."""

from collections.abc import Iterable
from typing import Annotated, Any

import typer

from ..errors import InputError
from .options import law_options, names_of, pairs
from .output import number, print_table, print_text

Law = Annotated[
    str | None,
    typer.Option(
        "--law",
        metavar="FORMULA",
        help="A law of your own instead of a model, e.g. 'E + A / params**alpha + B / tokens**beta'; names of columns are inputs.",
    ),
]
Covariates = Annotated[
    list[str] | None,
    typer.Option(
        "--covariate",
        metavar="CONSTANT=COLUMN,...",
        help="Columns that move a constant of the law, e.g. T=warmup,dropout or lr_coef=warmup in a sweep; repeatable.",
    ),
]
Priors = Annotated[
    list[str] | None,
    typer.Option(
        "--prior",
        metavar="NAME=PRIOR",
        help="Prior of a parameter, or of a role of a formula, e.g. 'alpha=Uniform(0.1, 1)'; repeatable.",
    ),
]


def model_spec(
    columns: Iterable[str] | None,
    *,
    model: str | None,
    law: str | None,
    inputs: list[str] | None,
    option: list[str] | None,
    response: str | None,
    noise: dict[str, float | None],
    prior: list[str] | None,
    covariate: list[str] | None,
) -> Any:
    """Return the spec that the options ask for; None for a formula as long as the columns of the table are not known."""
    from ..spec import formula_spec, load_spec
    from ..spec.own import check_law, is_formula, prior_changes
    from ..spec.prior import prior_entry

    priors = {name: prior_entry(name, text) for name, text in pairs("--prior", prior).items()}
    moved = {name: names_of("--covariate", text) for name, text in pairs("--covariate", covariate).items()}
    scale: dict[str, Any] = {name: value for name, value in noise.items() if value is not None}
    if law is None:
        spec = load_spec(model or "chinchilla")
        changes = prior_changes(spec.get_law(), priors, is_formula(spec.law))
        overlay = {
            "inputs": _inputs(inputs, list(spec.inputs)),
            "options": law_options(option),
            "priors": changes["priors"],
            "noise": {**scale, **changes["noise"]},
            "covariates": moved,
        }
        return spec.changed(overlay if response is None else {**overlay, "response": response})
    if model is not None:
        raise InputError(
            f"--law and --model exclude each other. Got --law {law!r} and --model {model!r}; leave one out."
        )
    if option:
        raise InputError(f"--option is for built-in laws; a formula takes none. Got {option[0]!r}.")
    if not is_formula(law):
        raise InputError(
            f"--law takes a formula such as 'E + A * tokens**-alpha'. Got {law!r}; for a name use --model."
        )
    check_law(law)
    given = _inputs(inputs, ["x"])
    if columns is None:
        from ..laws.formula.law import formula_names

        formula_names(law, tuple(given))
        return None
    scale |= {name: priors.pop(name) for name in ("sigma", "nu") if name in priors}
    spec = formula_spec(law, columns=columns, response=response or "loss", inputs=given, priors=priors)
    return spec.changed({"noise": scale, "covariates": moved})


def _inputs(texts: list[str] | None, names: list[str]) -> dict[str, str]:
    """Read --input; a bare column is the input of a law with only one, x of a formula."""
    full = [f"{names[0]}={text}" if "=" not in text and len(names) == 1 else text for text in texts or ()]
    return pairs("--input", full)


def print_priors(spec: Any) -> None:
    """Print the roles and priors of a formula, or the changed priors of a model."""
    from ..spec.own import is_formula, sampled_roles

    if is_formula(spec.law):
        rows = [list(row) for row in sampled_roles(spec.law, tuple(spec.inputs), spec.priors)]
        columns = ", ".join(k if k == v else f"{k} (column '{v}')" for k, v in spec.inputs.items())
        print_table(f"{spec.law}, inputs: {columns}", ["sampled", "role", "prior", "is"], rows, numeric=False)
        return
    changed = spec.changes.get("priors", {})
    if changed:
        rows = [[name, str(spec.priors[name])] for name in changed if name in spec.priors]
        print_table("Changed priors", ["sampled", "prior"], rows, numeric=False)


def print_covariates(spec: Any, data: Any) -> None:
    """Say what the slopes of covariates mean."""
    for name, columns in spec.covariates.items():
        what = "the loss of a run" if name == spec.get_law().level else name
        for column in columns:
            sd = number(float(data[f"{column}_sd"]), 3)
            print_text(f"{name}_{column} is the change of ln({what}) per {sd} of {column}, one sd of the runs.")
