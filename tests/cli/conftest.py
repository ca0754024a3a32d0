"""What the tests of the command line share: calling it in process, reading its JSON, and fits that cost no sampling."""

import json

import pytest
import xarray as xr

from bayescale import load_fit, save_fit
from bayescale.cli.main import main
from bayescale.posterior import engines


@pytest.fixture
def run(capsys):
    """Call the command line; give its exit code, stdout and stderr."""

    def call(*words):
        with pytest.raises(SystemExit) as left:
            main([str(word) for word in words])
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return left.value.code or 0, out, err

    return call


def no_constant(name):
    raise AssertionError(f"{name} is not JSON")


@pytest.fixture(scope="session")
def document():
    """Read exactly one strict JSON document; its version is checked and taken out."""

    def read(text):
        found = json.loads(text, parse_constant=no_constant)
        assert found.pop("bayescale_json") == 1
        return found

    return read


@pytest.fixture(scope="session")
def failed_file(fit_file, tmp_path_factory):
    """A fit whose chains disagree: the draws are spoilt, and so is the table that it carries."""
    idata = load_fit(fit_file)
    draws = idata["posterior"].to_dataset()
    apart = xr.DataArray([0.0, 0.0, 0.0, 1.0], dims="chain", coords={"chain": draws["chain"]})
    idata["posterior"] = xr.DataTree(draws.assign(u1=draws["u1"] + 3 * draws["u1"].std() * apart))
    rows = json.loads(idata.attrs["check"])
    for row in rows:
        row["passed"] = row["name"] != "rhat"
    idata.attrs["check"] = json.dumps(rows)
    return save_fit(idata, tmp_path_factory.mktemp("fits") / "failed.nc")


@pytest.fixture(scope="session")
def light_file(posterior_from_constants, many_draws, tmp_path_factory):
    """A fit made by hand, quicker to load than the real one."""
    return save_fit(posterior_from_constants(many_draws), tmp_path_factory.mktemp("fits") / "light.nc")


@pytest.fixture(scope="session")
def power_file(posterior_from_constants, tmp_path_factory):
    idata = posterior_from_constants({"E": 1.7, "A": 1e3, "alpha": 0.15}, model="power", n_draws=50)
    return save_fit(idata, tmp_path_factory.mktemp("fits") / "power.nc")


@pytest.fixture(scope="session")
def grouped_file(grouped_posterior, tmp_path_factory):
    """A fit made by hand of families whose names could be read as numbers."""
    return save_fit(grouped_posterior(("7B", "70B")), tmp_path_factory.mktemp("fits") / "grouped.nc")


@pytest.fixture
def runs_file(small_runs, tmp_path):
    path = tmp_path / "runs.csv"
    small_runs[["run", "params", "tokens", "loss"]].to_csv(path, index=False)
    return path


@pytest.fixture
def sampled(monkeypatch, small_fit):
    """Give the existing fit instead of sampling; return the arguments of the sampling."""
    asked = {}

    def sample(spec, rows, **options):
        print("a sampler that talks to stdout")
        asked.update(options, spec=spec, rows=len(rows))
        return small_fit.copy(deep=True)

    monkeypatch.setattr(engines, "sampled", sample)
    return asked


@pytest.fixture
def no_sampler(monkeypatch):
    def fail(*_, **__):
        raise AssertionError("it sampled")

    monkeypatch.setattr(engines, "sampled", fail)
