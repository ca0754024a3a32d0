"""Repeated data on the published runs of Muennighoff et al. 2023: what they say about the decay, and whether a law that can rise is better.

With wide priors on the decay (sd 1.5 of ln), compare the posterior on the 182 rows of the published fit with the published constants. On
all 231 rows, compute the difference in elpd (PSIS-LOO) of `repeated-rising` and `repeated` over the 49 rows that the published fit leaves
out. Writes results/datablations.csv.

    python benchmarks/datablations.py ../shared/data/datablations.csv
"""

import json
import sys
from pathlib import Path

import arviz as az
import numpy as np
import pandas as pd

from bayescale import fit, load_spec, read_runs

RESULTS = Path(__file__).parent / "results"
SEED = sum(map(ord, "datablations"))
WIDE = 1.5
PUBLISHED = {"R_D": 15.387756, "R_N": 5.309743}
PRIOR_SD = {"R_D": 0.5, "R_N": 0.6}
SETTINGS = {"random_seed": SEED, "progressbar": False, "family": "*"}


def wide_spec(base: str = "repeated"):
    """The model file `repeated` with a prior sd of 1.5 on the logs of both decays."""
    spec = load_spec(base)
    priors = {f"log_{name}": spec.priors[f"log_{name}"] for name in PRIOR_SD}
    return spec.changed(
        {"priors": {name: {"dist": one.dist, **one.numbers, "sigma": WIDE} for name, one in priors.items()}}
    )


def decay_rows(idata, what: str, sds: dict[str, float]) -> list[dict[str, object]]:
    """Posterior of each decay, the published value, and the share of the prior's sd of ln that is left."""
    rows = []
    for name, published in PUBLISHED.items():
        draws = idata["posterior"][f"log_{name}"].to_numpy().ravel()
        lower, middle, upper = np.exp(np.quantile(draws, [0.05, 0.5, 0.95]))
        rows.append(
            {"what": f"{name}, {what}", "value": middle, "lower": lower, "upper": upper, "published": published}
            | {"prior_sd": sds[name], "sd_ratio": draws.std() / sds[name]}
        )
    return rows


def pointwise(idata) -> tuple[np.ndarray, np.ndarray]:
    """Leave-one-out elpd of each row, and Pareto k."""
    found = az.loo(idata, pointwise=True)
    return np.asarray(found.elpd_i), np.asarray(found.pareto_k)


def _standard_errors(difference: np.ndarray) -> float:
    """Sum of differences in elpd over its standard error."""
    return difference.sum() / np.sqrt(len(difference) * difference.var(ddof=1))


def compared(flat, rising, rows: np.ndarray, what: str) -> dict[str, object]:
    """Difference in elpd over some rows, rising minus flat, with its standard error."""
    (low, k_low), (high, k_high) = pointwise(flat), pointwise(rising)
    difference = (high - low)[rows]
    error = np.sqrt(len(difference) * difference.var(ddof=1))
    return {
        "what": f"elpd, rising less flat, {what} ({rows.sum()} rows)",
        "value": difference.sum(),
        "standard_error": error,
        "standard_errors": difference.sum() / error,
        "k_above_0.7_flat": int((k_low[rows] > 0.7).sum()),
        "k_above_0.7_rising": int((k_high[rows] > 0.7).sum()),
        "largest_k": max(k_low[rows].max(), k_high[rows].max()),
        "standard_errors_of_rows_below_0.7": _standard_errors(difference[np.maximum(k_low, k_high)[rows] <= 0.7]),
    }


def said(idata, what: str) -> dict[str, object]:
    """Checks of a fit that did not pass."""
    checks = json.loads(idata.attrs["check"])
    return {"what": f"open checks, {what}", "note": ", ".join(c["name"] for c in checks if not c["passed"])}


def main(path: str) -> None:
    """Fit and compare."""
    standard = pd.read_csv(path).query("variant == 'standard'").reset_index(drop=True)
    runs, published = read_runs(standard), read_runs(standard[standard["in_fit"] == 1].reset_index(drop=True))
    rows: list[dict[str, object]] = []
    left_out = standard["in_fit"].to_numpy() == 0
    rising, flat = (fit(load_spec(name), runs, **SETTINGS) for name in ("repeated-rising", "repeated"))
    rows += [said(rising, "rising, 231 rows"), said(flat, "flat, 231 rows")]
    rows.append(compared(flat, rising, left_out, "rows left out by the published fit"))
    rows.append(compared(flat, rising, ~left_out, "rows of the published fit"))
    print(pd.DataFrame(rows).to_string(), flush=True)
    for spec, what, sds in (
        (wide_spec(), "prior sd 1.5, 182 rows", dict.fromkeys(PUBLISHED, WIDE)),
        (load_spec("repeated"), "prior of the model file, 182 rows", PRIOR_SD),
    ):
        idata = fit(spec, published, **SETTINGS)
        rows += [*decay_rows(idata, what, sds), said(idata, what)]
        print(pd.DataFrame(rows).to_string(), flush=True)
    pd.DataFrame(rows).to_csv(RESULTS / "datablations.csv", index=False, float_format="%.4g")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "../shared/data/datablations.csv")
