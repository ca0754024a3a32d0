"""How good the bands are: hold out the largest runs of a table, forecast them from the smaller ones, and count."""

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="bayescale: how good are the bands")


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    # How good are the bands?

    A 90% band should hold nine of ten runs that were not fitted, and be no wider than it must. Nobody can check this for the run that is
    still to be trained. What can be checked is the same question, one size down: **fit the smaller runs of the table, forecast the larger
    ones that are already measured, and count.**

    The runs are bundled: byte-level transformers, one family. Loss is in nats per byte. On the command line:

        bayescale backtest runs.csv
    """)
    return


@app.cell
def _():
    import marimo as mo
    import matplotlib.pyplot as plt
    import numpy as np

    import bayescale as bs
    from bayescale.calibrate.backtest import by_distance, decision_sentence, sentences
    from bayescale.forecasts import summarise_scores

    SEED = 20261129
    return SEED, bs, by_distance, decision_sentence, mo, np, plt, sentences, summarise_scores


@app.cell
def _(bs):
    every_run = bs.read_runs("kernel-bytes")
    one_epoch = every_run["sweep"].isin(["grid", "isoflop", "seed"])
    runs = every_run[(every_run["family"] == "kernel-bytes") & one_epoch]
    return (runs,)


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    ## Hold out the largest runs

    A cut of 0.1 fits the runs with at most a tenth of the largest one's compute, and forecasts all others. One law is fitted here, to be
    quick. Without a model, `backtest` tests what `fit` does by default: the average of the laws that the smaller runs can support.
    """)
    return


@app.cell
def _(SEED, bs, runs):
    found = bs.backtest(
        runs,
        "chinchilla",
        holdout=bs.Holdout(cuts=[0.1, 0.03], sizes=[6, 12], repeats=2, random_seed=SEED),
        work=bs.Work(cores=1, progressbar=False),
    )
    forecasts = found.forecasts[found.forecasts["passed"] & (found.forecasts["size"] == 0)]
    found.cells[["cut", "size", "fitted", "held_out", "passed"]]
    return forecasts, found


@app.cell(hide_code=True)
def _(decision_sentence, forecasts, found, mo, sentences):
    mo.md(" ".join([*sentences(forecasts), decision_sentence(found.decisions, "nats/byte")]))
    return


@app.cell
def _(by_distance, forecasts):
    columns = ["runs", "forecasts", "median_abs_error", "bias", "coverage_50", "coverage_80", "coverage_90", "width"]
    distances = by_distance(forecasts)[columns]
    distances.round(3)
    return (distances,)


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    `bias` is measured over forecast loss, in logs: where it is negative, the larger runs were better than the law said.
    """)
    return


@app.cell
def _(forecasts, plt):
    error_figure, _ax = plt.subplots(figsize=(7, 4.2), layout="constrained")
    for _cut, _part in forecasts.groupby("cut", sort=False):
        _below, _above = (abs(_part[f"{_edge}_90"] / _part["median"] - 1) for _edge in ("lower", "upper"))
        _ax.errorbar(
            _part["decades_beyond"], 0 * _below, yerr=[100 * _below, 100 * _above], fmt="none", ecolor="0.75", lw=3
        )
        _ax.plot(_part["decades_beyond"], 100 * (_part["loss"] / _part["median"] - 1), "o", ms=4, label=f"cut {_cut:g}")
    _ax.axhline(0, color="0.4", lw=0.8)
    _ax.set(
        xlabel="decades of compute beyond the largest fitted run",
        ylabel="measured over forecast loss (%)",
        title="Held-out runs (points) and their 90% bands (grey)",
    )
    _ax.legend(frameon=False)
    error_figure
    return (error_figure,)


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    ## Do 50, 80 and 90% mean that?

    Left: the share of runs that each band held, against its promise. Right: where in its forecast each measured loss fell (PIT). Flat is
    right; a heap at an end is bias, a heap in the middle means bands that are too wide.
    """)
    return


@app.cell
def _(forecasts, np, plt, summarise_scores):
    calibration_figure, (_left, _right) = plt.subplots(1, 2, figsize=(8, 3.6), layout="constrained")
    _whole = summarise_scores(forecasts).iloc[0]
    _promised = [50, 80, 90]
    _left.plot([0, 100], [0, 100], color="0.7", lw=1)
    _left.plot(_promised, [100 * _whole[f"coverage_{_cent}"] for _cent in _promised], "o-", color="#4c566a")
    _left.set(xlabel="promised (%)", ylabel="held (%)", xlim=(0, 100), ylim=(0, 100), title="Coverage")
    _right.hist(forecasts["pit"], bins=np.linspace(0, 1, 11), color="#4c566a")
    _right.axhline(len(forecasts) / 10, color="0.7", lw=1)
    _right.set(xlabel="share of the forecast below the measured loss", ylabel="forecasts", title="PIT")
    calibration_figure
    return (calibration_figure,)


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    ## How many runs does it take?

    The same held-out runs, forecast from 6 or 12 runs drawn from those before each cut.
    """)
    return


@app.cell
def _(found, summarise_scores):
    drawn = found.forecasts[found.forecasts["passed"]]
    few = summarise_scores(drawn.assign(size=drawn["size"].replace(0, "all")), ["cut", "size"])
    few[["forecasts", "median_abs_error", "coverage_90", "width", "interval_score"]].round(3)
    return (few,)


@app.cell(hide_code=True)
def _(distances, mo):
    _far = distances.iloc[-1]
    mo.md(f"""
    ## What to make of it

    Farthest out the median error is {_far["median_abs_error"]:.1%} and the 90% bands held {_far["coverage_90"]:.0%}. These runs are a hard
    case: the README explains it by transformers that learn to copy from their context as they grow, which no smaller run shows.

    Three cautions. Runs of one table err together, so ten runs inside their bands are far fewer than ten successes. A backtest tests the
    step from the small runs to the measured ones, not the next one. And bands that held everything may simply be too wide: the interval
    score counts the width as well as the misses.
    """)
    return


if __name__ == "__main__":
    app.run()
