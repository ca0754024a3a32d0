"""Fits in files: written completely or not at all, read back equal, and one clear line for anything that is not a fit."""

import os

import numpy as np
import pytest
import xarray as xr

from bayescale import load_fit, save_fit
from bayescale.posterior import check_fit, fitted_spec
from bayescale.posterior.store import failed_path
from bayescale.posterior.whole import fault_of


def names(folder):
    return [path.name for path in folder.iterdir()]


def test_round_trip(small_fit, fit_file):
    loaded = load_fit(fit_file)
    assert set(loaded.children) == set(small_fit.children)
    for group in small_fit.children:
        xr.testing.assert_equal(loaded[group].to_dataset(), small_fit[group].to_dataset())
    assert dict(loaded.attrs) == dict(small_fit.attrs)
    assert fitted_spec(loaded) == fitted_spec(small_fit)


def test_the_check_is_the_same_after_loading(small_fit, fit_file):
    checked = check_fit(load_fit(fit_file))
    stored = check_fit(small_fit)
    assert list(checked["name"]) == list(stored["name"]) and list(checked["passed"]) == list(stored["passed"])
    np.testing.assert_allclose(checked["value"], stored["value"], rtol=1e-6, atol=1e-12)


def test_a_loaded_fit_is_saved_again(fit_file, tmp_path):
    path = save_fit(load_fit(fit_file), tmp_path / "again.nc")
    assert path == tmp_path / "again.nc"
    xr.testing.assert_equal(load_fit(path)["posterior"].to_dataset(), load_fit(fit_file)["posterior"].to_dataset())


def test_a_file_is_replaced(small_fit, tmp_path):
    path = tmp_path / "fit.nc"
    path.write_bytes(b"\x89HDF\r\n\x1a\nolder")
    save_fit(small_fit, str(path))
    assert load_fit(path).attrs["bayescale_format"] == 2
    assert names(tmp_path) == ["fit.nc"]


def test_a_failed_fit_has_its_own_name(tmp_path):
    names = {"fit.nc": "fit.failed.nc", "fit": "fit.failed.nc", "v1.5": "v1.5.failed.nc", "a.failed.nc": "a.failed.nc"}
    for name, failed in names.items():
        assert failed_path(tmp_path / name) == tmp_path / failed


def test_folders_that_cannot_take_a_fit(small_fit, tmp_path, monkeypatch):
    with pytest.raises(ValueError, match=r"is a folder; give a file, e\.g\. .*fit\.nc"):
        save_fit(small_fit, tmp_path)
    with pytest.raises(ValueError, match=r"There is no folder '.*missing' to write fit\.nc to"):
        save_fit(small_fit, tmp_path / "missing" / "fit.nc")

    def forbid(*_):
        raise PermissionError

    monkeypatch.setattr(os, "open", forbid)  # permissions do not bind root
    with pytest.raises(ValueError, match="is not writable; give another path"):
        save_fit(small_fit, tmp_path / "fit.nc")
    assert names(tmp_path) == []


def broken(kind, small_fit, fit_file, folder):
    path = folder / "broken.nc"
    match kind:
        case "truncated":
            path.write_bytes(fit_file.read_bytes()[: fit_file.stat().st_size // 2])
        case "random bytes":
            path.write_bytes(np.random.default_rng(1).bytes(5000))
        case "empty":
            path.touch()
        case "text":
            path.write_text("run,params,tokens,loss\n")
        case "foreign netCDF":
            xr.Dataset({"a": ("x", [1.0, 2.0])}).to_netcdf(path, engine="h5netcdf")
        case "foreign netCDF with a posterior":
            tree = xr.DataTree.from_dict({"posterior": xr.Dataset({"a": ("x", [1.0, 2.0])})})
            tree.to_netcdf(path, engine="h5netcdf")
        case "no posterior":
            small_fit.filter(lambda node: node.name != "posterior").to_netcdf(path, engine="h5netcdf")
        case "later format":
            later = small_fit.copy()
            later.attrs["bayescale_format"] = 3
            later.to_netcdf(path, engine="h5netcdf")
        case "folder":
            path.mkdir()
    return path


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("truncated", "is not a readable fit"),
        ("random bytes", "is not a readable fit"),
        ("empty", "is not a readable fit"),
        ("text", "is not a readable fit"),
        ("foreign netCDF", "is netCDF but not a bayescale fit"),
        ("foreign netCDF with a posterior", "is netCDF but not a bayescale fit"),
        ("no posterior", "is netCDF but not a bayescale fit"),
        ("later format", r"has fit format 3; this version reads 2\. Fit again, or"),
        ("folder", "There is no fit"),
        ("missing", r"There is no fit '.*'; `save_fit` \(bayescale fit RUNS --out .*\) makes one"),
    ],
)
def test_what_is_no_fit(kind, message, small_fit, fit_file, tmp_path):
    path = broken(kind, small_fit, fit_file, tmp_path)
    with pytest.raises(ValueError, match=message) as caught:
        load_fit(path)
    assert "broken.nc" in str(caught.value) and len(str(caught.value).splitlines()) == 1


def test_a_fit_that_failed_its_check_is_named(fit_file, tmp_path):
    (tmp_path / "fit.failed.nc").write_bytes(fit_file.read_bytes())
    with pytest.raises(ValueError, match=r"There is no fit '.*fit\.nc', only '.*fit\.failed\.nc', whose check failed"):
        load_fit(tmp_path / "fit.nc")


@pytest.mark.parametrize("groups", [None, ("posterior", "constant_data")])
def test_a_fit_of_the_older_format_says_how_it_was_made(small_fit, tmp_path, groups):
    older = small_fit.copy()
    older.attrs.update(bayescale_format=1, command="bayescale fit 'my runs.csv' --fade 0")
    older.to_netcdf(tmp_path / "older.nc", engine="h5netcdf")
    with pytest.raises(
        ValueError, match=r"format 1; this version reads 2\. Fit again: bayescale fit 'my runs\.csv' --fade 0$"
    ):
        load_fit(tmp_path / "older.nc", groups=groups)


@pytest.mark.parametrize(
    ("group", "name", "fault"),
    [
        ("posterior", "A_dropout", "its posterior lacks A_dropout"),
        ("constant_data", "dropout_mean", "its constant_data lacks dropout_mean"),
        ("constant_data", "dropout_sd", "its constant_data lacks dropout_sd"),
    ],
)
def test_what_a_covariate_needs_is_part_of_a_whole_fit(grouped_posterior, group, name, fault):
    idata = grouped_posterior()
    assert fault_of(idata) == ""
    idata[group] = xr.DataTree(idata[group].to_dataset().drop_vars(name))
    assert fault_of(idata) == fault
