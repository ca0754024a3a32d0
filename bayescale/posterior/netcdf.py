"""Write a tree as netCDF 4, which is HDF5 whose dimensions are named by scales.

h5netcdf takes 10 ms per variable, 0.8 s for a fit, because it looks up every dimension again and again; h5py takes a tenth of that. What
is stored is what xarray would store (a test compares both), and xarray reads it.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from xarray.conventions import cf_encoder, encode_dataset_coordinates

_NO_VARIABLE = "This is a netCDF dimension but not a netCDF variable.{:10d}"  # how netCDF marks such a scale


def to_netcdf(tree: xr.DataTree) -> bytes:
    """Return the bytes of a netCDF file.

    Parameters
    ----------
    tree : xarray.DataTree
        Variables are numbers, truth values or text, attributes numbers or text.

    Returns
    -------
    bytes
        Made in memory, because HDF5 leaves a broken heap behind when a disk is full.
    """
    import h5py

    with h5py.File("fit.nc", "w", driver="core", backing_store=False) as file:
        _write_group(file, tree, {})
        file.flush()
        return bytes(file.id.get_file_image())


def _write_group(group: Any, node: xr.DataTree, inherited: Mapping[Any, Any]) -> None:
    """Write a node and those below it; `inherited` holds the scales of those above, by dimension."""
    dataset = node.to_dataset(inherit=False)
    variables, attributes = cf_encoder(*encode_dataset_coordinates(dataset))
    scales = dict(inherited)
    for dim, size in dataset.sizes.items():  # before the variables that they are attached to
        if dim in variables:
            scales[dim] = _written(group, dim, variables.pop(dim))
            scales[dim].make_scale(str(dim))
        elif dim not in inherited or len(inherited[dim]) != size:
            scales[dim] = group.create_dataset(str(dim), shape=(size,), dtype=">f4")
            scales[dim].make_scale(_NO_VARIABLE.format(size))
    for name, variable in variables.items():
        stored = _written(group, name, variable)
        for axis, dim in enumerate(variable.dims):
            stored.dims[axis].attach_scale(scales[dim])
    _describe(group, attributes)
    for name, child in node.children.items():
        _write_group(group.create_group(name), child, scales)


def _written(group: Any, name: Any, variable: xr.Variable) -> Any:
    values, dtype = _typed(variable.values)
    stored = group.create_dataset(str(name), data=values, dtype=dtype)
    _describe(stored, variable.attrs)
    return stored


def _describe(target: Any, attributes: Mapping[Any, Any]) -> None:
    for key, value in attributes.items():
        if isinstance(value, str):
            target.attrs[str(key)] = value
        else:
            values, dtype = _typed(np.atleast_1d(value))
            target.attrs.create(str(key), values, dtype=dtype)


def _typed(values: Any) -> tuple[np.ndarray, Any]:
    """Return values with their type in the file, or None for that of the array; text has any length."""
    import h5py  # slow to import, and most uses of a fit do not save it

    values = np.asarray(values)
    if values.dtype.kind == "O":  # nutpie's messages are texts, or None where there is nothing to say
        values = np.frompyfunc(lambda value: "" if value is None or value != value else str(value), 1, 1)(values)
    return (values.astype(object), h5py.string_dtype()) if values.dtype.kind in "UO" else (values, None)
