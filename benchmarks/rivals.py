"""Other ways of fitting Chinchilla's law to a table with params, tokens and loss, as people use them; each prints one JSON line.

python benchmarks/rivals.py pymc RUNS.csv     # the parameters of the paper with wide priors, by PyMC's own sampler as it stands
python benchmarks/rivals.py huber RUNS.csv    # 4,500 starts of L-BFGS on the Huber loss, as in Hoffmann et al. 2022, appendix D.3
"""

import json
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial

os.environ.setdefault(
    "OPENBLAS_NUM_THREADS", "1"
)  # with several threads for so small arrays it takes seven times as long

import numpy as np
import pandas as pd
from board.huber import STARTS, huber_loss, logs

CONSTANTS = ("E", "A", "alpha", "B", "beta")


def pymc(runs: pd.DataFrame) -> dict:
    """Sample E, A, B, alpha and beta as they stand in the paper, with the noise of our model file."""
    import arviz_stats as azs
    import pymc as pm

    params, tokens = runs["params"].to_numpy(), runs["tokens"].to_numpy()
    flops = params * tokens
    below = np.log10(flops.max() / flops)
    with pm.Model():
        E = pm.LogNormal("E", np.log(1.7), 0.5)
        A, B = (pm.LogNormal(name, np.log(400), 1.5) for name in "AB")
        alpha, beta = (pm.LogNormal(name, -1.05, 0.4) for name in ("alpha", "beta"))
        sigma, nu = pm.HalfNormal("sigma", 0.02), pm.Gamma("nu", 2, 0.1)
        law = E + A * params**-alpha + B * tokens**-beta
        scale = pm.math.sqrt(sigma**2 + (0.06 * below) ** 2)
        pm.StudentT("log_loss", nu, pm.math.log(law), sigma=scale, observed=np.log(runs["loss"].to_numpy()))
        idata = pm.sample(
            random_seed=1, progressbar=False, nuts_sampler="pymc"
        )  # nutpie, if installed, has a row of its own
    draws = idata["posterior"].to_dataset()
    return {
        "rhat": float(azs.rhat(draws).to_array().max()),
        "ess": float(azs.ess(draws).to_array().min()),
        "diverging": int(idata["sample_stats"]["diverging"].sum()),
        **{name: float(draws[name].median()) for name in CONSTANTS},
    }


def _from_starts(starts: list, data: tuple[np.ndarray, ...]) -> tuple[float, list[float]]:
    from scipy.optimize import minimize

    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    found = [minimize(huber_loss, start, args=data, jac=True, method="L-BFGS-B") for start in starts]
    best = min(found, key=lambda one: one.fun)
    return float(best.fun), list(best.x)


def huber(runs: pd.DataFrame) -> dict:
    """Take the best of all starts; a point, without an interval."""
    data = logs(runs)
    processes = os.cpu_count() or 1
    with ProcessPoolExecutor(processes) as pool:
        found = pool.map(partial(_from_starts, data=data), [STARTS[i :: 4 * processes] for i in range(4 * processes)])
        value, (alpha, beta, e, a, b) = min(found)
    constants = dict(zip(CONSTANTS, (np.exp(e), np.exp(a), alpha, np.exp(b), beta), strict=True))
    return {
        "starts": len(STARTS),
        "processes": processes,
        "huber": value,
        **{name: float(value) for name, value in constants.items()},
    }


if __name__ == "__main__":
    print(json.dumps({"pymc": pymc, "huber": huber}[sys.argv[1]](pd.read_csv(sys.argv[2]))))
