"""The columns that bayescale knows: name, meaning, rule and common aliases.

Everything else in this folder uses this table to map names, check values and write messages. To support a new
spelling, add an alias here and nowhere else.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np


class Column(NamedTuple):
    """One known column: its name, a key of `RULES`, what a message says about it, and other spellings."""

    name: str
    rule: str
    meaning: str
    aliases: tuple[str, ...] = ()


class Rule(NamedTuple):
    """A test of finite values (True for valid ones) and the word for values that fail it."""

    holds: Callable[[np.ndarray], np.ndarray]
    broken: str


RULES = {
    "positive": Rule(lambda x: x > 0, "non-positive"),
    "nonnegative": Rule(lambda x: x >= 0, "negative"),
    "dropout": Rule(lambda x: (x >= 0) & (x < 1), "out-of-range"),
    "fraction": Rule(lambda x: (x >= 0) & (x <= 1), "out-of-range"),
}

_PARAMS = (
    *("N", "n_params", "num_params", "parameters", "model_size", "total_params", "params_total"),
    *("num_parameters", "parameter_count", "params_count", "num_model_params"),
    *("params_nonembedding", "params_non_embedding", "non_embedding_params", "params_no_embed"),
    *("params_active", "active_params"),
)
_TOKENS = (
    *("D", "n_tokens", "num_tokens", "train_tokens", "training_tokens", "tokens_seen", "total_tokens"),
    *("consumed_tokens", "num_input_tokens_seen"),
)
_FLOPS = (
    *("C", "compute", "flop", "total_flos", "total_flops"),
    *("train_flops", "training_flops", "training_compute", "compute_budget"),
)
_LOSS = (
    *("L", "val_loss", "valid_loss", "validation_loss", "eval_loss", "test_loss", "final_loss"),
    *("train_loss", "loss_train", "cross_entropy"),
)
KINDS = ("experiment", "model_name", "model")  # may name a run, or a kind of run that appears several times
_RUN = ("name", "run_name", "run_id", "id", "job_name", "hyper_id", *KINDS)

COLUMNS = {
    column.name: column
    for column in (
        Column("run", "text", "run is the name of a training run", _RUN),
        Column("family", "text", "family names the runs that share a law"),
        Column("params", "positive", "params are raw counts, e.g. 7.0e9", _PARAMS),
        Column("params_total", "positive", "params_total are raw counts, e.g. 7.0e9"),
        Column("tokens", "positive", "tokens are raw counts, e.g. 2.0e10", _TOKENS),
        Column(
            "unique_tokens",
            "positive",
            "unique_tokens are raw counts of distinct tokens, e.g. 2.0e10",
            ("unique", "unique_data", "dataset_tokens"),
        ),
        Column("epochs", "positive", "epochs are tokens over unique tokens, above 0"),
        Column("flops", "positive", "flops are total training FLOP, e.g. 1.0e21", _FLOPS),
        Column("flops_per_token", "positive", "flops_per_token are training FLOP per token, e.g. 4.2e10"),
        Column("loss", "positive", "losses are above 0, e.g. 2.31", _LOSS),
        Column("accuracy", "fraction", "accuracy is a share in [0, 1]"),
        Column("n_items", "positive", "n_items counts the test items, e.g. 1000"),
        Column("split", "text", "split is train for rows to fit"),
        Column("sweep", "text", "sweep says what a run was for"),
        Column("weight", "positive", "weights are above 0"),
        Column("lr", "positive", "lr is the peak learning rate, above 0", ("learning_rate", "peak_lr")),
        Column(
            "batch_tokens",
            "positive",
            "batch_tokens are tokens per step, e.g. 5.0e5",
            ("batch_size_tokens",),
        ),
        Column(
            "batch_sequences",
            "positive",
            "batch_sequences are sequences per step, e.g. 256",
            ("gbsz", "gbs", "global_batch_size"),
        ),
        Column("steps", "positive", "steps are optimiser steps, e.g. 10000", ("max_steps", "global_step")),
        Column("weight_decay", "nonnegative", "weight_decay is at least 0", ("wd",)),
        Column("dropout", "dropout", "dropout is in [0, 1)"),
        Column("width", "positive", "width is the model dimension, e.g. 768", ("d_model", "hidden_size")),
        Column("layers", "positive", "layers is the depth, e.g. 12", ("n_layers", "num_layers")),
        Column("seed", "any", "seed is the random seed", ("random_seed",)),
    )
}

PARAMS_KINDS = ("total", "non-embedding", "active", "unknown")  # what `params` may count

NUMERIC = tuple(name for name, column in COLUMNS.items() if column.rule in RULES)
TEXT = tuple(name for name, column in COLUMNS.items() if column.rule == "text")

_SEPARATORS = re.compile(r"[-_ /.]+")


@lru_cache(maxsize=100_000)
def plain(name: str) -> str:
    """Return a column name in the form used for comparisons: lower case, with one kind of separator."""
    return _SEPARATORS.sub("_", name.strip()).lower()


# Each spelling belongs to one column, so a plain dictionary from alias to column is enough.
ALIASES = {plain(alias): column.name for column in COLUMNS.values() for alias in column.aliases}
PLAIN_NAMES = {plain(name): name for name in COLUMNS}
