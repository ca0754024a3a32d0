"""The keys under which loggers keep losses, tokens and configuration.

Keys are compared in lower case with "." "/" "_" "-" and blanks equal (`plain`). To teach the importer a spelling, add it here and
nowhere else.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..columns import plain

VALIDATION, TRAINING = "validation", "training"
NATS, BITS_PER_BYTE, PERPLEXITY = "nats", "bits/byte", "perplexity"


class LossKey(NamedTuple):
    """What a key of a loss says of it: split, evaluation set ("" for one without a name), unit, and its rank among equals."""

    split: str
    set: str
    unit: str
    rank: int


_NAMES = (
    *("cross_entropy_loss", "crossentropyloss", "languagecrossentropy", "cross_entropy", "crossentropy"),
    *("ce_loss", "lm_loss", "nll_loss", "bits_per_byte", "bpb", "perplexity", "ppl", "nll", "loss"),
)
_NAME = re.compile(rf"(?<![a-z0-9])(?:{'|'.join(_NAMES)})(?![a-z0-9])")
_VALIDATION = ("eval", "evaluation", "val", "valid", "validation", "heldout", "dev", "test")
_TRAINING = {"train", "training", "reduced"}
_FILLING = {
    "lm",
    "metric",
    "metrics",
    "total",
    "epoch",
    "step",
    "global",
    "avg",
    "mean",
    "main",
    "language",
    "model",
    "loss",
    "losses",
}
# A word that makes it another quantity: a part of the loss, a weight average's loss, a best or smoothed value, a scale, a sum.
_OTHER = {
    *(
        "z",
        "aux",
        "auxiliary",
        "router",
        "balance",
        "balancing",
        "load",
        "mtp",
        "kl",
        "reg",
        "l2",
        "penalty",
        "grad",
        "scale",
        "scaled",
    ),
    *(
        "ema",
        "best",
        "min",
        "minimum",
        "max",
        "maximum",
        "smooth",
        "smoothed",
        "running",
        "micro",
        "sum",
        "spike",
        "lower",
        "upper",
    ),
    *(
        "stderr",
        "std",
        "var",
        "curvature",
        "delta",
        "ratio",
        "word",
        "entropy",
        "distill",
        "distillation",
        "target",
        "samples",
    ),
}


def loss_key(key: str) -> LossKey | None:
    """Return what a key says of the loss under it, or None where it is no loss of a language model."""
    name = plain(key)
    match = None
    for match in _NAME.finditer(name):  # noqa: B007  the last one is the quantity, e.g. of `loss/val_bpb`
        pass
    if match is None:
        return None
    words = [word for word in re.split(r"_+", name[: match.start()] + "_" + name[match.end() :]) if word]
    if _OTHER & set(words):
        return None
    marks = [word for word in words if word in _VALIDATION]
    rest = [word for word in words if word not in _VALIDATION and word not in _TRAINING and word not in _FILLING]
    unit = {"bpb": BITS_PER_BYTE, "bits_per_byte": BITS_PER_BYTE, "ppl": PERPLEXITY, "perplexity": PERPLEXITY}.get(
        match[0], NATS
    )
    rank = [NATS, BITS_PER_BYTE, PERPLEXITY].index(unit)
    if marks and not _TRAINING & set(words):
        return LossKey(VALIDATION, _set(key) if rest else "", unit, rank + (10 if marks == ["test"] else 0))
    if rest or marks or unit != NATS:
        return None
    # `reduced_train_loss`, `train_loss_step` and the like before the running mean over an epoch
    return LossKey(TRAINING, "", unit, rank + (5 if "epoch" in words else 0) + (0 if _TRAINING & set(words) else 1))


def _set(key: str) -> str:
    """Return the evaluation set in a key as it was written: what is left without the split and the quantity."""
    parts = []
    for part in key.split("/"):
        bare = re.sub(rf"(?i)(?:^|[-_ .])(?:{'|'.join(_NAMES).replace('_', '[-_ .]')})$", "", part.strip())
        bare = re.sub(rf"(?i)^(?:{'|'.join(_VALIDATION)})(?:[-_ .]|$)", "", bare)
        if bare and plain(bare) not in _FILLING:
            parts.append(bare)
    return "/".join(parts)


TOKENS = (
    *(
        "tokens",
        "train_tokens",
        "tokens_seen",
        "train_tokens_seen",
        "total_tokens",
        "cumulative_tokens",
        "tokens_consumed",
    ),
    *(
        "num_input_tokens_seen",
        "train_num_input_tokens_seen",
        "throughput_total_tokens",
        "ntokens_seen",
        "n_tokens_seen",
    ),
    *("consumed_tokens", "time_token", "num_tokens", "n_tokens", "train_tokens_total", "total_training_tokens"),
)
SAMPLES = ("consumed_samples", "consumed_train_samples", "samples_seen", "train_samples_seen", "train_consumed_samples")
FLOPS = {
    **dict.fromkeys(
        ("flops", "total_flos", "total_flops", "train_flops", "total_training_flops", "train_total_flos"), 1.0
    ),
    "throughput_total_gflops": 1e9,
    "throughput_total_petaflops": 1e15,
}
LR_SERIES = (
    *(
        "lr",
        "learning_rate",
        "train_lr",
        "train_learning_rate",
        "optim_learning_rate",
        "optim_lr_(group_0)",
        "optim_learning_rate_group0",
    ),
    *("lr_adamw", "lr_adam", "lr_adamw_group0", "lr_adam_group0", "lr_decoupledadamw_group0", "train_samples_lr"),
)
EPOCH = ("epoch", "train_epoch", "epochs", "trainer_epoch")
PROGRESS = ("run_progress",)

CONFIG: dict[str, tuple[str, ...]] = {
    "params": ("params", "n_params", "num_params", "params_count", "model_size", "n"),
    "params_total": (
        *(
            "params_total",
            "total_params",
            "num_parameters",
            "model_num_parameters",
            "parameter_count",
            "total_parameters",
        ),
        *("n_params_total", "num_params_total"),
    ),
    "params_non_embedding": (
        *(
            "params_non_embedding",
            "non_embedding_params",
            "params_nonembedding",
            "params_no_embed",
            "num_non_embedding_params",
        ),
        *("n_params_non_embedding", "non_embedding_parameters", "num_parameters_non_embedding"),
    ),
    "layers": ("n_layer", "num_layers", "num_hidden_layers", "n_layers", "layers", "depth"),
    "width": ("n_embd", "hidden_size", "d_model", "hidden_dim", "dim", "width"),
    "sequence": (
        *(
            "block_size",
            "seq_len",
            "seq_length",
            "max_seq_len",
            "max_sequence_length",
            "max_seq_length",
            "sequence_length",
            "context",
        ),
        *("context_length", "train_seq_len"),
    ),
    "lr": ("lr", "learning_rate", "max_lr", "peak_lr", "optimizer_lr", "optimizer_learning_rate", "optim_lr"),
    "weight_decay": ("weight_decay", "wd", "optimizer_weight_decay"),
    "dropout": ("dropout", "hidden_dropout", "model_dropout"),
    "seed": ("seed", "random_seed"),
    "planned": (
        *(
            "max_steps",
            "max_iters",
            "train_iters",
            "num_iterations",
            "num_train_steps",
            "total_steps",
            "train_steps",
            "max_iterations",
        ),
        *("num_steps", "steps"),
    ),
    "tokens": ("tokens", "train_tokens", "total_tokens", "max_tokens", "d"),
    "unique_tokens": ("unique_tokens", "dataset_tokens"),
    "family": ("family",),
    "vocabulary": ("vocab_size", "padded_vocab_size", "vocabulary_size"),
    # batch keys mean different things; what they multiply to is `batch_tokens` (interpret)
    "batch_tokens": (
        "batch_tokens",
        "tokens_per_batch",
        "tokens_per_step",
        "tokens_per_iteration",
        "batch_size_tokens",
    ),
    "global_batch": ("global_batch_size", "global_train_batch_size"),
    "micro_batch": (
        "batch_size",
        "micro_batch_size",
        "per_device_train_batch_size",
        "local_batch_size",
        "device_batch_size",
    ),
    "accumulation": (
        "grad_accum_steps",
        "gradient_accumulation_steps",
        "accumulate_grad_batches",
        "accum_freq",
        "grad_accumulation_steps",
    ),
    "ranks": ("world_size", "data_parallel_size", "dp_size", "num_gpus", "n_gpus"),
}


def config_value(config: Mapping[str, Any], wanted: str) -> tuple[Any, str] | None:
    """Return the value of a configuration and its key, or None.

    A full key wins over the last part of a nested one, earlier spellings over later ones; two nested keys that differ in value are none:
    the person is asked.
    """
    index: dict[str, list[str]] = {}
    for key in config:
        for name in {plain(key), plain(re.split(r"[./]", key)[-1])}:
            index.setdefault(name, []).append(key)
    for spelling in CONFIG[wanted]:
        keys = [key for key in index.get(spelling, []) if _usable(config[key])]
        exact = [key for key in keys if plain(key) == spelling]
        values = {str(config[key]) for key in exact or keys}
        if len(values) == 1:
            key = (exact or keys)[0]
            return config[key], key
    return None


def _usable(value: Any) -> bool:
    return (
        value is not None
        and not isinstance(value, dict | list)
        and str(value).strip().lower() not in ("", "none", "null", "-", "nan")
    )
