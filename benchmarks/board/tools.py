"""Forecasts of simple-scaling-laws and mixle, for `rivals.tool_rows`, which runs this file by the Python that has them.

Reads {"train": {params, tokens, loss}, "test": {params, tokens}} from stdin and prints a JSON object of tool to quantiles of each test run.
With the path of a CSV file, it fits simple-scaling-laws alone and prints the constants, for `speed.py`.
"""

import json
import sys
from importlib.metadata import version

import numpy as np

LEVELS = (np.arange(199) + 0.5) / 199
SEED = 1


def simple_scaling_laws(train, test):
    """Its quick start, with one evaluation for each run."""
    import polars as pl

    found = fitted(train).predict(pl.DataFrame(named(test)), kind="new-run", quantiles=LEVELS.tolist(), seed=SEED)
    columns = [name for name in found.columns if name.startswith("test_loss__ce__")]
    return np.sort(found.select(columns).to_numpy().T, axis=0)


def fitted(rows):
    """Fit simple-scaling-laws with its defaults."""
    import polars as pl
    from simple_scaling_laws import fit

    ids = [f"r{i}" for i in range(len(rows["loss"]))]
    return fit(pl.DataFrame({"training_run_id": ids, **named(rows), "test_loss__ce": rows["loss"]}), seed=SEED)


def named(rows):
    return {"model_size__n_params": rows["params"], "dataset_size__n_tokens": rows["tokens"]}


def mixle(train, test):
    """Its posterior of Chinchilla's law, with the noise that it fits."""
    from mixle.ppl.scaling_laws import fit_scaling_law

    found = fit_scaling_law(list(zip(train["params"], train["tokens"], train["loss"], strict=True)), seed=SEED)
    noise = np.random.default_rng(SEED).standard_normal(len(found.samples("sigma"))) * found.samples("sigma")
    plans = zip(test["params"], test["tokens"], strict=True)
    return np.array([np.quantile(found.predict_samples(n, d) + noise, LEVELS) for n, d in plans]).T


def main():
    """Answer what is asked on stdin, or fit the rows of a file."""
    if sys.argv[1:]:
        import polars as pl

        model = fitted(pl.read_csv(sys.argv[1]))
        print(json.dumps({name: float(value) for name, value in model.params("test_loss__ce").items()}))
        return
    asked = json.load(sys.stdin)
    said = {}
    for package, tool in (("simple-scaling-laws", simple_scaling_laws), ("mixle", mixle)):
        name = f"{package} {version(package)}"
        try:
            said[name] = {"drawn": tool(asked["train"], asked["test"]).tolist()}
        except Exception as error:  # a tool that refuses has no forecast
            said[name] = {"fault": f"{type(error).__name__}: {error}"}
    json.dump(said, sys.stdout)


if __name__ == "__main__":
    main()
