"""Fits of the reports' tests: the real one, and ones made by hand with names that try to be more than names."""

import numpy as np
import pytest
import xarray as xr

HOSTILE = (
    "<script>alert(1)</script>",
    "=cmd()|' /C calc'!A0",
    "| a | b |",
    "\u202ereversed",
    "</script><img src=x onerror=alert(1)>",
    "{{ 7 * 7 }}",
)


@pytest.fixture(scope="session")
def hostile_names():
    return HOSTILE


@pytest.fixture(scope="session")
def hostile_fit(posterior_from_constants, many_draws):
    """A fit whose runs, source, family and command are hostile."""
    idata = posterior_from_constants(many_draws)
    for group in ("constant_data", "observed_data"):
        idata[group] = xr.DataTree(idata[group].to_dataset().assign_coords(run=list(HOSTILE)))
    idata.attrs |= {
        "source": HOSTILE[0],
        "family": HOSTILE[4],
        "command": f"bayescale fit '{HOSTILE[4]}'",
        "where": '["run!=<b>"]',
    }
    return idata


@pytest.fixture(scope="session")
def light_fit(posterior_from_constants, many_draws):
    """A fit made without a sampler, with the log likelihood that leaving out a run needs."""
    idata = posterior_from_constants(many_draws)
    rng = np.random.default_rng(sum(map(ord, "light fit")))
    values = -0.5 * rng.standard_normal((1, 400, 6)) ** 2
    idata["log_likelihood"] = xr.DataTree(
        xr.Dataset({"log_loss": (("chain", "draw", "run"), values)}, {"run": idata["constant_data"]["run"].to_numpy()})
    )
    return idata
