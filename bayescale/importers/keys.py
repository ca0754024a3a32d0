"""The keys under which loggers keep losses, tokens and configuration.

Keys are compared in lower case, with "." "/" "_" "-" and blanks treated as equal (`plain`). To support a new spelling, add it here
and nowhere else.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..runs.columns import plain

VALIDATION, TRAINING = "validation", "training"
NATS, BITS_PER_BYTE, BITS_PER_CHAR, PERPLEXITY = "nats", "bits/byte", "bits/char", "perplexity"


class LossKey(NamedTuple):
    """What a key says about its loss: split, evaluation set ("" if it has no name), unit, and rank among equals."""

    split: str
    set: str
    unit: str
    rank: int


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


# In this order, so that whole names match. The first are the cross entropy itself, without added terms.
_EXACT = _words(
    "cross_entropy_loss crossentropyloss languagecrossentropy cross_entropy crossentropy ce_loss lm_loss nll_loss"
)
_NAMES = (
    *_EXACT,
    *_words("log_perplexity log_ppl bits_per_byte bpb bits_per_character bits_per_char bpc perplexity ppl nll loss"),
)
_NAME = re.compile(rf"(?<![a-z0-9])(?:{'|'.join(_NAMES)})(?![a-z0-9])")
_UNITS = {
    **dict.fromkeys(("bpb", "bits_per_byte"), BITS_PER_BYTE),
    **dict.fromkeys(("bpc", "bits_per_char", "bits_per_character"), BITS_PER_CHAR),
    **dict.fromkeys(("ppl", "perplexity"), PERPLEXITY),
}
_VALIDATION = _words("eval evaluation val valid validation heldout dev test")
_TRAINING = frozenset(_words("train training reduced"))
_FILLING = frozenset(_words("lm metric metrics total epoch step global avg mean main language model loss losses"))
# Words for other quantities: a part of the loss, the loss of averaged weights, a best or smoothed value, a sum, another unit.
_OTHER = frozenset(
    (
        *_words(
            "z aux auxiliary router balance balancing load mtp kl reg l2 l1 penalty grad scale scaled mse mae huber"
        ),
        *_words(
            "contrastive vq recon reconstruction value policy reward actor critic cls class bbox entropy distill distillation"
        ),
        *_words(
            "target ema best lowest min minimum max maximum smooth smoothed running micro sum spike lower upper record"
        ),
        *_words("stderr std var curvature delta ratio samples word words byte bytes bit bits char chars"),
    )
)


def names_loss(key: str) -> bool:
    """Whether a key names a loss at all: a quick test; if it fails, `loss_key` returns None."""
    return _NAME.search(plain(key)) is not None


def loss_key(key: str) -> LossKey | None:
    """Return what a key says about its loss, or None if it is not the loss of a language model.

    Examples
    --------
    >>> loss_key("eval/paloma/c4_en/loss")
    LossKey(split='validation', set='paloma/c4_en', unit='nats', rank=1)
    >>> loss_key("train/grad_norm") is None
    True
    """
    name = plain(key)
    found = list(_NAME.finditer(name))
    if not found:
        return None
    quantity = next((match for match in found if match[0] in _UNITS), found[-1])  # for `val_bpb_loss` the unit
    words = [word for word in re.split(r"_+", _NAME.sub("_", name)) if word]
    if _OTHER & set(words):
        return None
    marks = [word for word in words if word in _VALIDATION]
    rest = [word for word in words if word not in _VALIDATION and word not in _TRAINING and word not in _FILLING]
    if marks:
        rest = [word for word in rest if word != "final"]  # when it was evaluated, not on what
    unit = _UNITS.get(quantity[0], NATS)
    rank = 100 * [NATS, BITS_PER_BYTE, BITS_PER_CHAR, PERPLEXITY].index(unit)
    rank += (quantity[0] not in _EXACT) + 10 * ("total" in words)
    if marks and not _TRAINING & set(words):
        of_one_batch = 20 * ("step" in words and "epoch" not in words)
        return LossKey(
            VALIDATION, _set(key) if rest else "test" if marks == ["test"] else "", unit, rank + of_one_batch
        )
    if rest or marks or unit != NATS:
        return None
    # next to `loss`, `train_loss` is the Trainer's mean over the whole run; so is `train/train_loss` next to `train/loss`
    return LossKey(TRAINING, "", unit, rank + 3 * sum(word in _TRAINING for word in words) + 2 * ("epoch" in words))


def _set(key: str) -> str:
    """Return the evaluation set in a key as it was written: the key without the split and the quantity."""
    parts = []
    for part in key.split("/"):
        bare = re.sub(rf"(?i)(?:^|[-_ .])(?:{'|'.join(_NAMES).replace('_', '[-_ .]')})$", "", part.strip())
        bare = re.sub(rf"(?i)^(?:{'|'.join(_VALIDATION)})(?:[-_ .]|$)", "", bare)
        if bare and plain(bare) not in _FILLING:
            parts.append(bare)
    return "/".join(parts)


# The first one found is used: `total_tokens` of all devices before `tokens`, which may be for one device.
TOKENS = (
    *_words(
        "throughput_total_tokens total_tokens train_total_tokens total_training_tokens cumulative_tokens consumed_tokens"
    ),
    *_words(
        "num_input_tokens_seen train_num_input_tokens_seen ntokens_seen n_tokens_seen tokens_seen train_tokens_seen"
    ),
    *_words("tokens_consumed time_token train_tokens train_tokens_total tokens"),
)
SAMPLES = _words("consumed_samples consumed_train_samples samples_seen train_samples_seen train_consumed_samples")
FLOPS = {
    **dict.fromkeys(_words("total_flos total_flops total_training_flops train_total_flos train_flops flops"), 1.0),
    "throughput_total_gflops": 1e9,
    "throughput_total_petaflops": 1e15,
}
LR_SERIES = frozenset(
    (
        *_words(
            "lr learning_rate train_lr train_learning_rate optim_learning_rate optim_lr_(group_0) optim_learning_rate_group0"
        ),
        *_words("lr_adamw lr_adam lr_adamw_group0 lr_adam_group0 lr_decoupledadamw_group0 train_samples_lr"),
    )
)
EPOCH = ("epoch", "train_epoch", "epochs", "trainer_epoch")
EPOCHS_DONE = (
    "train_epoch",
)  # completed epochs, even if they are whole numbers; other counters may be the number of the current epoch
PROGRESS = ("run_progress",)
NO_ACCURACY = _words("bits_per_byte byte_perplexity word_perplexity perplexity")  # other metrics of evaluations
OWN_ACCUMULATION = "block_size"  # sequence key of nanoGPT, whose accumulation counts the steps of one or of all ranks, depending on version

# "=" before a spelling: only as a full key, because `router.lr` or `warmup.steps` are other quantities.
CONFIG = {
    name: _words(spellings)
    for name, spellings in {
        "params": "params n_params num_params params_count model_size =n",
        "params_total": (
            "params_total total_params num_parameters model_num_parameters parameter_count total_parameters n_params_total num_params_total"
        ),
        "params_non_embedding": (
            "params_non_embedding non_embedding_params params_nonembedding params_no_embed num_non_embedding_params "
            "n_params_non_embedding non_embedding_parameters num_parameters_non_embedding"
        ),
        "layers": "n_layer num_layers num_hidden_layers n_layers layers =depth",
        "width": "n_embd hidden_size d_model hidden_dim =dim =width",
        "sequence": (
            "train_seq_len block_size seq_len seq_length max_seq_len max_sequence_length max_seq_length sequence_length context_length "
            "=context"
        ),
        "lr": "lr learning_rate max_lr peak_lr optimizer_lr optimizer_learning_rate optim_lr",
        "weight_decay": "weight_decay wd optimizer_weight_decay",
        "dropout": "=dropout hidden_dropout model_dropout",
        "seed": "seed random_seed",
        "planned": (
            "max_steps max_iters train_iters num_iterations num_train_steps max_iterations =total_steps =train_steps =num_steps =steps"
        ),
        "unique_tokens": "unique_tokens dataset_tokens",
        "family": "=family",
        "vocabulary": "vocab_size padded_vocab_size vocabulary_size",
        # batch keys mean different things; their product is `batch_tokens` (tokens.py)
        "batch_tokens": "batch_tokens tokens_per_batch tokens_per_step tokens_per_iteration batch_size_tokens",
        "global_batch": "global_batch_size global_train_batch_size",
        "micro_batch": "per_device_train_batch_size micro_batch_size local_batch_size device_batch_size batch_size",
        "accumulation": "grad_accum_steps gradient_accumulation_steps accumulate_grad_batches accum_freq grad_accumulation_steps",
        "data_ranks": "data_parallel_size dp_size",
        "ranks": "world_size num_gpus n_gpus",
        "model_ranks": "tensor_model_parallel_size pipeline_model_parallel_size context_parallel_size tp_size pp_size cp_size",
    }.items()
}
# Parts of a configuration that do not describe the training of this model
_ELSEWHERE = frozenset(
    _words(
        "eval evaluation val validation test generation generate sampling inference router warmup teacher draft ema loggers"
    )
)
_MUST_AGREE = {"sequence", "micro_batch", "global_batch", "batch_tokens"}


def config_value(config: Mapping[str, Any], wanted: str) -> tuple[Any, str] | None:
    """Return a value of a configuration and its key, or None.

    A full key takes precedence over a nested one, earlier spellings over later ones. The value is None if nested keys differ in value, or
    if several spellings of a batch or sequence differ: the user is asked.
    """
    full: dict[str, list[str]] = {}
    nested: dict[str, list[str]] = {}
    for key, value in config.items():
        if not _usable(value):
            continue
        parts = [plain(part) for part in re.split(r"[./]", key)]
        if _ELSEWHERE & set(parts[:-1]):
            continue
        full.setdefault(plain(key), []).append(key)
        if len(parts) > 1:
            nested.setdefault(parts[-1], []).append(key)
    found = [key for spelling in CONFIG[wanted] for key in full.get(spelling.removeprefix("="), [])]
    if not found or wanted in _MUST_AGREE:
        found += [key for spelling in CONFIG[wanted] if spelling[0] != "=" for key in nested.get(spelling, [])]
    if not found:
        return None
    same_spelling = [
        key for key in found if plain(re.split(r"[./]", key)[-1]) == plain(re.split(r"[./]", found[0])[-1])
    ]
    rivals = found if wanted in _MUST_AGREE else same_spelling
    differ = len({str(config[key]) for key in rivals}) > 1
    if differ and (wanted in _MUST_AGREE or found[0] not in full.get(plain(found[0]), [])):
        return None
    return config[found[0]], found[0]


def _usable(value: Any) -> bool:
    return (
        value is not None
        and not isinstance(value, dict | list)
        and str(value).strip().lower() not in ("", "none", "null", "-", "nan")
    )
