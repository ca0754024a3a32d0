"""The netCDF that we write holds what xarray's would, in the same form, and loads the same."""

import h5py
import numpy as np
import pytest
import xarray as xr

from bayescale.posterior.netcdf import to_netcdf

OURS_ALONE = {"_NCProperties", "_Netcdf4Dimid", "_Netcdf4Coordinates"}  # hints of h5netcdf, which no reader needs


def odd_tree():
    """Nested groups, text, truth values, gaps, a scalar of text, a coordinate that is not an index, a dimension without a variable."""
    top = xr.Dataset(
        {"note": "words", "empty": ("chain", ["", "ä"])},
        {"chain": [0, 1]},
        {"spec": "é" * 70_000, "none": "", "format": 2, "x": 0.5},
    )
    below = xr.Dataset(
        {
            "draws": (("chain", "step"), np.arange(6.0).reshape(2, 3), {"unit": "nats"}),
            "gaps": ("step", [1.0, np.nan, 3.0]),
            "flag": ("step", [True, False, True]),
            "count": ("step", np.arange(3, dtype=np.int32)),
            "few": ("step", np.arange(3, dtype=np.float32)),
            "mixed": ("step", np.array(["a", "b", "cc"], dtype=object)),
            "said": ("step", np.array([None, "too far", None], dtype=object)),
            "khat": 0.25,
        },
        {"family": ("step", ["p", "q", "r"])},
    )
    return xr.DataTree.from_dict(
        {"/": top, "/fit": below, "/fit/inner": xr.Dataset({"y": ("chain", [1.0, 2.0])}, {"chain": [0, 1]})}
    )


def contents(data, path):
    path.write_bytes(data)
    found = {}

    def visit(name, item):
        attributes = {key: str(value) for key, value in item.attrs.items() if key not in OURS_ALONE}
        links = {key for key in attributes if key in ("DIMENSION_LIST", "REFERENCE_LIST")}
        shown = {key: value for key, value in attributes.items() if key not in links}
        form = (item.dtype, item.shape) if isinstance(item, h5py.Dataset) else ()
        scales = (
            [[scale.name for scale in dim.values()] for dim in item.dims] if form and "CLASS" not in item.attrs else []
        )
        found[name] = form, shown, scales

    with h5py.File(path) as file:
        visit("/", file)
        file.visititems(visit)
    with xr.open_datatree(path, engine="h5netcdf") as tree:
        return found, tree.load()


@pytest.mark.parametrize("which", ["a fit", "an average", "odd"])
def test_it_holds_what_xarray_would_write(which, small_fit, tmp_path):
    if which == "odd":
        tree = odd_tree()
    elif which == "a fit":
        tree = small_fit
    else:
        tree = xr.DataTree.from_dict(
            {"/": xr.Dataset(attrs={"weights": "{}"}), "/chinchilla": small_fit, "/skaling": small_fit}
        )
    ours, loaded = contents(to_netcdf(tree), tmp_path / "ours.nc")
    theirs, expected = contents(bytes(tree.to_netcdf(engine="h5netcdf")), tmp_path / "theirs.nc")
    assert ours == theirs
    xr.testing.assert_identical(loaded, expected)
    again, _ = contents(to_netcdf(loaded), tmp_path / "again.nc")
    assert again == ours
