"""The Chinchilla runs: agreement with published fits, and the size at Gopher's budget.

Needs the table `chinchilla` (see `bayescale datasets`). Writes results/chinchilla_fit.csv.

    python benchmarks/chinchilla.py
"""

from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from others import read_others

from bayescale import allocate, fit, load_spec

RESULTS = Path(__file__).parent / "results"
GOPHER = 5.76e23  # FLOP
SEED = sum(map(ord, "chinchilla"))
# Besiroglu et al. 2024 (arXiv:2404.10102): 240 runs, Huber loss, standard errors from 4000 bootstraps.
PUBLISHED = {"alpha": (0.3478, 0.0154), "beta": (0.3658, 0.0206), "E": (1.8172, 0.0257)}


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


def main() -> None:
    """Fit and write the results."""
    RESULTS.mkdir(exist_ok=True)
    table = best_sizes(read_others("chinchilla"))
    table.to_csv(RESULTS / "chinchilla_fit.csv", index=False, float_format="%.5g")
    print(table.T.to_string())


if __name__ == "__main__":
    main()
