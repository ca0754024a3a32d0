"""What the words mean, and how to make the same page again."""

import hashlib
import json
import platform
from collections.abc import Mapping
from importlib import metadata

import xarray as xr

from ... import __version__
from ..findings import Findings
from ..page import Block, Command, Picture, Section, Table, Terms, Text
from ..plain import GLOSSARY
from .runs import fitted_runs

_PACKAGES = ("numpy", "scipy", "pandas", "xarray", "arviz", "pymc")


def glossary(found: Findings, pictures: Mapping[str, Picture]) -> Section:
    """Return the section of terms."""
    return Section("glossary", "Glossary", (Terms(GLOSSARY),), {"terms": dict(GLOSSARY)})


def runs_hash(idata: xr.DataTree) -> str:
    """Return the SHA-256 of the fitted runs: of their names, inputs and responses, to twelve digits, whatever the order of rows."""
    table = fitted_runs(idata)
    rows = sorted([row.run, *(f"{value:.12g}" for value in row[2:])] for row in table.itertuples())
    return hashlib.sha256(json.dumps([list(table.columns), rows]).encode()).hexdigest()


def reproduce(found: Findings, pictures: Mapping[str, Picture]) -> Section:
    """Return the commands, versions and seeds behind the page."""
    attrs = found.idata.attrs
    commands = [str(text) for text in (attrs.get("command"), found.command) if text]
    seeds = {"fit": int(attrs["random_seed"])}
    if found.question.random_seed is not None:
        seeds["report"] = found.question.random_seed
    versions = {
        "bayescale": __version__,
        "bayescale of the fit": str(attrs.get("bayescale_version", "-")),
        "Python": platform.python_version(),
    }
    versions |= {name: _version(name) for name in _PACKAGES}
    digest = runs_hash(found.idata)
    values = {
        **versions,
        **{f"seed of the {name}": str(seed) for name, seed in seeds.items()},
        "SHA-256 of the runs": digest,
    }
    blocks: list[Block] = (
        [Command("\n".join(commands))]
        if commands
        else [Text("The fit was made in Python, so no command is stored in it.")]
    )
    blocks.append(Table("Versions, seeds and data", ("what", "value"), tuple(values.items()), words=("value",)))
    return Section(
        "reproduce",
        "How to reproduce this page",
        tuple(blocks),
        {"commands": commands, "versions": versions, "seeds": seeds, "runs_sha256": digest},
    )


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "-"
