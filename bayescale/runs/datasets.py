"""Data sets by name: one is bundled with the package, the others are read from a folder, and one can be downloaded.

Tables of other projects are never copied into this one. Each is listed with its source and the licence stated
there.
"""

import logging
import os
from importlib import resources
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from ..errors import InputError
from .delimited import read_delimited
from .files import read_file
from .values import one_line


class DataSet(NamedTuple):
    """A data set: its file, what it contains and where it comes from; `size` is in bytes."""

    file: str
    rows: int
    size: int
    loss_unit: str
    source: str
    licence: str


_COMMIT = "92258837425e1b5f2851d624287f0120583a3d0e"
_SOURCE_FILE = "data/svg_extracted_data.csv"
CHINCHILLA_URL = f"https://raw.githubusercontent.com/epoch-research/analyzing-chinchilla/{_COMMIT}/{_SOURCE_FILE}"
CHINCHILLA_SHA256 = "193478df4e90f040016431996c45682659306840ecdadf83cfb9cd5ca0aa1b30"
_CHINCHILLA_NAME = "svg_extracted_data.csv"

DATASETS = {
    "kernel-bytes": DataSet(
        "runs.csv", 128, 26_202, "nats/byte", "trained for this project (benchmarks/tinyruns)", "Apache-2.0"
    ),
    "chinchilla": DataSet(
        "chinchilla.csv",
        245,
        32_645,
        "nats/token",
        "epoch-research/analyzing-chinchilla; Besiroglu et al. 2024, arXiv:2404.10102",
        "none found",
    ),
    "datablations": DataSet(
        "datablations.csv",
        309,
        33_467,
        "nats/token",
        "huggingface/datablations; Muennighoff et al. 2023, arXiv:2305.16264",
        "Apache-2.0",
    ),
    "overtraining": DataSet(
        "overtraining.csv",
        104,
        66_922,
        "nats/token",
        "mlfoundations/scaling; Gadre et al. 2024, arXiv:2403.08540",
        "MIT",
    ),
    "extrapolation-benchmark": DataSet(
        "extrapolation_benchmark.csv",
        10_373,
        1_076_088,
        "by task (error rate, log-perplexity, ...)",
        "google-research/google-research, revisiting_neural_scaling_laws; Alabdulmohsin et al. 2022, arXiv:2209.06640",
        "Apache-2.0",
    ),
    "bnsl-four-digit-addition": DataSet(
        "bnsl_four_digit_addition.csv",
        17,
        903,
        "nats",
        "ethancaballero/broken_neural_scaling_laws; Caballero et al. 2023, arXiv:2210.14891",
        "none found",
    ),
}


def datasets() -> pd.DataFrame:
    """Return the data sets that `read_runs` knows by name.

    Returns
    -------
    pandas.DataFrame
        One row per data set: `name`, `rows`, `size` (bytes), `loss_unit`, `source`, `licence`, `how` (how to
        get it) and `available` (whether it can be read now without a download).

    Examples
    --------
    >>> datasets().set_index("name").loc["kernel-bytes", "rows"]
    np.int64(128)
    """
    table = pd.DataFrame([{"name": name, **data._asdict()} for name, data in DATASETS.items()])
    table["how"] = [_how(name) for name in DATASETS]
    table["available"] = [_is_available(name) for name in DATASETS]
    return table.drop(columns="file")


def read_dataset(name: str) -> pd.DataFrame:
    """Return the raw cells of a data set.

    Parameters
    ----------
    name : str
        A key of `DATASETS`.

    Returns
    -------
    pandas.DataFrame
        Text cells as in the file.

    Raises
    ------
    ValueError
        If the file is missing and cannot be downloaded.
    """
    data = DATASETS[name]
    if name == "kernel-bytes":
        bundled = resources.files(__package__).joinpath("data", data.file)
        return read_delimited(bundled.read_text(encoding="utf-8").splitlines(keepends=True), ",", data.file)
    folder = data_folder()
    if folder is not None and (folder / data.file).exists():
        return read_file(folder / data.file)
    if name == "chinchilla":
        return reshape_chinchilla(read_file(_download_chinchilla()))
    raise InputError(
        f"Data set '{name}' is read only from the folder in the environment variable BAYESCALE_DATA, as {data.file}; "
        f"{'the variable is not set' if folder is None else f'{folder} has no such file'}. Source: {data.source}."
    )


def data_folder() -> Path | None:
    """Return the folder with data of other projects, from the environment variable BAYESCALE_DATA, or None if it is not set."""
    named = os.environ.get("BAYESCALE_DATA")
    return Path(named).expanduser() if named else None


def reshape_chinchilla(source: pd.DataFrame) -> pd.DataFrame:
    """Return the runs of the table that Besiroglu et al. extracted from a figure of Hoffmann et al.

    Parameters
    ----------
    source : pandas.DataFrame
        Cells of `svg_extracted_data.csv`: position and colour in the figure, `Model Size`, `Training FLOP`
        and `loss`.

    Returns
    -------
    pandas.DataFrame
        Columns run, family, params, tokens (= flops / (6 params)), flops, loss, hex_color, svg_x, svg_y and
        in_fit (0 for the five largest losses, which Besiroglu et al. leave out).
    """
    params, flops, loss = (source[name].astype(float) for name in ("Model Size", "Training FLOP", "loss"))
    return pd.DataFrame(
        {
            "run": [f"chinchilla-{row:03d}" for row in range(len(source))],
            "family": "chinchilla",
            "params": params,
            "tokens": flops / (6 * params),
            "flops": flops,
            "loss": loss,
            "hex_color": source["hex_color"],
            "svg_x": source["x"].astype(float),
            "svg_y": source["y"].astype(float),
            "in_fit": (loss < 3.446995).astype(int),
        }
    )


def _cache() -> Path:
    import pooch

    return Path(pooch.os_cache("bayescale"))


def _download_chinchilla() -> Path:
    """Return the source file of chinchilla from the cache; download it first if necessary."""
    import pooch

    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        found = pooch.retrieve(CHINCHILLA_URL, CHINCHILLA_SHA256, fname=_CHINCHILLA_NAME, path=_cache())
    except (OSError, ValueError) as error:  # no network, refused, or not the pinned file
        raise InputError(
            f"Data set 'chinchilla' could not be downloaded ({type(error).__name__}: {one_line(error)}) from "
            f"{CHINCHILLA_URL}; try again, or put chinchilla.csv into the folder in BAYESCALE_DATA."
        ) from error
    finally:
        logger.setLevel(level)
    return Path(found)


def _is_available(name: str) -> bool:
    folder = data_folder()
    if name == "kernel-bytes" or (folder is not None and (folder / DATASETS[name].file).exists()):
        return True
    return name == "chinchilla" and (_cache() / _CHINCHILLA_NAME).exists()


def _how(name: str) -> str:
    if name == "kernel-bytes":
        return "bundled"
    if name == "chinchilla":
        return "from the folder BAYESCALE_DATA, otherwise downloaded once"
    return "from the folder BAYESCALE_DATA only"
