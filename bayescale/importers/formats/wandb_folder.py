"""Weights & Biases run folder without its .wandb file: configuration and the last value of each metric."""

import re
from pathlib import Path
from typing import Any

from ..format import Format
from ..log import Log
from .reading import wandb_steps
from .reading.safe import Unreadable, flat, head_text, read_json, read_yaml

TITLE = "wandb run folder"


def recognises(path: Path) -> bool:
    """Return whether the path is such a folder, or a config.yaml written by W&B."""
    if path.is_dir():
        return any((path / "files" / name).is_file() for name in ("wandb-summary.json", "config.yaml"))
    return path.suffix in (".yaml", ".yml") and bool(
        re.search(r"^(?:_wandb|wandb_version):", head_text(path), re.MULTILINE)
    )


def read(path: Path) -> list[Log]:
    """Return the run; a configuration without a summary gives a log without points."""
    files = path / "files" if path.is_dir() else path.parent
    config_file = files / "config.yaml" if path.is_dir() else path
    summary_file = files / "wandb-summary.json"
    config = configuration(config_file) if config_file.is_file() else {}
    summary: Any = read_json(summary_file) if path.is_dir() and summary_file.is_file() else {}
    if not isinstance(summary, dict):
        raise Unreadable(f"{summary_file.name} does not contain metrics.")
    row = {key: value for key, value in summary.items() if not isinstance(value, dict)}
    found = wandb_steps.history([row] if row else [], path.name)
    name = path.name.rsplit("-", 1)[-1] if path.is_dir() else path.stem
    return [
        Log(
            run=name,
            source=path.name,
            format=TITLE if path.is_dir() else "wandb config",
            **found._asdict(),
            config=config,
            summary=True,
            identity=f"{path.parent.resolve()} {name}" if path.is_dir() else "",
            started=wandb_steps.started(path),
        )
    ]


def configuration(path: Path) -> dict[str, Any]:
    """Return the flat configuration of a config.yaml in the new or old style, without W&B's bookkeeping."""
    tree = read_yaml(path)
    if not isinstance(tree, dict):
        raise Unreadable(f"{path.name} does not contain a configuration.")
    bare = {
        str(key): item["value"] if isinstance(item, dict) and "value" in item else item
        for key, item in tree.items()
        if key not in ("_wandb", "wandb_version")
    }
    return flat(bare)


FORMAT = Format("wandb-folder", TITLE, recognises, read, rank=20, on_folders=True, has_all_digits=True)
