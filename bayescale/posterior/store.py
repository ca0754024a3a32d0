"""Save fits in netCDF, completely or not at all, and read them back, with a one-line error if a file is not a fit."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import xarray as xr

from ..errors import InputError
from ..files import check_target, kind_of, write_file
from ..spec.spec import ModelSpec, parse_spec
from .netcdf import to_netcdf
from .whole import fault_of

FORMAT = 2
_HDF5 = b"\x89HDF\r\n\x1a\n"
DECIDING = ("posterior", "constant_data", "observed_data")


def save_fit(idata: xr.DataTree, path: str | Path) -> Path:
    """Write a fit, completely or not at all: whatever happens, `path` holds the whole new fit or what it held before.

    Parameters
    ----------
    idata : xarray.DataTree
        From `fit`.
    path : str or path
        Usually ends in ``.nc``.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    ValueError
        If `path` cannot be written, is not a regular file, or exists and is not a fit.

    Examples
    --------
    >>> save_fit(idata, "fit.nc")  # doctest: +SKIP
    """
    check_replaceable(path)
    return write_file(path, to_netcdf(idata))


def check_replaceable(path: str | Path, *, size: int = 0) -> None:
    """Raise ValueError if a fit of at least `size` bytes cannot be written, or would replace something else, such as a table."""
    target = check_target(path, size=size)
    if target.is_file() and target.stat().st_size and not is_netcdf(target):
        raise InputError(f"'{path}' exists and is not a fit, so it is not overwritten; give another path, e.g. fit.nc.")


def failed_path(path: str | Path) -> Path:
    """Return where a fit is kept that was meant for `path` but failed its check: fit.failed.nc for fit.nc."""
    path = Path(path)
    return path.with_name(f"{path.name.removesuffix('.nc').removesuffix('.failed')}.failed.nc")


def is_netcdf(path: Path) -> bool:
    """Whether a file starts as netCDF 4 (HDF5) does."""
    with path.open("rb") as file:
        return file.read(len(_HDF5)) == _HDF5


def _is_text(path: Path) -> bool:
    """Whether a file begins with a letter and has no zero byte near its start, as netCDF of any kind has."""
    with path.open("rb") as file:
        start = file.read(1000)
    return start[:1].isalpha() and b"\0" not in start


def load_fit(path: str | Path, *, groups: Sequence[str] | None = None) -> xr.DataTree:
    """Read a fit.

    Parameters
    ----------
    path : str or path
        A file from `save_fit`.
    groups : sequence of str, optional
        Read only these groups, e.g. `DECIDING` for forecasts and decisions; reading all groups takes twice as long.

    Returns
    -------
    xarray.DataTree

    Raises
    ------
    ValueError
        If the file is missing, broken, or not a fit in a format that this version reads.

    Examples
    --------
    >>> idata = load_fit("fit.nc")  # doctest: +SKIP
    """
    path = Path(path)
    kind = kind_of(path)
    if kind and kind != "a folder":  # opening it could wait for ever
        raise InputError(f"'{path}' is {kind}, not a fit; give a file from `save_fit` (bayescale fit RUNS --out FILE).")
    if not path.is_file() and (failed := failed_path(path)).is_file():
        raise InputError(
            f"There is no fit '{path}', only '{failed}', whose check failed: `bayescale check {failed}` says why; then fit again."
        )
    if not path.is_file():
        raise InputError(f"There is no fit '{path}'; `save_fit` (bayescale fit RUNS --out {path}) makes one.")
    if _is_text(path):
        raise InputError(
            f"'{path}' is not a readable fit: it is a text file, such as a table of runs. Fit it first: bayescale fit {path} --out fit.nc"
        )
    try:
        idata = _read(path, groups)
    except Exception as error:  # a broken file can raise anything in h5py; the user needs one line, not the type
        reason = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        raise InputError(
            f"'{path}' is not a readable fit (broken, truncated, or another kind of file): {reason}."
        ) from None
    _check_fit(path, idata)
    if groups is None or {"posterior", "constant_data"} <= set(groups):
        check_whole(path, idata)
    return idata


def _read(path: Path, groups: Sequence[str] | None) -> xr.DataTree:
    if groups is None:
        with xr.open_datatree(path, engine="h5netcdf") as tree:
            return tree.load()
    fits = [f"{name}/" for name in json.loads(_load_group(path, "").attrs.get("weights", "{}"))]  # of an average
    names = ["", *(fit.rstrip("/") for fit in fits), *(f"{fit}{name}" for fit in fits or [""] for name in groups)]
    return xr.DataTree.from_dict({f"/{name}": _load_group(path, name) for name in names})


def _check_fit(path: Path, idata: xr.DataTree) -> None:
    """Raise ValueError if what was read is not a fit, or has another format."""
    found = idata.attrs.get("bayescale_format")
    try:
        fit_weights(idata)
    except (ValueError, AttributeError, TypeError):
        raise InputError(
            f"'{path}' is not a complete fit: its weights cannot be read. Average the fits again."
        ) from None
    fits = [idata[name] for name in fit_weights(idata) if name in idata.children] if is_average(idata) else [idata]
    if found is None or not fits or any("posterior" not in one.children for one in fits):
        raise InputError(f"'{path}' is netCDF but not a bayescale fit: it has no `bayescale_format` or no posterior.")
    needed = ("spec", "check", "params_kind", "loss_unit", "random_seed")
    missing = [name for name in needed if any(name not in one.attrs for one in fits)]
    if str(found) != str(FORMAT):
        command = idata.attrs.get("command")
        again = f"Fit again: {command}" if command else "Fit again, or use the version that wrote it."
        raise InputError(f"'{path}' has fit format {found}; this version reads {FORMAT}. {again}")
    if missing:
        raise InputError(f"'{path}' is not a complete fit: it lacks {', '.join(missing)}. Fit again.")


def check_whole(path: str | Path, idata: xr.DataTree, *, checked: bool = False) -> None:
    """Raise ValueError if a fit, or one of an average, lacks what answers need or, if `checked`, what `check_fit` reads."""
    for name, one in weighed_fits(idata).items():
        fault = fault_of(one, checked=checked)
        if fault:
            of = f" (fit '{name}')" if name else ""
            raise InputError(f"'{path}'{of} is not a complete fit: {fault}. Fit again.")


def _load_group(path: Path, name: str) -> xr.Dataset:
    with xr.open_dataset(path, group=name or None, engine="h5netcdf") as group:
        return group.load()


def is_average(idata: xr.DataTree) -> bool:
    """Whether a tree is an average of fits."""
    return "weights" in idata.attrs


def fit_weights(idata: xr.DataTree) -> dict[str, float]:
    """Name of each fit of an average -> its weight; empty for a plain fit."""
    return {str(name): float(weight) for name, weight in json.loads(idata.attrs.get("weights", "{}")).items()}


def weighed_fits(idata: xr.DataTree) -> dict[str, xr.DataTree]:
    """Return the fits of an average with a weight above zero; a plain fit has the name ""."""
    if not is_average(idata):
        return {"": idata}
    return {
        name: xr.DataTree.from_dict(_groups(idata, name)) for name, weight in fit_weights(idata).items() if weight > 0
    }


def one_fit(idata: xr.DataTree) -> Any:
    """Return a plain fit, or the first of an average with a weight above zero: all have the same rows."""
    return next((idata[name] for name, weight in fit_weights(idata).items() if weight > 0), idata)


def _groups(idata: xr.DataTree, name: str) -> dict[str, xr.Dataset]:
    """Return one fit of an average, extracted from its tree."""
    return {
        "/": idata[name].to_dataset(),
        **{str(key): group.to_dataset() for key, group in idata[name].children.items()},
    }


def fitted_spec(idata: xr.DataTree) -> ModelSpec:
    """Return the spec that a fit was made with, changes included; an average has one per fit."""
    if is_average(idata):
        names = list(fit_weights(idata))
        raise InputError(
            f"This is an average of fits ({', '.join(names)}): take one of them, e.g. idata['{names[0]}']."
        )
    return parse_spec(idata.attrs["spec"], changes=json.loads(idata.attrs.get("spec_changes", "{}")))
