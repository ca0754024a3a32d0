"""Tasks on the bundled runs: exact match of a block follows from the accuracy of single bytes, and both from the loss.

Small runs are fitted, the larger ones held out. Writes results/tasks.csv.

    python benchmarks/tasks.py
"""

from pathlib import Path

import pandas as pd

from bayescale import bands, fit, forecast, load_spec, read_runs, score

RESULTS = Path(__file__).parent / "results"
SEED = sum(map(ord, "tasks"))
SMALL = 0.1  # share of the largest compute
LENGTHS = (2, 5, 10, 20)  # bytes in a block


def split() -> tuple[pd.DataFrame, pd.DataFrame]:
    """One-epoch transformers: those with at most a tenth of the largest compute, and the larger ones."""
    runs = read_runs("kernel-bytes")
    runs = runs[(runs["family"] == "kernel-bytes") & runs["sweep"].isin(["grid", "isoflop", "seed"])]
    flops = 6 * runs["params"] * runs["tokens"]
    return runs[flops <= SMALL * flops.max()], runs[flops > SMALL * flops.max()]


def main() -> None:
    """Fit each law for a task to the small runs and judge it by the large ones, from their measurements and from plans only."""
    small, large = split()
    loss_fit = fit(load_spec("chinchilla"), small, random_seed=SEED, progressbar=False)
    rows = []

    def judge(name, model, overlay):
        spec = load_spec(model).changed(overlay)
        idata = fit(spec, small, random_seed=SEED, progressbar=False)
        found = score(bands(forecast(idata, large)))
        constants = idata["posterior"].to_dataset()[list(spec.get_law().loss_constants)].median()
        rows.append(
            {
                "task": name,
                "from": ", ".join(idata_inputs(idata)),
                "inside": found["inside"],
                "plans": found["plans"],
                "median_abs_error": found["median_abs_error"],
                "bias": found["bias"],
                "largest_measured": float(large[spec.response].max()),
                **{key: float(value) for key, value in constants.items()},
            }
        )
        if "loss" in idata_inputs(idata):
            plans = large.drop(columns="loss")
            joint = score(bands(forecast(idata, plans, through=loss_fit)))
            rows.append(
                {
                    **rows[-1],
                    "from": "plans, through loss",
                    **{k: joint[k] for k in ("inside", "median_abs_error", "bias")},
                }
            )

    judge("accuracy of the next byte", "accuracy", {"response": "accuracy"})
    for length in LENGTHS:
        overlay = {"response": f"exact_match_{length}", "options": {"tokens": length}}
        judge(f"exact match of {length} bytes", "exact-match", overlay)
    judge("loss on another text", "transfer", {"response": "loss_ood"})
    table = pd.DataFrame(rows)
    table.to_csv(RESULTS / "tasks.csv", index=False, float_format="%.4g")
    print(table.to_string())


def idata_inputs(idata) -> list[str]:
    """Columns that a fit takes."""
    from bayescale.posterior import fitted_spec

    return list(fitted_spec(idata).inputs.values())


if __name__ == "__main__":
    main()
