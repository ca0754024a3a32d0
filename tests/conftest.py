"""What several folders of tests use: one real fit, its file, and posteriors made by hand.

Fixtures that give functions are session-scoped, so that hypothesis may use them.
"""

import fcntl
import json
import os
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from bayescale import fit, load_spec, read_runs, save_fit
from bayescale.laws.law import all_anchors
from bayescale.posterior.store import FORMAT, fitted_spec

CHECKOUT = Path(__file__).resolve().parents[1]
_SHARED_DATA = CHECKOUT.parent / "shared" / "data"
if _SHARED_DATA.is_dir():  # tables of others, beside the checkout and no part of it
    os.environ.setdefault("BAYESCALE_DATA", str(_SHARED_DATA))
# Looking up who made each node takes a fifth of the time that PyTensor needs to compile a model.
os.environ["PYTENSOR_FLAGS"] = ",".join(filter(None, [os.environ.get("PYTENSOR_FLAGS"), "traceback__limit=0"]))
BESI = {
    "E": 1.8172,
    "A": 482.01,
    "alpha": 0.3478,
    "B": 2085.43,
    "beta": 0.3658,
}  # Besiroglu et al. 2024, arXiv:2404.10102
SEED = sum(map(ord, "small fit"))
# What takes longest begins first, or a core would wait for the last of it. The first two sample different models, for different cores.
LONGEST = (
    "test_rate_covariates.py", "test_posterior_fit.py", "test_spec_groups.py", "test_approaches_fit.py", "test_import_rest.py",
    "test_notebooks.py", "test_golden.py", "test_posterior_check.py", "test_fast.py", "test_hostile_targets.py", "test_many.py",
    "test_brute_force.py",
)  # fmt: skip


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))


@pytest.fixture(scope="session")
def checks_file():
    """The table of checked values of laws, which is not part of the project."""
    path = Path(os.environ.get("BAYESCALE_SHARED", CHECKOUT / "../shared")) / "law_checks.csv"
    if not path.is_file():
        pytest.skip(f"{path} is absent; name its folder in BAYESCALE_SHARED")
    return path


@pytest.fixture(scope="session")
def besi():
    """Constants of Besiroglu et al. 2024, the truth of all simulated runs here."""
    return dict(BESI)


def simulated_runs():
    """Twenty runs on five budgets, from known constants with 0.4% noise, and a column of each kind beside."""
    rng = np.random.default_rng(sum(map(ord, "small runs")))
    flops = np.repeat(np.geomspace(1e19, 1e21, 5), 4)
    ratio = np.tile([4.0, 12.0, 40.0, 160.0], 5)
    params = np.sqrt(flops / (6 * ratio))
    tokens = ratio * params
    curve = BESI["E"] + BESI["A"] / params ** BESI["alpha"] + BESI["B"] / tokens ** BESI["beta"]
    loss = curve * np.exp(0.004 * rng.standard_normal(20))
    return pd.DataFrame(
        {
            "run": [f"r{i:02d}" for i in range(20)],
            "params": params,
            "tokens": tokens,
            "loss": loss,
            "optimizer": ["adam", "sgd"] * 10,
            "eval/loss": loss + 0.1,
            "mixed": ["a", 1.5] * 10,
        }
    )


@pytest.fixture(scope="session")
def small_runs():
    return read_runs(simulated_runs())


def _small_fit(runs):
    return fit(
        load_spec("chinchilla"),
        runs,
        params_kind="total",
        engine="nuts",
        random_seed=SEED,
        draws=500,
        tune=500,
        progressbar=False,
    )


def _once(tmp_path_factory, name, make):
    """Make something once for all processes of a run of tests: the others wait, and read it."""
    folder = tmp_path_factory.getbasetemp()
    path = (folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) / f"{name}.pickle"
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.is_file():
            path.write_bytes(pickle.dumps(make()))
        return pickle.loads(path.read_bytes())


@pytest.fixture(scope="session")
def small_fit(small_runs, tmp_path_factory):
    """The one real fit: chinchilla on twenty simulated runs; no test may change it. Its check passes, or nothing else means much."""
    idata = _once(tmp_path_factory, "small-fit", lambda: _small_fit(small_runs))
    failed = [row for row in json.loads(idata.attrs["check"]) if not row["passed"] and row["severity"] == "fail"]
    assert not failed, failed
    return idata


@pytest.fixture(scope="session")
def same_fit(small_runs, small_fit):
    """The same fit made again: the second and last time that these tests sample."""
    return _small_fit(small_runs)


@pytest.fixture(scope="session")
def fit_file(small_fit, tmp_path_factory):
    return save_fit(small_fit, tmp_path_factory.mktemp("fits") / "small.nc")


@pytest.fixture(scope="session")
def posterior_from_constants():
    return _posterior_from_constants


def _posterior_from_constants(
    constants,
    *,
    model="chinchilla",
    fade=0.06,
    per_decade=None,
    best_size=0.0,
    noise=None,
    sigma=0.01,
    nu=10.0,
    inputs=None,
    flops=(1e19, 1e21),
    n_draws=None,
    columns=None,
):
    """Return a tree with what forecasts and decisions read of a fit, made without a sampler.

    Parameters
    ----------
    constants : dict
        Of the law: a number each (the same in all draws), or one value per draw.
    model : str
        Name of the model file.
    fade, noise : float, str, optional
        Put into the spec; None leaves the model's own.
    per_decade : float, optional
        Drift; without it 0.02, or the model's own if `fade` is None.
    best_size : float
        Drift of the best size; none, so that choices have closed forms.
    sigma, nu : float or array
        Of the noise.
    inputs : dict, optional
        Input columns, laid over the model's.
    flops : tuple of float
        Least and largest compute of the six runs that were "fitted"; all have 20 tokens per parameter.
    n_draws : int, optional
        Draws, where all constants are numbers.
    columns : dict, optional
        More columns of the runs.
    """
    overlay = {
        "inputs": inputs or {}, "noise": {} if fade is None else {"fade": fade}, "drift": {"best_size": best_size}
    }  # fmt: skip
    if fade is not None or per_decade is not None:
        overlay["drift"]["per_decade"] = 0.02 if per_decade is None else per_decade
    if noise is not None:
        overlay["noise"] |= {"dist": noise} | ({} if noise == "StudentT" else {"nu": None})
    spec = load_spec(model).changed(overlay)
    law = spec.get_law()
    n = n_draws or max(np.size(value) for value in [*constants.values(), sigma, nu])
    values = {**constants, "sigma": sigma, **({} if spec.noise.nu is None else {"nu": nu})}
    draws = {name: (("chain", "draw"), np.broadcast_to(np.asarray(v, float), (n,))[None]) for name, v in values.items()}
    coords = {"chain": [0], "draw": np.arange(n)}
    budgets = np.geomspace(*flops, 6)
    params = np.sqrt(budgets / 120)
    table = {"params": params, "tokens": 20 * params, "flops": budgets, **(columns or {})}
    law_inputs = {name: np.asarray(table[column], float) for name, column in spec.inputs.items()}
    middle = law.loss(**law_inputs, **{name: float(np.median(constants[name])) for name in law.loss_constants})
    run = [f"r{i}" for i in range(6)]
    per_run = {**table, **law_inputs, "weight": np.ones(6), "log_loss_measured": np.log(middle)}
    data = {name: ("run", np.asarray(value)) for name, value in per_run.items()}
    return xr.DataTree.from_dict(
        {
            "/": xr.Dataset(
                attrs={
                    "bayescale_format": FORMAT,
                    "spec": spec.text,
                    "spec_changes": json.dumps(spec.changes),
                    "params_kind": "total",
                    "loss_unit": "nats/token",
                    "random_seed": 7,
                    "check": "[]",
                }
            ),
            "posterior": xr.Dataset(draws, coords),
            "constant_data": xr.Dataset({**data, **all_anchors(law, law_inputs, np.log(middle))}, {"run": run}),
            "observed_data": xr.Dataset({"log_loss": ("run", np.log(middle))}, {"run": run}),
        }
    )


@pytest.fixture(scope="session")
def profile_from_constants():
    """Return a fit of approach 2 made without a sampler: two budgets of three runs each."""

    def make(log_G, params_exponent, *, check="[]"):
        idata = _posterior_from_constants(
            {"log_G": log_G, "params_exponent": params_exponent, "curvature": 0.05}, model="approach-2", fade=None
        )
        sizes = np.exp(np.log(idata["constant_data"]["params"].to_numpy()).mean() + np.array([-1.0, 0, 1, -1, 0, 1]))
        data = idata["constant_data"].to_dataset().assign(params=("run", sizes))
        own = {"budgets": ("budget", [1e19, 1e21]), "budget_of_run": ("run", np.repeat([0, 1], 3))}
        idata["constant_data"] = xr.DataTree(data.assign(own))
        draws = idata["posterior"].to_dataset()
        budgets = xr.DataArray(np.log(own["budgets"][1]), dims="budget")
        vertex = draws["log_G"] + draws["params_exponent"] * (budgets - np.log(6))
        idata["posterior"] = xr.DataTree(
            draws.assign(
                vertex=vertex, z_curvature=xr.zeros_like(vertex), spread_curvature=xr.zeros_like(draws["log_G"])
            )
        )
        idata.attrs["check"] = check
        return idata

    return make


@pytest.fixture(scope="session")
def grouped_posterior():
    """Return a fit of families made without a sampler: a level of each, and dropout, 0 or 0.1 in the runs, as a covariate of A."""

    def make(groups=("web", "books"), *, by="family", n=200):
        overlay = {"groups": {"by": by}, "covariates": {"A": ["dropout"]}}
        idata = _posterior_from_constants(BESI, n_draws=n)
        idata.attrs |= {"spec": load_spec("chinchilla-families").text, "spec_changes": json.dumps(overlay)}
        rng = np.random.default_rng(sum(map(ord, "grouped")))
        data, names = idata["constant_data"].to_dataset(), {"group": list(groups)}

        def about(middle, sd, **coords):
            shape = (1, n, *(len(values) for values in coords.values()))
            return xr.DataArray(
                middle + sd * rng.standard_normal(shape), dims=("chain", "draw", *coords), coords=coords
            )

        shared = {"T": np.exp(about(0.9, 0.01)), "u1": about(-1.5, 0.1), "u2": about(-1.5, 0.1)}
        shared |= {"log_alpha": about(-1.05, 0.05), "log_beta": about(-1.05, 0.05)}
        spread, z = about(0.2, 0.01), about(0.0, 0.05, **names) + xr.DataArray(range(len(groups)), dims="group")
        anchors = {name: float(value) for name, value in data.items() if value.ndim == 0}
        constants = fitted_spec(idata).get_law().constants({**shared, "T": shared["T"] * np.exp(spread * z)}, anchors)
        more = {"A_dropout": about(0.1, 0.01), "sigma": about(0.01, 0.0), "nu": about(10.0, 0.0)}
        idata["posterior"] = xr.DataTree(xr.Dataset({**shared, "spread_T": spread, "z_T": z, **constants, **more}))
        runs = {"group_index": ("run", np.arange(6) % len(groups)), "dropout_z": ("run", [-1.0, 1.0] * 3)}
        idata["constant_data"] = xr.DataTree(data.assign(**runs, dropout_mean=0.05, dropout_sd=0.05))
        return idata

    return make


@pytest.fixture(scope="session")
def many_draws():
    """Constants about those of Besiroglu et al., four hundred draws that agree in the middle of the runs."""
    rng = np.random.default_rng(sum(map(ord, "many draws")))
    alpha, beta = BESI["alpha"] + 0.03 * rng.standard_normal((2, 400))
    E = BESI["E"] + 0.03 * rng.standard_normal(400)
    return {
        "E": E,
        "A": BESI["A"] * np.exp((alpha - BESI["alpha"]) * np.log(1e9)),
        "alpha": alpha,
        "B": BESI["B"] * np.exp((beta - BESI["beta"]) * np.log(2e10)),
        "beta": beta,
    }


HOSTILE = (  # names that try to be more than names
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
