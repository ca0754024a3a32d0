"""The Chinchilla runs: agreement with published fits, the size at Gopher's budget, and forecasts of the largest runs.

Needs the table `chinchilla` (see `bayescale datasets`). Writes results/chinchilla_fit.csv and results/chinchilla_forecast.csv.

    python benchmarks/chinchilla.py
"""

from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from others import read_others

from bayescale import allocate, bands, fit, forecast, load_spec, score
from bayescale.laws.law import compute

RESULTS = Path(__file__).parent / "results"
GOPHER = 5.76e23  # FLOP
SEED = sum(map(ord, "chinchilla"))
# Besiroglu et al. 2024 (arXiv:2404.10102): 240 runs, Huber loss, standard errors from 4000 bootstraps.
PUBLISHED = {"alpha": (0.3478, 0.0154), "beta": (0.3658, 0.0206), "E": (1.8172, 0.0257)}
SHARES = (0.1, 0.03, 0.01)  # of the largest compute: runs for the forecast
HELD_OUT = 1 / 3  # of the largest compute: runs that judge it


def sample(runs: pd.DataFrame, *, fade: float | None = None) -> xr.DataTree:
    """Fit the default model, optionally with another fade."""
    return fit(
        load_spec("chinchilla").changed({} if fade is None else {"noise": {"fade": fade}}),
        runs,
        random_seed=SEED,
        progressbar=False,
    )


def best_sizes(runs: pd.DataFrame) -> pd.DataFrame:
    """Posterior of the size at Gopher's budget and of the constants, textbook and default, with and without five outlying points."""
    rows = []
    for points, table in (("240", runs[runs["in_fit"] == 1]), ("245", runs)):
        for name, fade in (("textbook (fade 0)", 0.0), ("default (fade 0.06)", None)):
            idata = sample(table, fade=fade)
            draws = idata["posterior"].to_dataset()
            law = load_spec("chinchilla").get_law()
            size = np.exp(law.sizing.optimum(GOPHER, **{k: draws[k] for k in law.loss_constants}))
            row = {"points": points, "model": name, "passed": not _failed(idata)}
            for key, value in {"params_at_5.76e23": size, **{k: draws[k] for k in PUBLISHED}}.items():
                row |= {
                    f"{key}_{q}": float(value.quantile(p)) for q, p in (("median", 0.5), ("5%", 0.05), ("95%", 0.95))
                }
            row["chosen_params"] = float(allocate(idata, GOPHER)["params"].iloc[0])
            rows.append(row)
    return pd.DataFrame(rows)


def _failed(idata: xr.DataTree) -> list[str]:
    from bayescale.posterior import failed_checks

    return failed_checks(idata)


def forecasts(runs: pd.DataFrame) -> pd.DataFrame:
    """Score forecasts of the largest runs from small shares of the compute, with and without fade and drift."""
    return pd.concat([_forecasts(runs[runs["in_fit"] == 1]).assign(points=240), _forecasts(runs).assign(points=245)])


def _forecasts(runs: pd.DataFrame) -> pd.DataFrame:
    flops = compute(runs["params"], runs["tokens"])
    large = runs[flops > HELD_OUT * flops.max()]
    rows = []
    for share in SHARES:
        small = runs[flops <= share * flops.max()]
        for fade in (0.0, None):
            idata = sample(small, fade=fade)
            for drift in (False, True):
                result = score(bands(forecast(idata, large, drift=drift)))
                rows.append(
                    {
                        "share_of_compute": share,
                        "runs": len(small),
                        "fade": 0.0 if fade == 0 else 0.06,
                        "drift": drift,
                        **{
                            k: result[k] for k in ("plans", "inside", "median_abs_error", "interval_score", "log_score")
                        },
                    }
                )
    return pd.DataFrame(rows)


def main() -> None:
    """Run both parts and write the results."""
    runs = read_others("chinchilla")
    RESULTS.mkdir(exist_ok=True)
    for name, table in (("fit", best_sizes(runs)), ("forecast", forecasts(runs))):
        table.to_csv(RESULTS / f"chinchilla_{name}.csv", index=False, float_format="%.5g")
        print(table.T.to_string() if name == "fit" else table.to_string())


if __name__ == "__main__":
    main()
