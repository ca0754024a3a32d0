"""Plain words for what only the field knows: the checks of a fit, and the terms of a page."""

from collections.abc import Iterable

# Check -> what it means if it is not passed, for someone who plans and does not fit.
_CHECKS = {
    "khat": "The sampling of the fit is not trustworthy.",
    "efficiency": "The sampling of the fit gave few independent draws.",
    "rhat": "The sampling of the fit has not settled.",
    "halves": "The sampling of the fit has not settled.",
    "acceptance": "The sampling of the fit moved too little.",
    "bfmi": "The sampling of the fit moved too little.",
    "divergences": "The sampling of the fit missed part of the posterior.",
    "tree_depth": "The sampling of the fit was cut short.",
    "ess_bulk": "The sampling of the fit gave few independent draws.",
    "ess_tail": "The ends of the bands rest on few independent draws.",
    "finite_draws": "Some draws of the fit are not numbers.",
    "explained": "The law explains little of the differences between the runs.",
    "residual_pattern": "The runs deviate from the law in a pattern, and beyond the runs such a deviation grows.",
    "outlying_rows": "Some runs lie far from the law: their rows may be wrong.",
    "influential_rows": "A few runs decide much of the answer: without them it may differ.",
    "prior_conflict": "The runs disagree with what was assumed about a constant before they were seen.",
    "usual_ratio": "The best balance of size and data far beyond the runs is unlike that of public suites.",
    "exponents_from_prior": "The runs say little about how fast the loss falls, so that is partly assumed.",
    "decades_covered": "The runs span a narrow range of compute, so the forecast leans on assumptions.",
    "input_decades": "The runs span a narrow range, so the forecast leans on assumptions.",
    "envelope_decades": "The runs span a narrow range of compute, so the forecast leans on assumptions.",
    "tokens_per_param_decades": "The runs span a narrow range of tokens per parameter, so the best size is poorly determined.",
    "params_tokens_collinear": "Size and tokens grew together in the runs, so their effects cannot be told apart.",
    "runs_per_parameter": "There are few runs for so many constants.",
    "distinct_values": "The runs have few different values of an input.",
    "largest_runs_share": "The largest runs are a small share of all, so the forecast rests mostly on small ones.",
    "end_slope": "The slope at the end of the curve, which the forecast follows, is poorly determined.",
    "floor_in_sight": "No run is near the lowest possible loss, so how far the loss can still fall is partly assumed.",
    "floor_reached": "The best runs are already near the lowest possible loss, so larger ones may gain little.",
    "optimum_bracketed": "The runs lie on one side of the best size, so it is partly extrapolated.",
    "off_centre": "The runs lie to one side of the best size.",
    "budgets": "There are few compute budgets with enough sizes.",
    "one_batch_per_cell": "Size and batch changed together, so their effects cannot be told apart.",
    "above_chance": "Few runs score above chance.",
    "below_chance": "Some runs score below chance.",
}

GLOSSARY = (
    ("band", "The range that holds a value with the stated probability, 90% if nothing else is said; half of the rest lies on each side."),
    ("best size", "The number of parameters with the lowest loss for a given budget. It is not known exactly, so it has an interval."),
    ("budget", "The most that may be spent, on training and on serving a demand. Training takes 6 FLOP per parameter and token."),
    ("decade", "A factor of ten."),
    ("drift", "An allowance for the law itself, and its best size, going wrong beyond the runs; it grows with the distance."),
    ("draw", "One possible state of the world that agrees with the runs and the assumptions. All probabilities here are shares of draws."),
    ("fade", "Small runs count less: their noise grows with the distance below the largest run."),
    ("FLOP", "One arithmetic operation; compute is counted in them."),
    ("law", "A formula that gives the loss of a training run from its size and its number of tokens."),
    ("loss", "How badly a model predicts text: lower is better."),
    ("noise", "What separates two runs of the same plan, such as their random seeds."),
    ("Pareto k", "How much the answer depends on one run; above 0.7 the effect of leaving it out cannot be computed without a new fit."),
    ("P(best)", "The share of draws in which a plan is the best of those listed; other sizes are not compared."),
    ("posterior", "What is known about a law's constants after the runs; the prior is what was assumed before."),
    ("rank correlation", "How closely the best size follows a constant over the draws: 0 is not at all, 1 or -1 is entirely."),
    ("regret", "How much lower the loss of the best plan would have been, had the law been known exactly."),
    ("token", "A piece of text, roughly three quarters of a word, or a single byte."),
    ("unique tokens", "The distinct tokens of a data set; training on more tokens than these repeats them."),
    ("weight", "How much a law counts in the average, by how well it forecasts the larger runs from the smaller ones."),
)  # fmt: skip


# Law -> constant -> what it is.
_SUM = {
    "E": "the loss that no size and no amount of data removes",
    "A": "how much small size costs",
    "alpha": "how fast the loss falls with size",
    "B": "how much little data costs",
    "beta": "how fast the loss falls with data",
    "params_exponent": "how the best size grows with compute",
}
_CONSTANTS = {
    "chinchilla": _SUM,
    "chinchilla-families": _SUM,
    "repeated-rising": {
        **_SUM,
        "P": "how much repeats harm",
        "delta": "how fast that harm grows with repeats",
        "kappa": "how fast that harm grows with size",
        "R_D": "how many repeats of a token still count",
    },
    "bnsl": {
        "a": "the value that no scale removes",
        "log_b": "the size of the term that falls",
        "c0": "how fast it falls before the first break",
        **{
            f"{name}_{number}": f"{what} {number}"
            for number in range(1, 5)
            for name, what in (
                ("c", "how much the slope changes at break"),
                ("d", "the place of break"),
                ("f", "the width of break"),
            )
        },
    },
    "repeated": {**_SUM, "R_D": "how many repeats of a token still help", "R_N": "how much excess size still helps"},
    "repeated-skaling": {
        **_SUM,
        "k": "how far size and data depend on each other",
        "R_D": "how many repeats of a token still help",
        "R_N": "how much excess size still helps",
    },
    "skaling": {**_SUM, "k": "how far size and data depend on each other"},
    "profile": {
        "E": _SUM["E"],
        "R0": "how far the loss lies above that at the middle of the runs",
        "alpha": "how much too small a size costs",
        "beta": "how much too large a size costs",
        "x0": "the best size at the middle of the runs",
        "s": "how the best size grows with compute",
        "g": "how fast the loss falls with compute",
        "params_exponent": _SUM["params_exponent"],
    },
    "kaplan-nd": {
        "E": _SUM["E"],
        "N_c": "how much small size costs",
        "alpha_N": _SUM["alpha"],
        "D_c": "how much little data costs",
        "alpha_D": _SUM["beta"],
    },
    "overtrained": {
        "E": _SUM["E"],
        "a": _SUM["A"],
        "b": _SUM["B"],
        "eta": "how fast the loss falls with compute",
    },
    "batch": {**_SUM, "B_crit": "the batch at which half of the effect of the tokens is lost"},
    "power": {
        "E": "the value that no scale removes",
        "A": "the size of the term that falls",
        "alpha": "how fast it falls",
    },
}
_NOISE = {"sigma": "how far two runs of one plan differ", "nu": "how often a run lies far out: rarely if it is large"}


def constant_in_words(law: str, name: str) -> str:
    """Return what a constant of a law is, or an empty string."""
    return {**_NOISE, **_CONSTANTS.get(law, {})}.get(name, "")


def check_in_words(name: str) -> str:
    """Return what an open check means; the name of one of an average begins with that of its fit."""
    bare = name.rpartition(": ")[2]
    return _CHECKS.get(bare, bare.replace("_", " ").capitalize() + ".")


def checks_in_words(names: Iterable[str]) -> list[str]:
    """Return what open checks mean, each sentence once."""
    return list(dict.fromkeys(check_in_words(name) for name in names))
