"""Finds model files: in the wheel's copy inside the package, else in the checkout's `models/`, or by path."""

import tomllib
from pathlib import Path

import pandas as pd

from ..errors import InputError, suggest
from .spec import ModelSpec, parse_spec

_PACKAGE = Path(__file__).parents[1]
_PROJECT = "bayescale"


def model_folders() -> list[Path]:
    """Folders that hold model files: the wheel's own copy, else the checkout's (an editable install has none of its own)."""
    own, beside = _PACKAGE / "models", _PACKAGE.parent / "models"
    if own.is_dir():
        return [own]
    return [beside] if beside.is_dir() and _is_checkout(_PACKAGE.parent) else []


def _is_checkout(folder: Path) -> bool:
    """Whether a folder is this project's; in site-packages the `models/` beside the package is someone else's."""
    try:
        project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8")).get("project")
    except (OSError, ValueError):  # none, no text, or no TOML
        return False
    return isinstance(project, dict) and project.get("name") == _PROJECT


def _model_files() -> dict[str, Path]:
    return {path.stem: path for folder in model_folders() for path in sorted(folder.glob("*.toml"))}


def load_spec(model: str | Path) -> ModelSpec:
    """Read a model by name, as `bayescale models` lists them, or from a TOML file.

    Parameters
    ----------
    model : str or path
        ``"chinchilla"``, or a path that ends in ``.toml``.

    Returns
    -------
    ModelSpec

    Raises
    ------
    ValueError
        If there is no such model, or the file breaks a rule; one line per problem.

    Examples
    --------
    >>> load_spec("chinchilla").noise.fade
    0.06
    """
    if str(model).endswith(".toml"):
        path = Path(model)
        if not path.is_file():
            raise InputError(f"There is no model file '{path}'.")
    else:
        files = _model_files()
        if str(model) not in files:
            raise InputError(
                f"There is no model '{model}'; there are {', '.join(files)}.{suggest(model, files)} A file of your own ends in .toml."
            )
        path = files[str(model)]
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"Model file '{path}' cannot be read as text: {error}.") from None
    return parse_spec(text, name=path.name)


def list_models() -> pd.DataFrame:
    """Return the models that ship: one row each, with title, law, inputs and reference.

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
