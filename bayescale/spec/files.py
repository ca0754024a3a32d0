"""Find model files: in the wheel's copy inside the package, otherwise in the checkout's `models/`, or by path."""

import tomllib
from pathlib import Path

import pandas as pd

from ..errors import InputError, suggest
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
    """Read a model from a TOML file, or by its name in the list of `bayescale models`.

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
        If there is no such model, or the file is not valid; one line per problem.

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
                f"There is no model '{model}'; the models are {', '.join(files)}.{suggest(model, files)} A file of your own ends in .toml."
            )
        path = files[str(model)]
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"Model file '{path}' cannot be read as text: {error}.") from None
    return parse_spec(text, name=path.name)


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
