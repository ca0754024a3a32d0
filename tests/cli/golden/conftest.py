"""The fits that golden tests ask: made by hand in seconds, so that nothing in their answers hangs on a sampler.

Runs have 4 to 200 tokens per parameter, so that the plans asked for lie among them.
"""

import json

import numpy as np
import pytest
import xarray as xr

from bayescale import average_fits, save_fit
from bayescale.laws import LAWS

RATIOS = np.array([4.0, 100.0, 20.0, 200.0, 10.0, 40.0])
FLOPS = np.geomspace(1e19, 1e21, 6)
PARAMS = np.sqrt(FLOPS / (6 * RATIOS))
RUNS = {"params": PARAMS, "tokens": RATIOS * PARAMS, "flops": FLOPS}
ADVICE = "The tokens of the runs hardly vary."


def _draws(seed, n, **constants):
    """Constants about their values, a share each."""
    rng = np.random.default_rng(sum(map(ord, seed)))
    return {name: value * np.exp(share * rng.standard_normal(n)) for name, (value, share) in constants.items()}


def _with_likelihood(idata, n):
    """Add a log likelihood of each run, Normal about the law, and measured losses off it by a per cent."""
    data, draws = idata["constant_data"], idata["posterior"]
    values = {name: draws[name].to_numpy().ravel() for name in ("E", "A", "alpha", "B", "beta")}
    curve = LAWS["chinchilla"].loss(data["params"].to_numpy()[:, None], data["tokens"].to_numpy()[:, None], **values)
    off = 0.01 * np.random.default_rng(3).standard_normal(len(curve))[:, None]
    z = (np.log(np.median(curve, axis=1, keepdims=True)) + off - np.log(curve)) / 0.02
    likelihood = xr.DataArray((-(z**2) / 2).reshape(len(curve), 1, n), dims=("run", "chain", "draw"))
    group = xr.Dataset({"log_loss": likelihood}, {"run": data["run"].to_numpy()})
    idata["log_likelihood"] = xr.DataTree(group.transpose("chain", "draw", "run"))
    return idata


@pytest.fixture(scope="session")
def fits(posterior_from_constants, profile_from_constants, grouped_posterior, many_draws):
    """Name -> tree."""
    make, n = posterior_from_constants, 400
    pools = {**RUNS, "unique_tokens": RUNS["tokens"] / np.array([1, 4, 1, 2, 1, 3])}
    batches = {**RUNS, "batch_tokens": np.geomspace(1e5, 4e6, 6)}
    rng = np.random.default_rng(sum(map(ord, "golden")))
    decay = _draws("decay", n, R_D=(15.0, 0.4), R_N=(5.0, 0.4))
    rising = {"P": 0.01 * np.exp(0.5 * rng.standard_normal(n)), "delta": 1.2, "kappa": 0.5, "R_D": 60.0}
    ladder = make(many_draws, columns=RUNS)
    kaplan = _draws("kaplan", n, N_c=(6.4e13, 0.2), alpha_N=(0.076, 0.03), D_c=(1.8e13, 0.2), alpha_D=(0.103, 0.03))
    sigmoid = {"floor": (0.25, 0.01), "ceiling": (0.95, 0.01), "k": (4.0, 0.08), "L0": (2.4, 0.005)}
    task = make(
        _draws("task", n, **sigmoid), model="accuracy", fade=None,
        columns={"loss": np.linspace(2.2, 3.2, 6), "n_items": np.full(6, 500.0)},
    )  # fmt: skip
    found = {
        "plain": _with_likelihood(ladder, n),
        "warned": make(many_draws, columns=RUNS, fade=0.0),
        "miscounted": make(many_draws, columns={**RUNS, "flops": 1.6 * FLOPS}),
        "repeated": make({**many_draws, **decay}, model="repeated", columns=pools),
        "rising": make({**many_draws, **rising}, model="repeated-rising", columns=pools),
        "batch": make({**many_draws, **_draws("batch", n, B_crit=(1e6, 0.3))}, model="batch", columns=batches),
        "profile": profile_from_constants(-0.9 + 0.05 * rng.standard_normal(n), 0.5 + 0.01 * rng.standard_normal(n)),
        "grouped": grouped_posterior(("7B", "70B")),
        "kaplan": make({"E": 0.0, **kaplan}, model="kaplan-nd", columns=RUNS),
        "accuracy": task,
        "power": make({"E": 1.7, "A": 1e3, "alpha": 0.15}, model="power", n_draws=50),
    }  # fmt: skip
    coupled = {
        "E": (1.75, 0.02),
        "A": (480.0, 0.05),
        "alpha": (0.345, 0.01),
        "B": (2100.0, 0.05),
        "beta": (0.364, 0.01),
    }
    skaling = make(_draws("skaling", n, **coupled, k=(0.97, 0.01)), model="skaling", columns=RUNS)
    passed = {
        "name": "explained",
        "severity": "warn",
        "value": 0.9,
        "threshold": 0.5,
        "passed": True,
        "bears_on": ["forecast"],
        "advice": "",
    }
    open_ = {
        "name": "input_decades",
        "severity": "warn",
        "value": 0.4,
        "threshold": 0.5,
        "passed": False,
        "bears_on": ["choice"],
        "advice": ADVICE,
    }
    for name, idata in found.items():
        idata.attrs["check"] = json.dumps([passed, open_] if name == "warned" else [passed])
    skaling.attrs["check"] = json.dumps([passed])
    found["average"] = average_fits(
        {"one": found["plain"], "two": found["warned"], "three": skaling}, {"one": 0.5, "two": 0.2, "three": 0.3}
    )
    return found


@pytest.fixture(scope="session")
def files(fits, tmp_path_factory):
    """Name -> file, in upper case; and the shapes, prices and plans that commands read."""
    folder = tmp_path_factory.mktemp("golden")
    shapes = folder / "shapes.csv"
    shapes.write_text("params,width\n200M,768\n1B,2048\n2B,2560\n4B,4096\n")
    experts = folder / "experts.csv"
    experts.write_text("params,params_total,flops_per_token\n1B,8B,7e9\n2B,16B,14e9\n4B,32B,28e9\n")
    plans = folder / "plans.csv"
    plans.write_text("run,params,tokens,loss\nnear,1B,20B,2.7\nfar,10B,300B,\n")
    costs = folder / "costs.toml"
    costs.write_text(
        'accelerator = "H100-SXM"\nusd_per_gpu_hour = 2.5\nmfu = 0.4\nmfu_prefill = 0.4\nmfu_decode = 0.02\n'
    )
    named = {"SHAPES": shapes, "EXPERTS": experts, "PLANS": plans, "COSTS": costs}
    return named | {name.upper(): save_fit(idata, folder / f"{name}.nc") for name, idata in fits.items()}
