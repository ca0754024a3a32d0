"""Many pieces of work, on the cores of one machine or on a Dask cluster: finished pieces are kept in a folder, and progress is shown."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Parallel, cpu_count, delayed, parallel_config

from ..errors import InputError, given
from .chunks import finished_chunk, keep_chunk

Arrays = Mapping[str, np.ndarray[Any, Any]]


@dataclass(frozen=True)
class Work:
    """Where pieces of work are done, and where they are kept.

    Attributes
    ----------
    cores : int, optional
        Processes on this machine; all cores by default. Results do not depend on it.
    scheduler : str, optional
        Address of a Dask scheduler, such as "tcp://10.0.0.1:8786", whose workers do the work instead; bayescale must be installed there.
    folder : str or path, optional
        Where finished pieces are kept. The same question after an interruption computes only what is missing.
    progressbar : bool
        Show on stderr how much is done.
    """

    cores: int | None = None
    scheduler: str | None = None
    folder: str | os.PathLike[str] | None = None
    progressbar: bool = True

    def __post_init__(self) -> None:
        if self.cores is not None and (isinstance(self.cores, bool) or self.cores < 1):
            raise InputError(f"`cores` must be an integer >= 1. Got {self.cores!r}.")
        if self.scheduler is not None and find_spec("distributed") is None:
            raise InputError(
                "A Dask scheduler needs the package `distributed`, which is not installed: pip install 'bayescale[dask]'."
            )


def each_piece(
    compute: Callable[[Any], Arrays], pieces: Sequence[Any], work: Work, place: Path | None, *, what: str
) -> list[Arrays]:
    """Return what `compute` gives for each piece, in their order.

    Parameters
    ----------
    compute : callable
        From a piece to its arrays; a function of a module, so that other processes find it.
    pieces : sequence
        What is to be computed, with a size of `len(piece)` each.
    work : Work
        Where it is done.
    place : pathlib.Path, optional
        From `open_folder`: pieces that it holds are not computed again.
    what : str
        What a piece consists of, for the progress bar, such as "fits".

    Raises
    ------
    ValueError
        If the scheduler does not answer.
    """
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress

    found = {i: finished_chunk(place, i) for i in range(len(pieces))}
    done: dict[int, Arrays] = {i: arrays for i, arrays in found.items() if arrays is not None}
    missing = [i for i in found if i not in done]
    columns = *Progress.get_default_columns(), MofNCompleteColumn()
    with Progress(*columns, console=Console(stderr=True), disable=not work.progressbar) as bar:
        task = bar.add_task(what, total=sum(map(len, pieces)), completed=sum(len(pieces[i]) for i in done))
        for i, arrays in _computed(compute, pieces, missing, work):
            keep_chunk(place, i, arrays)
            done[i] = arrays
            bar.advance(task, len(pieces[i]))
    return [done[i] for i in sorted(done)]


def _computed(
    compute: Callable[[Any], Arrays], pieces: Sequence[Any], missing: list[int], work: Work
) -> Iterator[tuple[int, Arrays]]:
    """Yield pieces as they are finished."""
    wanted = [delayed(_numbered)(compute, i, pieces[i]) for i in missing]
    if work.scheduler is None:
        cores = max(min(work.cores or cpu_count(), len(missing)), 1)
        yield from Parallel(cores, return_as="generator_unordered", max_nbytes=None)(wanted)
        return
    from distributed import Client

    try:
        client = Client(work.scheduler, timeout="60s", set_as_default=False)
    except (OSError, ValueError) as error:
        raise InputError(
            f"No Dask scheduler answers at {work.scheduler!r} ({error}); start one with `dask scheduler` and give its address, e.g. "
            f"{given(scheduler='tcp://10.0.0.1:8786')}."
        ) from None
    # One piece per task: of a lost worker only the pieces at hand are computed again.
    with client, client.as_current(), parallel_config(backend="dask", n_jobs=-1):
        yield from Parallel(return_as="generator_unordered", batch_size=1)(wanted)


def _numbered(compute: Callable[[Any], Arrays], number: int, piece: Any) -> tuple[int, Arrays]:
    return number, compute(piece)
