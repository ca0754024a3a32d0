"""What the values of a checked table give away: perplexities and bits as loss, batches in sequences, copied values, ignored settings."""

import re
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from ..errors import InputError, named, option
from .columns import plain
from .duplicates import ONE_SIZE
from .problems import as_pairs, counted, rows_text
from .scaled import is_scaled
from .settings import is_step_like, keys, step_column
from .values import one_line, parse_column

LARGEST_VOCABULARY = 270_000  # about the largest in use, without a column for it
_VOCABULARY = ("vocab_size", "vocab", "vocabulary", "vocabulary_size", "n_vocab")
_BYTES = re.compile(r"(^|_)(bpb|bits_per_byte)(_|$)")
_CHARACTERS = re.compile(r"(^|_)(bpc|bits_per_char|bits_per_character)(_|$)")
_PERPLEXITY = re.compile(r"(^|_)(ppl|perplexity)(_|$)")
_AGREE = 0.012  # in log: perplexities are often printed in three digits
_ROUGH = 0.05
_SEQUENCES = 4096  # tokens; a smaller batch would be a few sequences at most
_SAME_DIGITS = 0.05  # expected number of equal pairs by chance, below which an equal pair is reported
_COPIED = 0.01  # largest share of values that are copies
_ALONG = ("tokens", "steps", "epochs", "unique_tokens")  # inputs of a curve of one size
_MATTER = ("lr", "batch_tokens", "weight_decay", "dropout", "warmup", "beta2")
_KINDS = re.compile(
    r"optim|sched|^data$|dataset|corpus|mixture|tokeni[sz]er|^arch|architecture|attention|activation|precision"
)


def loss_unit(frame: pd.DataFrame, mapped: Mapping[str, str]) -> tuple[str, str]:
    """Return the unit in which a table gives its loss, and how it is known; two empty strings if nothing tells.

    Parameters
    ----------
    frame : pandas.DataFrame
        Checked table of runs.
    mapped : mapping of str to str
        Name -> column in the file.
    """
    if "loss" not in frame or is_scaled(source := mapped.get("loss", "loss")):
        return "", ""
    for pattern, unit in ((_BYTES, "bits/byte"), (_CHARACTERS, "bits/char")):
        if pattern.search(plain(source)):
            return (
                unit,
                f"'{one_line(source)}' is in {unit.replace('/', ' per ')}: the loss is labelled {unit}; x 0.693 gives nats.",
            )
    loss = frame["loss"].to_numpy(dtype=float)
    for name in frame:
        if not _PERPLEXITY.search(plain(str(name))) or not pd.api.types.is_numeric_dtype(frame[name]):
            continue
        with np.errstate(all="ignore"):
            logs = np.log(frame[name].to_numpy(dtype=float))
        both = np.isfinite(logs) & np.isfinite(loss)
        if both.sum() < 3:
            continue
        if _equal(logs[both], loss[both]):
            return "", ""
        if _equal(logs[both], loss[both] * np.log(2)):
            return (
                "bits/token",
                f"'{one_line(name)}' is 2^loss in {both.sum()} of {counted(len(frame), 'row')}, so the loss is in bits per token: it is "
                f"labelled bits/token. For nats (x 0.693) read it with {_read('loss', f'{source}*0.693147')}.",
            )
        if _stem(str(name)) == _stem(source):
            return (
                "",
                f"'{one_line(name)}' is neither e^loss nor 2^loss of '{one_line(source)}' (first row: {frame[name].iloc[0]:.4g} and "
                f"{loss[0]:.4g}): check which of them is the loss, and its unit.",
            )
    return "", ""


def check_units(rows: pd.DataFrame, inputs: Mapping[str, str], response: str, unit: str | None) -> str:
    """Return a note on values of the columns a law takes that another unit would explain, or "".

    Parameters
    ----------
    rows : pandas.DataFrame
        The rows to fit.
    inputs : mapping of str to str
        Law input -> column.
    response : str
        Column that the law explains.
    unit : str, optional
        Unit of the loss, if the user said what it is; a loss of known unit is taken as it is.

    Raises
    ------
    ValueError
        If most losses are above that of a uniform guess although the law takes params or tokens, or batches are in sequences.
    """
    if "batch_tokens" in inputs.values() and (doubt := batch_doubt(rows)):
        raise InputError(doubt)
    if response != "loss" or unit or rows.attrs.get("loss_unit"):
        return ""
    vocabulary = next((name for name in rows if plain(str(name)) in _VOCABULARY), None)
    sizes = rows[vocabulary].to_numpy(dtype=float) if vocabulary else np.full(len(rows), float(LARGEST_VOCABULARY))
    loss = rows["loss"].to_numpy(dtype=float)
    with np.errstate(all="ignore"):
        above = np.flatnonzero(loss > np.log(sizes))
    source = rows.attrs.get("columns", {}).get("loss", "loss")
    is_perplexity = bool(_PERPLEXITY.search(plain(source))) and not is_scaled(source)
    if not len(above) and not is_perplexity:
        return ""
    guess = (
        f"ln {one_line(vocabulary)}" if vocabulary else f"ln {LARGEST_VOCABULARY:,} = {np.log(LARGEST_VOCABULARY):.1f}"
    )
    text = (
        f"Column '{one_line(source)}' is a perplexity, not a loss in nats"
        if is_perplexity
        else f"Column 'loss' is above the loss of a uniform guess ({guess}) in {len(above)} of {counted(len(rows), 'row')} "
        f"({rows_text(above, rows.get('run'))}), so it is hardly in nats per token"
    )
    text += f": it runs from {loss.min():.4g} to {loss.max():.4g}"
    if len(inputs) == 1 or (len(above) * 2 <= len(rows) and not is_perplexity):
        return f"{text}. Check its unit."
    raise InputError(
        f"{text}. If it is a perplexity, read its logarithm with {_read('loss', f'ln({source})')}; if it is right, "
        f"say its unit with `loss_unit` ({option('loss_unit')})."
    )


def batch_doubt(rows: pd.DataFrame) -> str:
    """Return the sentence on a batch in sequences, with the fix, or "" if `batch_tokens` may be tokens."""
    if "batch_tokens" not in rows:
        return ""
    batch = rows["batch_tokens"].to_numpy(dtype=float)
    source = rows.attrs.get("columns", {}).get("batch_tokens", "batch_tokens")
    batch = batch[np.isfinite(batch)]
    if is_scaled(source) or not len(batch):
        return ""
    steps = step_column(rows)
    seen = next(
        (name for name in rows if name != "tokens" and is_step_like(str(name)) and "token" in plain(str(name))),
        "tokens",
    )
    each = np.array([])
    if steps and seen in rows:
        with np.errstate(all="ignore"):
            each = rows[seen].to_numpy(dtype=float) / (rows[steps] * rows["batch_tokens"]).to_numpy(dtype=float)
        each = each[np.isfinite(each)]
    is_known = len(each) > 0 and each.max() < 1.02 * each.min()
    if is_known and each.min() > 1.5:
        length = round(float(np.median(each)))
        return (
            f"Column 'batch_tokens' counts sequences, not tokens: '{one_line(seen)}' over '{one_line(steps)}' x batch is {length} in "
            f"every row ({batch.min():g} to {batch.max():g} sequences of {length} tokens). Read it as tokens with "
            f"{_read('batch_tokens', f'{source}*{length}')}."
        )
    if not is_known and batch.max() < _SEQUENCES:
        return (
            f"Column 'batch_tokens' looks like sequences: its values are {batch.min():g} to {batch.max():g}, and batch_tokens are tokens "
            f"per step. Multiply by the length of a sequence, e.g. with {_read('batch_tokens', f'{source}*2048')}; if they are tokens, "
            f"write {_read('batch_tokens', f'{source}*1')}."
        )
    return ""


def same_value_note(rows: pd.DataFrame, response: str) -> str:
    """Return a note on rows with the same response to all digits, if that is not to be expected by chance, or ""."""
    values = rows[response].to_numpy(dtype=float)
    twice = pd.Series(values).duplicated(keep=False).to_numpy() & np.isfinite(values)
    spread = float(np.ptp(values[np.isfinite(values)])) if np.isfinite(values).any() else 0.0
    shared = list(dict.fromkeys(values[twice]))
    # Many equal values are those of a coarse scale, such as a share of few items or colours read off a figure.
    if "loss" not in plain(response) or spread == 0 or not 0 < len(shared) <= max(1, _COPIED * len(rows)):
        return ""
    step = 10.0 ** -max(_decimals(value) for value in values[twice])
    if len(rows) ** 2 / 2 * step / spread > _SAME_DIGITS:
        return ""
    names = rows["run"].astype(str) if "run" in rows else pd.Series([f"row {row + 1}" for row in range(len(rows))])
    pairs = [f"{' and '.join(map(one_line, names[values == value][:4]))} both have {value:.6g}" for value in shared[:4]]
    return f"'{one_line(response)}' is the same to all digits in different rows, as after a copy: {'; '.join(pairs)}. Check them."


def several_sizes_note(rows: pd.DataFrame, columns: Sequence[str]) -> str:
    """Return a note on rows of several sizes that a law along one input, such as tokens, takes as one curve, or ""."""
    if len(columns) != 1 or columns[0] not in _ALONG or "params" not in rows:
        return ""
    sizes = pd.Series(parse_column(rows["params"])[0]).dropna()
    if sizes.empty or sizes.max() < ONE_SIZE * sizes.min():
        return ""
    least, most = (f"{edge:.3g}" for edge in (sizes.min(), sizes.max()))
    return (
        f"The rows used have several sizes ({least} to {most} params), which a law in '{columns[0]}' alone takes as one curve: "
        f"choose one size with {named('where')} 'params={least}', or fit a law in params and tokens."
    )


def ignored_note(rows: pd.DataFrame, taken: Sequence[str], laws: Mapping[str, Sequence[str]]) -> str:
    """Return a note on settings that matter, differ between runs of one size and length, and enter no law, or "".

    Parameters
    ----------
    rows : pandas.DataFrame
        The rows to fit.
    taken : sequence of str
        Columns that the model takes.
    laws : mapping of str to sequence of str
        Column -> models that take it.
    """
    cell = [keys(rows[name]) for name in ("params", "tokens") if name in rows]
    if not cell or not {"params", "tokens", "flops"} & set(taken):
        return ""
    found = []
    for name in map(str, rows):
        is_kind = bool(_KINDS.search(plain(name))) and not pd.api.types.is_numeric_dtype(rows[name])
        if name in taken or not (name in _MATTER or is_kind):
            continue
        values = keys(rows[name])
        by = cell[:1] if is_kind else cell
        if (values.groupby(by).transform("nunique") > 1).any() and values.nunique() <= max(2, len(rows) / 2):
            models = [model for model in laws.get(name, ()) if model]
            found.append(f"'{one_line(name)}'" + (f" (taken by {', '.join(models)})" if models else ""))
    if not found:
        return ""
    same = "params and tokens" if len(cell) == 2 else "params" if "params" in rows else "tokens"
    return (
        f"{', '.join(found)} {'differs' if len(found) == 1 else 'differ'} between runs of equal {same} and "
        f"{'is' if len(found) == 1 else 'are'} not in the law: what {'it changes' if len(found) == 1 else 'they change'} counts as noise."
    )


def _equal(logs: np.ndarray, losses: np.ndarray) -> bool:
    off = np.abs(logs - losses)
    return bool(np.median(off) < _AGREE and off.max() < _ROUGH)


def _stem(name: str) -> str:
    return re.sub(r"(^|_)(loss|ppl|perplexity|nll|cross_entropy)(_|$)", "_", plain(name)).strip("_")


def _decimals(value: float) -> int:
    """Return the decimals of a number as it is written."""
    text = f"{value:.15g}"
    if "e" in text:
        digits, _, power = text.partition("e")
        return max(0, len(digits.partition(".")[2]) - int(power))
    return len(text.partition(".")[2])


def _read(name: str, text: str) -> str:
    return as_pairs("columns", {name: text})
