"""Learn the priors that ship with the package from all public tables at hand, and write bayescale/published/suites-2.json.

Each table is fitted whole by each law, with the model's own wide priors and a fade of 3% a decade; tables of one paper are one source.
The best tokens per parameter are learnt in the same way: what skaling, which forecasts best, calls best at the largest compute of each
table; they are used two decades beyond a user's runs, where plans are. They have Student-t tails, so that runs of a kind that no suite has
can say otherwise. The file also has what would be learnt without each source, for scores that leave the source out.

    python benchmarks/priors.py    # three minutes on two cores
"""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bayescale import fit_many, load_spec, read_runs
from bayescale.calibrate.priors import WEIGHT, learn_priors
from bayescale.spec.density import Density
from bayescale.spec.learnt import best_ratio

DATA = Path(os.environ.get("BAYESCALE_DATA", Path(__file__).parents[2] / "shared" / "data"))
OUT = Path(__file__).parents[1] / "bayescale" / "published" / "suites-2.json"
SUITES = {
    "loss-to-loss": "arXiv:2411.12925",
    "marin": "Open-Athena/scaling-law-analysis",
    "misfitting": "arXiv:2502.18969",
    "porian-owt2": "arXiv:2406.19146",
}
TABLES = {
    "chinchilla": "arXiv:2203.15556, read off by arXiv:2404.10102",
    "overtraining": "arXiv:2403.08540",
    "datablations": "arXiv:2305.16264, one epoch",
    "kernel-bytes": "runs of this project",
}
LEARNT = {
    "chinchilla": ("u1", "u2", "log_alpha", "log_beta"),
    "skaling": ("u1", "u2", "log_alpha_k", "log_beta_k", "log_k"),
    "profile": ("u", "log_alpha", "log_beta", "params_slope", "log_g"),
    "farseer": ("u", "log_fall", "fall_bend", "log_exponent", "turn", "turn_bend", "lean", "lean_bend"),
}
FADE = 0.03
RATIO, OF_LAW = "log_tokens_per_param", "skaling"
NU, AS_WIDE = (
    4,
    1.296,
)  # degrees of freedom, and the factor on sigma with which 90% lie between the same values as for a Normal
WIDE = (float(np.log(20)), 1.5)  # prior of the ratio itself: 90% from 1.7 to 236 tokens per parameter


def tables() -> dict[tuple[str, str], pd.DataFrame]:
    """Return the tables by source and name."""
    found = {}
    for source in SUITES:
        for task, rows in pd.read_csv(DATA / "suites" / f"{source}.csv").groupby("task", sort=False):
            found[source, str(task)] = rows
    rows = pd.read_csv(DATA / "chinchilla.csv")
    found["chinchilla", "chinchilla"] = rows[rows["in_fit"] == 1]
    for family, rows in pd.read_csv(DATA / "overtraining.csv").groupby("family", sort=False):
        found["overtraining", str(family)] = rows
    rows = pd.read_csv(DATA / "datablations.csv")
    rows = rows[(rows["epochs"] <= 1.05) & (rows["in_fit"] == 1)]
    found["datablations", "datablations"] = rows.drop_duplicates(["params", "tokens"])
    rows = read_runs("kernel-bytes")
    found["kernel-bytes", "kernel-bytes"] = rows[
        (rows["family"] == "kernel-bytes") & rows["sweep"].isin(["grid", "isoflop", "seed"])
    ]
    return {key: _plain(rows) for key, rows in found.items()}


def _plain(rows: pd.DataFrame) -> pd.DataFrame:
    table = rows[["params", "tokens", "loss"]].astype(float).reset_index(drop=True)
    return table.assign(run=[f"r{i}" for i in range(len(table))])


def posteriors(
    law: str, known: dict[tuple[str, str], pd.DataFrame]
) -> tuple[pd.DataFrame, dict[str, tuple[float, float]]]:
    """Fit a law to all tables; return means and sds of its parameters, and the own priors."""
    spec = load_spec(law).changed({"learnt": None, "noise": {"fade": FADE}})
    fits = fit_many(spec, list(known.values()), all_rows=True, random_seed=sum(map(ord, "priors")))
    rows = [
        {"source": source, "parameter": name, "mean": float(fits[name][i].mean()), "sd": float(fits[name][i].std())}
        for i, (source, _) in enumerate(known)
        for name in LEARNT[law]
        if not str(fits["fault"].to_numpy()[i])
    ]
    own = {name: (spec.priors[name].numbers["mu"], spec.priors[name].numbers["sigma"]) for name in LEARNT[law]}
    if law == OF_LAW:
        for i, ((source, _), table) in enumerate(known.items()):
            if not str(fits["fault"].to_numpy()[i]):
                density = Density(spec, table)
                values = {name: fits[name].to_numpy()[i] for name in spec.priors}
                constants = density.law.constants(values, density.data)
                best = best_ratio(density.law, constants, density.data["log_reach_max"])
                rows.append({"source": source, "parameter": RATIO, "mean": float(best.mean()), "sd": float(best.std())})
    return pd.DataFrame(rows), own


def learnt(rows: dict[str, pd.DataFrame], own: dict[str, Any], left: str = "") -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what is published, without a source: priors of each law, as in a model file, and how much each source is like the others."""
    models, alike = {}, {}
    for law, table in rows.items():
        of_suites = table[(table["source"] != left) & (table["parameter"] != RATIO)]
        priors, alike[law] = learn_priors(of_suites, own[law])
        models[law] = {name: _normal(*one) for name, one in priors.items()}
    ratios = rows[OF_LAW].query(f"parameter == '{RATIO}' and source != '{left}'")
    ratio, alike[RATIO] = learn_priors(ratios, {RATIO: WIDE})
    normal = _normal(*ratio[RATIO])
    tails = {**normal, "dist": "StudentT", "nu": NU, "sigma": float(f"{normal['sigma'] / AS_WIDE:.3g}")}
    return {"models": models, RATIO: tails}, alike


def _normal(mu: float, sd: float) -> dict[str, Any]:
    return {"dist": "Normal", "mu": float(f"{mu:.4g}"), "sigma": float(f"{sd:.3g}")}


def main() -> None:
    known, sources = tables(), {**SUITES, **TABLES}
    fitted = {law: posteriors(law, known) for law in LEARNT}
    rows, own = ({law: one[i] for law, one in fitted.items()} for i in (0, 1))
    everything, alike = learnt(rows, own)
    written = {
        "weight": WEIGHT,
        "method": f"benchmarks/priors.py: each table fitted whole with the model's own priors and a fade of {FADE:g}, then learn_priors. "
        f"{RATIO}: the best tokens per parameter of {OF_LAW} at the largest compute of each table, with Student-t tails and the learnt 90% "
        "interval.",
        "sources": [
            {
                "name": name,
                "reference": reference,
                "tables": sum(key[0] == name for key in known),
                "runs": int(np.sum([len(rows) for key, rows in known.items() if key[0] == name])),
                "alike": {law: round(alike[law][name], 3) for law in (*LEARNT, RATIO)},
            }
            for name, reference in sources.items()
        ],
        **everything,
        "without": {name: learnt(rows, own, left=name)[0] for name in sources},
    }
    OUT.write_text(json.dumps(written, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
