"""The model of a fit from its options: a name, a file or a formula, and what is changed in it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Annotated, Any

import typer

from ..errors import InputError
from ..report.units import number
from .options import law_options, names_of, pairs
from .output import print_notes, print_table, print_text

_ALONE = "chinchilla"  # the law of options that are about one
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
Spread = Annotated[
    float | None,
    typer.Option(
        "--spread",
        help="Share of the posterior's spread that forecasts and sizes keep. Default: 1; of an average of laws of params and tokens, less "
        "where its forecasts of the larger runs from the smaller ones were off by less than their bands allow.",
    ),
]
PriorKind = Annotated[
    str,
    typer.Option(
        "--priors",
        help="learnt: what public suites tell counts too, where a model has it; vague: the model's own wide priors alone.",
    ),
]


@dataclass(frozen=True)
class Asked:
    """The models that the options of `fit` ask for.

    Attributes
    ----------
    models : tuple of str
        Names or files; none for what the table can support.
    law : str, optional
        A formula.
    prior, covariate, inputs, option : list of str, optional
        As given.
    response : str, optional
        Column that is explained.
    noise : dict
        What is changed of the noise.
    drift : float, optional
        Drift per decade instead of the model's own.
    spread : float, optional
        Share of the posterior's spread that forecasts keep.
    priors : str
        As for `ModelSpec.with_priors`.
    """

    models: tuple[str, ...] = ()
    law: str | None = None
    prior: list[str] | None = None
    covariate: list[str] | None = None
    inputs: list[str] | None = None
    option: list[str] | None = None
    response: str | None = None
    noise: dict[str, float] = field(default_factory=dict)
    drift: float | None = None
    spread: float | None = None
    priors: str = "learnt"

    @property
    def single(self) -> bool:
        """Whether one law is fitted: it is named, or an option is about the inside of one."""
        return self.law is not None or len(self.models) == 1 or bool(not self.models and self._inside())

    @property
    def name(self) -> str:
        """What was fitted, for a report."""
        return self.law or ", ".join(self.models) or (_ALONE if self.single else "auto")

    def _inside(self) -> str:
        options = {"--prior": self.prior, "--covariate": self.covariate, "--option": self.option}
        return next((name for name, given in options.items() if given), "")

    def spec(self, columns: Iterable[str] | None) -> Any:
        """Return the one spec, as `model_spec`."""
        spec = model_spec(
            columns,
            model=self.models[0] if self.models else None,
            law=self.law,
            inputs=self.inputs,
            option=self.option,
            response=self.response,
            noise=dict(self.noise),
            prior=self.prior,
            covariate=self.covariate,
            priors=self.priors,
        )
        return spec.changed(self._drift()) if spec else None

    def _drift(self) -> dict[str, Any]:
        if self.drift is not None and not 0 <= self.drift < float("inf"):
            raise InputError(f"--drift must be a number >= 0, e.g. 0.0075. Got {self.drift:g}.")
        if self.spread is not None and not 0 < self.spread <= 1:
            raise InputError(f"--spread must lie above 0 and be at most 1, which keeps all. Got {self.spread:g}.")
        asked = {"per_decade": self.drift, "spread": self.spread}
        found = {key: value for key, value in asked.items() if value is not None}
        return {"drift": found} if found else {}

    def check(self) -> None:
        """Raise ValueError if the options make no sense, whatever the table."""
        from ..spec import load_spec

        load_spec(_ALONE).with_priors(self.priors)  # a misspelt kind must not pass with a formula
        if self.single:
            self.spec(None)
            return
        if inside := self._inside():
            raise InputError(f"{inside} is about one law, but --model names {len(self.models)}: give one model.")
        for name in self.models or (_ALONE,):
            load_spec(name).with_priors(self.priors).changed(
                self.changes() if self.x is None else {"noise": self.noise, **self._drift()}
            )

    @property
    def x(self) -> str | None:
        """The column of a curve's one input."""
        first, *more = self.inputs or [""]
        bare = first.removeprefix("x=")
        return bare if bare and not more and "=" not in bare else None

    def changes(self) -> dict[str, Any]:
        """Return what is changed in every model."""
        found: dict[str, Any] = {"noise": dict(self.noise), **self._drift()}
        if self.response is not None:
            found["response"] = self.response
        return found if self.x is not None else {**found, "inputs": pairs("--input", self.inputs)}

    def columns(self) -> tuple[str, ...]:
        """Return the columns that are wanted of the table."""
        if not self.single:
            response, inputs = self.response or "loss", self.changes().get("inputs", {}).values()
            return (self.x, response) if self.x else tuple(dict.fromkeys(("params", "tokens", *inputs, response)))
        spec = self.spec(None)
        return (*spec.inputs.values(), *spec.local_columns, spec.response) if spec else (self.response or "loss",)

    def fit(self, table: Any, **how: Any) -> Any:
        """Fit one law, or several and their average."""
        from ..calibrate.laws import AUTO, fit_laws
        from ..posterior import fit

        if self.single:
            return fit(self.spec(table.columns), table, **how)
        return fit_laws(table, self.models or AUTO, x=self.x, changes=self.changes(), priors=self.priors, **how)


def say_notes(asked: Asked, table: Any) -> None:
    """Print the notes on a table before a long sampling, with what is to be said about the law."""
    from ..spec.formulas import rising_note

    notes = {**table.attrs["notes"]}
    if asked.single and (note := rising_note(asked.spec(table.columns))):
        notes["rises"] = note
    if asked.single and not asked.models and asked.law is None:
        notes["one_law"] = (
            f"One law is fitted, {_ALONE}, because {asked._inside()} is about one; --model names another."
        )
    table.attrs["notes"] = notes
    print_notes(notes)


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
    priors: str = "learnt",
) -> Any:
    """Return the spec that the options ask for; None for a formula as long as the columns of the table are not known."""
    from ..spec import formula_spec, load_spec
    from ..spec.own import check_law, is_formula, prior_changes
    from ..spec.prior import prior_entry

    own = {name: prior_entry(name, text) for name, text in pairs("--prior", prior).items()}
    moved = {name: names_of("--covariate", text) for name, text in pairs("--covariate", covariate).items()}
    scale: dict[str, Any] = {name: value for name, value in noise.items() if value is not None}
    if law is None:
        spec = load_spec(model or _ALONE).with_priors(priors)
        changes = prior_changes(spec.get_law(), own, is_formula(spec.law))
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
    scale |= {name: own.pop(name) for name in ("sigma", "nu") if name in own}
    spec = formula_spec(law, columns=columns, response=response or "loss", inputs=given, priors=own)
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
