"""Find model files: in the wheel's copy inside the package, otherwise in the checkout's `models/`, or by path.

For a formula, write one.
"""

import json
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ..errors import InputError, suggest
from .own import check_law, check_prior_names, completed, formula_inputs, is_formula, sampled_roles
from .prior import read_prior
from .spec import ModelSpec, parse_spec

_PACKAGE = Path(__file__).parents[1]
_PROJECT = "bayescale"


def model_folders() -> list[Path]:
    """Folders of model files: the wheel's own copy, otherwise the checkout's (an editable install has no copy)."""
    own, beside = _PACKAGE / "models", _PACKAGE.parent / "models"
    if own.is_dir():
        return [own]
    return [beside] if beside.is_dir() and _is_checkout(_PACKAGE.parent) else []


def _is_checkout(folder: Path) -> bool:
    """Whether a folder is this project's; in site-packages a `models/` next to the package belongs to another project."""
    try:
        project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8")).get("project")
    except (OSError, ValueError):  # missing, not text, or not TOML
        return False
    return isinstance(project, dict) and project.get("name") == _PROJECT


def _model_files() -> dict[str, Path]:
    return {path.stem: path for folder in model_folders() for path in sorted(folder.glob("*.toml"))}


def load_spec(model: str | Path) -> ModelSpec:
    """Read a model from a TOML file, or by its name in the list of `bayescale models`; or write one for a formula.

    Parameters
    ----------
    model : str or path
        ``"chinchilla"``, a path that ends in ``.toml``, or a formula in known columns such as ``"E + A * tokens**-alpha"``
        (`formula_spec` takes other columns).

    Returns
    -------
    ModelSpec

    Raises
    ------
    ValueError
        If there is no such model, or the file is not valid; one line per problem.

    Examples
    --------
    >>> load_spec("chinchilla").noise.fade
    0.06
    """
    if isinstance(model, str) and is_formula(model) and not model.endswith(".toml"):
        return formula_spec(model)
    if str(model).endswith(".toml"):
        path = Path(model)
        if not path.is_file():
            raise InputError(f"There is no model file '{path}'.")
    else:
        files = _model_files()
        if str(model) not in files:
            raise InputError(
                f"There is no model '{model}'; the models are {', '.join(files)}.{suggest(model, files)} A file of your own ends in .toml."
            )
        path = files[str(model)]
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"Model file '{path}' cannot be read as text: {error}.") from None
    return parse_spec(text, name=path.name)


def formula_spec(
    law: str,
    *,
    columns: Iterable[str] = (),
    response: str = "loss",
    inputs: Mapping[str, str] | None = None,
    priors: Mapping[str, Mapping[str, Any]] | None = None,
) -> ModelSpec:
    """Write a model for a law of one's own.

    Parameters
    ----------
    law : str
        A formula of + - * / **, exp, log, parentheses, numbers and names, at most 200 characters. Names of inputs and of known columns
        (params, tokens, flops, steps, lr, ...; N and D for params and tokens) are inputs, all others are parameters.
    columns : iterable of str
        Columns of the table, whose names are inputs too.
    response : str
        Column that the law explains.
    inputs : mapping of str to str, optional
        Name in the formula -> column, for names that are not columns.
    priors : mapping of str to mapping, optional
        Prior of a parameter, of a sampled parameter or of a role, as in a model file; needed for a parameter whose place gives none.

    Returns
    -------
    ModelSpec
        Its `text` is a model file with all priors.

    Raises
    ------
    ValueError
        In one line, if the text is not a formula, has no input, or the runs cannot determine a parameter.

    Examples
    --------
    >>> str(formula_spec("E + A * tokens**-alpha").priors["log_alpha"])
    'Normal(mu=-1.0498, sigma=0.4)'
    """
    check_law(law)
    found = formula_inputs(law, response, columns, inputs)
    check_prior_names(law, tuple(found), priors or ())
    table = completed({"law": law, "response": response, "inputs": found, "priors": dict(priors or {})}, ())
    return parse_spec(_written(table), name="law")


def _written(table: Mapping[str, Any]) -> str:
    """Return the table of a formula's model as the text of a file, with the role of each parameter beside its prior."""
    names = tuple(table["inputs"])
    read = {name: read_prior(name, entry) for name, entry in table["priors"].items()}
    roles = {name: f"{role}: {means}" for name, role, _, means in sampled_roles(table["law"], names, read)}
    lines = [f"{key} = {_toml(table[key])}" for key in ("title", "law", "reference", "response", "inputs")]
    lines += ["", "[priors]", *(f"{key} = {_toml(entry)}  # {roles[key]}" for key, entry in table["priors"].items())]
    for key in ("noise", "drift"):
        lines += ["", f"[{key}]", *(f"{name} = {_toml(value)}" for name, value in table[key].items())]
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{json.dumps(str(key))} = {_toml(one)}" for key, one in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(float(value))


def list_models() -> pd.DataFrame:
    """Return the models of this package: one row each, with title, law, inputs and reference.

    Examples
    --------
    >>> "chinchilla" in list_models().index
    True
    """
    specs = {name: load_spec(path) for name, path in _model_files().items()}
    rows = [
        {
            "title": spec.title,
            "law": spec.law,
            "inputs": ", ".join(spec.inputs.values()),
            "reference": spec.reference,
        }
        for spec in specs.values()
    ]
    return pd.DataFrame(rows, index=pd.Index(specs, name="model"))
