"""What to train with a budget: from small runs to a choice of params and tokens that you can defend."""

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="bayescale: what to train with a budget")


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    # What to train with a budget

    A team has small runs and money for one larger model, which it will serve afterwards. How many parameters, on how many tokens?

    The runs are bundled: byte-level transformers, one family. **A token is a byte, loss is in nats per byte**, and params are
    non-embedding. They are tiny, so the budgets below amount to cents; with your own `runs.csv` the same cells show millions.
    """)
    return


@app.cell
def _():
    from dataclasses import replace

    import marimo as mo
    import matplotlib.pyplot as plt
    import numpy as np
    import pandas as pd

    import bayescale as bs
    from bayescale.report.plots import plot_forecast, plot_isoflop

    SEED = 20261125
    return SEED, bs, mo, np, pd, plot_forecast, plot_isoflop, plt, replace


@app.cell
def _():
    def count(value):
        """Write a count as people write it: 4.2M."""
        for size, suffix in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
            if value >= size:
                return f"{value / size:.3g}{suffix}"
        return f"{value:.3g}"

    def ranged(row, name, write="{:.3f}".format):
        """A number with its 90% band: 0.903 (0.833 to 0.969)."""
        middle = row[name] if name in row else row[f"{name}_median"]
        return f"{write(middle)} ({write(row[f'{name}_lower'])} to {write(row[f'{name}_upper'])})"

    def plans_table(table, labels):
        """The columns of `allocate` that matter to a team, one row per request."""
        rows = [
            {
                "params, and 90% interval of the best": ranged(row, "params", count),
                "tokens": count(row["tokens"]),
                "tokens per param, and 90% interval": ranged(row, "tokens_per_param", "{:.3g}".format),
                "training, FLOP": f"{row['train_flops']:.2e}",
                "law's loss, nats/byte, 90% band": ranged(row, "expected"),
                "expected regret, nats/byte": f"{row['expected_regret']:.4f}",
                "decades beyond the runs": f"{row['extrapolation_decades']:.1f}",
            }
            for _, row in table.iterrows()
        ]
        return type(table)(rows, index=labels)

    return count, plans_table, ranged


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    ## The runs

    One family, and only sweeps that saw each byte once: the law fitted here does not model repetition.
    """)
    return


@app.cell
def _(bs):
    every_run = bs.read_runs("kernel-bytes")
    one_epoch = every_run["sweep"].isin(["grid", "isoflop", "seed"])
    runs = every_run[(every_run["family"] == "kernel-bytes") & one_epoch]
    compute = 6 * runs["params"] * runs["tokens"]
    runs[["run", "params", "tokens", "loss"]].describe()
    return compute, runs


@app.cell
def _(compute, plt, runs):
    runs_figure, _ax = plt.subplots(figsize=(7, 4.2), layout="constrained")
    _points = _ax.scatter(compute, runs["loss"], c=runs["params"], norm="log", cmap="viridis")
    runs_figure.colorbar(_points, ax=_ax, label="non-embedding params")
    _ax.set(xscale="log", xlabel="compute, 6 x params x tokens (FLOP)", ylabel="loss (nats/byte)", title="The runs")
    runs_figure
    return (runs_figure,)


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    ## The law

    `chinchilla`, loss = E + A/N^alpha + B/D^beta. 500 draws per chain are enough for a first look; use the default for a decision.
    """)
    return


@app.cell
def _(SEED, bs):
    def fit(some_runs):
        return bs.fit(
            bs.load_spec("chinchilla"),
            some_runs,
            params_kind="non-embedding",
            loss_unit="nats/byte",
            draws=500,
            random_seed=SEED,
            progressbar=False,
        )

    return (fit,)


@app.cell
def _(fit, runs):
    idata = fit(runs)
    return (idata,)


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    The check comes before any number. A failed row of severity `fail` ends the notebook; a `warn` is shown with the answers.
    """)
    return


@app.cell
def _(bs, idata):
    check = bs.check_fit(idata)
    if not (check["passed"] | (check["severity"] != "fail")).all():
        raise RuntimeError("The fit failed its check, so do not use its draws:\n" + check.to_string())
    check
    return (check,)


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    **Would it have worked?** Fit only the runs with at most a tenth of the compute of the largest one, and forecast the others.
    """)
    return


@app.cell
def _(SEED, bs, compute, fit, runs):
    small = compute <= 0.1 * compute.max()
    small_fit = fit(runs[small])
    held_out = bs.bands(bs.forecast(small_fit, runs[~small], random_seed=SEED))
    inside, held = int(held_out["inside"].sum()), len(held_out)
    better = int((held_out["loss"] < held_out["loss_lower"]).sum())
    in_a_row = runs["exact_match_10"].groupby(small).max()  # share of blocks of ten bytes that are all right
    return better, held, held_out, in_a_row, inside, small_fit


@app.cell
def _(held_out, plot_forecast, plt, small_fit):
    backtest_figure, _ax = plt.subplots(figsize=(7, 4.6), layout="constrained")
    plot_forecast(small_fit, held_out, _ax, title="Larger runs, forecast from a tenth of the compute")
    backtest_figure
    return (backtest_figure,)


@app.cell(hide_code=True)
def _(better, held, in_a_row, inside, mo):
    mo.md(f"""
    The 90% bands held **{inside} of {held}** larger runs; {better} of the {held - inside} outside did better than their band. The
    README explains this by transformers that learn to copy from their context as they grow. The best small run gets
    {in_a_row[True]:.0%} of blocks of ten bytes completely right, the best larger one {in_a_row[False]:.0%}, which fits that explanation
    but does not prove it. The bands below hold if the law continues to hold; they cannot rule out that larger runs learn something new.
    """)
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    ## A larger run

    The size of the largest run, on ten times its bytes: the band of the law's curve, and that of a single run.
    """)
    return


@app.cell
def _(SEED, bs, compute, idata, pd, runs):
    _largest = runs.loc[compute.idxmax()]
    larger = pd.DataFrame({"params": [_largest["params"]], "tokens": [10 * _largest["tokens"]]})
    larger_bands = bs.bands(bs.forecast(idata, larger, random_seed=SEED))
    return (larger_bands,)


@app.cell(hide_code=True)
def _(count, larger_bands, mo, ranged):
    _row = larger_bands.iloc[0]
    mo.md(f"""
    {count(_row["params"])} params on {count(_row["tokens"])} bytes: the law predicts {ranged(_row, "expected")} nats/byte, and a single
    run {ranged(_row, "loss")} nats/byte (90% bands). The library adds: *{_row["warning"]}*
    """)
    return


@app.cell
def _(idata, larger_bands, plot_forecast, plt):
    forecast_figure, _ax = plt.subplots(figsize=(7, 4.6), layout="constrained")
    plot_forecast(idata, larger_bands, _ax, title="One larger run, forecast from all runs")
    forecast_figure
    return (forecast_figure,)


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    ## A compute budget

    Ten times the compute of the largest run. `mean` minimises expected loss; `cvar:0.1` the mean loss of the worst tenth of the draws.
    """)
    return


@app.cell
def _(SEED, bs, compute, idata, pd, plans_table):
    budget = 10 * compute.max()
    by_risk = pd.concat([bs.allocate(idata, budget, risk=_risk, random_seed=SEED) for _risk in ("mean", "cvar:0.1")])
    plans_table(by_risk, by_risk["risk"].to_numpy())
    return budget, by_risk


@app.cell
def _(budget, by_risk, idata, plot_isoflop, plt):
    isoflop_figure, _ax = plt.subplots(figsize=(7, 4.6), layout="constrained")
    plot_isoflop(idata, by_risk.iloc[0], _ax, title=f"All sizes at {budget:.2g} FLOP")
    _ax.axvline(by_risk["params"].iloc[1], color="#c0392b", ls="--", label="choice by cvar:0.1")
    _ax.legend(fontsize=8, frameon=False)
    isoflop_figure
    return (isoflop_figure,)


@app.cell(hide_code=True)
def _(by_risk, count, mo):
    _mean, _cvar = by_risk.iloc[0], by_risk.iloc[1]
    mo.md(f"""
    The best size is known to a factor of {_mean["params_upper"] / _mean["params_lower"]:.1f} (90% interval), but the bottom is flat: sizes
    from {count(_mean["flat_params_lower"])} to {count(_mean["flat_params_upper"])} waste less than 2% of the compute. Caution takes
    {_cvar["params"] / _mean["params"]:.2f} times the params, and costs {_cvar["expected_regret"] - _mean["expected_regret"]:.4f} nats/byte
    of expected loss.
    """)
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    ## The price of certainty

    The cheapest plan that reaches a loss with a given probability. The target is 0.95 nats/byte, and plans are limited to two decades
    beyond the largest run: further out the drift is mostly a guess.
    """)
    return


@app.cell
def _(SEED, bs, idata, pd, plans_table):
    target = bs.Target(0.95)
    certainty = bs.cheapest_plan(
        idata, target, probabilities=[0.5, 0.8, 0.95], rules=bs.Rules(max_extrapolation=2), random_seed=SEED
    )
    plans_table(certainty, pd.Index([f"P = {_p:.2f}" for _p in certainty["probability_target"]]))
    return certainty, target


@app.cell
def _(certainty, plt, target):
    certainty_figure, _ax = plt.subplots(figsize=(7, 4), layout="constrained")
    _ax.plot(certainty["probability_target"], certainty["train_flops"], "o-", color="#4c566a")
    _ax.set(
        yscale="log",
        xlabel=f"probability that the law's loss is at most {target.loss} nats/byte",
        ylabel="lowest training compute (FLOP)",
        title="What certainty costs",
    )
    certainty_figure
    return (certainty_figure,)


@app.cell(hide_code=True)
def _(certainty, mo):
    _flops = certainty["train_flops"].to_numpy()
    mo.md(f"""
    Compared with even odds, P = 0.80 takes {_flops[1] / _flops[0]:.1f} times the compute, and P = 0.95
    takes {_flops[2] / _flops[0]:.1f} times.
    """)
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    ## Serving

    Each token served costs 2 FLOP per parameter, so demand makes the best size smaller. Demand is uncertain too: here the sd of its log is
    0.5. The budget pays for training and for serving the expected demand.
    """)
    return


@app.cell
def _(SEED, bs, budget, idata, np, pd, plans_table):
    served = np.array([1e7, 3e7, 1e8])
    by_demand = pd.concat(
        [
            bs.allocate(idata, bs.Budget(flops=budget, demand=bs.Demand(_tokens, sigma=0.5)), random_seed=SEED)
            for _tokens in served
        ]
    )
    plans_table(by_demand, pd.Index([f"{_tokens / 1e6:.0f}M bytes served (median)" for _tokens in served]))
    return by_demand, served


@app.cell
def _(by_demand, by_risk, plt, served):
    demand_figure, _ax = plt.subplots(figsize=(7, 4), layout="constrained")
    _middle = by_demand["params"].to_numpy()
    _low, _high = by_demand["params_lower"].to_numpy(), by_demand["params_upper"].to_numpy()
    _ax.vlines(served, _low, _high, color="#7aa6c2", lw=5, label="90% interval of the best size")
    _ax.plot(served, _middle, "o-", color="#4c566a", label="choice")
    _ax.axhline(by_risk["params"].iloc[0], color="0.5", ls=":", label="choice without serving")
    _ax.set(
        xscale="log",
        yscale="log",
        xlabel="bytes served in its lifetime (median)",
        ylabel="non-embedding params",
        title="Demand makes the model smaller",
    )
    _ax.legend(fontsize=8, frameon=False)
    demand_figure
    return (demand_figure,)


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    ## Not enough data

    Suppose that only 32M distinct bytes exist. This law does not model repetition, so they limit the tokens. With
    `Rules(repeats="published")` data may be repeated, at the published value of repeats (Muennighoff et al. 2023), which these runs did
    not measure.
    """)
    return


@app.cell
def _(SEED, bs, budget, by_risk, idata, pd, plans_table):
    few = bs.Limits(unique_tokens=32e6)
    capped = bs.allocate(idata, budget, limits=few, random_seed=SEED)
    repeated = bs.allocate(idata, budget, limits=few, rules=bs.Rules(repeats="published"), random_seed=SEED)
    by_data = pd.concat([by_risk.iloc[[0]], capped, repeated])
    _labels = ["no limit", "32M bytes, each seen once", "32M bytes, repeats as published"]
    plans_table(by_data, _labels).assign(epochs=[f"{_epochs:.1f}" for _epochs in by_data["epochs"].fillna(1)])
    return capped, repeated


@app.cell(hide_code=True)
def _(by_risk, capped, count, mo, ranged, repeated):
    _free, _cap, _again = (_table.iloc[0] for _table in (by_risk, capped, repeated))
    mo.md(f"""
    With the limit, the budget buys size instead of data: {count(_cap["params"])} params, and {ranged(_cap, "expected")} nats/byte, while
    fresh data would give {ranged(_free, "expected")}. With {_again["epochs"]:.1f} epochs it is {ranged(_again, "expected")} nats/byte
    (90% bands). Under the limit the interval of the best size is a point, because data and budget leave no choice, not because the size is
    well known.
    """)
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    ## Money

    Nothing has a default price. The accelerator gives the peak; price and utilisation are **yours to change**: small models use little
    of the peak, and less in writing than in reading. Three quarters of the served bytes are prompts.
    """)
    return


@app.cell
def _(bs):
    costs = bs.CostModel("V100-SXM-16GB", usd_per_gpu_hour=1.20, mfu=0.05, mfu_prefill=0.05, mfu_decode=0.01)
    demand = bs.Demand(3e7, sigma=0.5, prompt_share=0.75)
    dollars = 0.10
    return costs, demand, dollars


@app.cell
def _(SEED, bs, costs, demand, dollars, idata, pd, plans_table):
    money = bs.Budget(usd=dollars, demand=demand, costs=costs)
    in_money = pd.concat([bs.allocate(idata, money, risk=_risk, random_seed=SEED) for _risk in ("mean", "cvar:0.1")])
    choice, cautious = in_money.iloc[0], in_money.iloc[1]
    plans_table(in_money, in_money["risk"].to_numpy()).assign(
        **{"USD in total": [f"{_usd:.3f}" for _usd in in_money["cost_usd"]]},
        **{"accelerator-hours": [f"{_hours:.3f}" for _hours in in_money["gpu_hours"]]},
    )
    return cautious, choice, money


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    ## Rivals

    Plans that spend the same dollars, serving included: 20 tokens per parameter, the cautious plan, and the size that is best if
    serving is ignored. For N params and D tokens the dollars are 6 N D x (price of a training FLOP) + 2 N x (price of serving).
    """)
    return


@app.cell
def _(SEED, bs, cautious, choice, costs, demand, dollars, idata, np, pd):
    _share = demand.prompt_share
    _train = 6 * costs.usd_per_flop
    _serve = 2 * demand.expected * (_share * costs.usd_per_prefill_flop + (1 - _share) * costs.usd_per_decode_flop)
    # 20 tokens per parameter make the dollars quadratic in N.
    _twenty = (np.sqrt(_serve**2 + 4 * 20 * _train * dollars) - _serve) / (2 * 20 * _train)
    _unserved = bs.allocate(idata, bs.Budget(usd=dollars, costs=costs), random_seed=SEED).iloc[0]
    _params = np.array([choice["params"], _twenty, cautious["params"], _unserved["params"]])
    rivals = pd.DataFrame(
        {
            "run": ["choice", "20 tokens per param", "cautious (cvar:0.1)", "best size without serving"],
            "params": _params,
            "tokens": (dollars - _serve * _params) / (_train * _params),
        }
    )
    rivals = rivals[rivals["tokens"] > 0]  # a size too large to be served for the dollars is not a rival
    return (rivals,)


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    All plans are in one forecast with one seed: in each draw they share parameters and drift, so noise does not hide the differences.
    """)
    return


@app.cell
def _(SEED, bs, count, idata, pd, rivals):
    def excess_band(row):
        return f"{row['mean']:.4f} ({row['lower']:.4f} to {row['upper']:.4f})"

    _loss = bs.forecast(idata, rivals, random_seed=SEED)["expected_loss"]
    excess = (_loss - _loss.sel(plan="choice")).drop_sel(plan="choice")  # nats/byte, above 0 if the choice is better
    _edges = excess.quantile([0.05, 0.95], ("chain", "draw"))
    regret = pd.DataFrame(
        {
            "mean": excess.mean(("chain", "draw")),
            "lower": _edges[0],
            "upper": _edges[1],
            "choice_better": (excess > 0).mean(("chain", "draw")),
        },
        index=excess["plan"].to_numpy(),
    )
    _plans = rivals.set_index("run").loc[regret.index]
    pd.DataFrame(
        {
            "params": _plans["params"].map(count),
            "tokens": _plans["tokens"].map(count),
            "loss above the choice's, nats/byte, 90% band": [excess_band(_row) for _, _row in regret.iterrows()],
            "P(the choice is better)": regret["choice_better"].map("{:.2f}".format),
        }
    )
    return excess, excess_band, regret


@app.cell
def _(excess, plt):
    regret_figure, _axes = plt.subplots(1, excess.sizes["plan"], figsize=(10, 3.4), sharey=True, layout="constrained")
    for _ax, _plan in zip(_axes, excess["plan"].to_numpy(), strict=True):
        _ax.hist(excess.sel(plan=_plan).to_numpy().ravel(), bins=40, color="#7aa6c2")
        _ax.axvline(0, color="#c0392b", lw=1)
        _ax.set(title=str(_plan), xlabel="loss above the choice's (nats/byte)")
    _axes[0].set_ylabel("draws")
    regret_figure
    return (regret_figure,)


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    ## What would change it

    The same request, one assumption changed at a time.
    """)
    return


@app.cell
def _(SEED, bs, demand, idata, money, pd, plans_table, replace):
    changes = {
        "as requested": (money, {}),
        "four times the demand": (replace(money, demand=replace(demand, tokens=4 * demand.tokens)), {}),
        "a quarter of the demand": (replace(money, demand=replace(demand, tokens=demand.tokens / 4)), {}),
        "only 32M distinct bytes": (
            money,
            {"limits": bs.Limits(unique_tokens=32e6), "rules": bs.Rules(repeats="published")},
        ),
        "no drift beyond the runs": (money, {"rules": bs.Rules(drift=False)}),
    }
    changed = pd.concat(
        [bs.allocate(idata, _budget, random_seed=SEED, **_others) for _budget, _others in changes.values()]
    )
    changed.index = pd.Index(changes)
    plans_table(changed, changed.index)
    return (changed,)


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    ## The choice
    """)
    return


@app.cell
def _(better, changed, choice, costs, count, demand, excess_band, held, inside, mo, np, ranged, regret):
    _rule, _cautious = regret.loc["20 tokens per param"], regret.loc["cautious (cvar:0.1)"]
    _others = ", ".join(
        f"{_name} {ranged(_row, 'params', count)}" for _name, _row in changed.iterrows() if _name != "as requested"
    )
    conclusion = (
        f"**Train {count(choice['params'])} params on {count(choice['tokens'])} bytes**, {choice['tokens_per_param']:.0f} bytes "
        f"per param, for {choice['cost_usd']:.2f} USD in training and serving. Expected: {ranged(choice, 'expected')} nats/byte for the "
        f"law's curve and {ranged(choice, 'loss')} nats/byte for one run (90% bands). "
        f"*How sure:* the best size is between {count(choice['params_lower'])} and {count(choice['params_upper'])} (90%); this "
        f"uncertainty costs {choice['expected_regret']:.4f} nats/byte in expectation, {choice['wasted_compute']:.0%} of the spending. "
        f"20 bytes per param are worse by {excess_band(_rule)} nats/byte (90% band), and the choice beats them with probability "
        f"{_rule['choice_better']:.2f}; the cautious plan is worse by {excess_band(_cautious)} nats/byte. Sizes from "
        f"{count(choice['flat_params_lower'])} to {count(choice['flat_params_upper'])} waste less than 2% of the spending. "
        f"*Assumed:* that the law continues to hold for {choice['extrapolation_decades']:.1f} decades of compute within its drift; "
        f"the 90% bands of the test above held {inside} of {held} larger runs, {better} did better than theirs, so the loss is less "
        f"certain than its band says; {costs.usd_per_gpu_hour:.2f} USD per accelerator-hour and {costs.mfu:.0%} "
        f"utilisation; {count(demand.tokens)} bytes served (median; "
        f"90% {count(demand.tokens * np.exp(-1.645 * demand.sigma))} to {count(demand.tokens * np.exp(1.645 * demand.sigma))}); "
        f"enough bytes, each seen once. *What would change it:* {_others} params (90% intervals of the best size). "
        f"*The library warns:* {choice['warning']}"
    )
    if mo.app_meta().mode == "script":
        print(conclusion)
    mo.md(conclusion)
    return


if __name__ == "__main__":
    app.run()
