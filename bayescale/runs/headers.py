"""Units in the headers of columns: `params (B)`, `FLOPs (1E21)`, `N (non-emb)`, `loss (bits)`."""

import re
from typing import NamedTuple

_FACTORS = {
    "k": 1e3,
    "thousands": 1e3,
    "m": 1e6,
    "mio": 1e6,
    "millions": 1e6,
    "b": 1e9,
    "bn": 1e9,
    "billions": 1e9,
    "g": 1e9,
    "mrd": 1e9,
    "t": 1e12,
    "trillions": 1e12,
}
_NEUTRAL = ("", "nats", "nats/token", "flop", "flops", "tokens", "params", "count")
_LOSS_UNITS = {
    **dict.fromkeys(("bit", "bits", "bits/token", "bits per token"), "bits/token"),
    **dict.fromkeys(("bpb", "bits/byte", "bits per byte"), "bits/byte"),
    **dict.fromkeys(("bpc", "bits/char", "bits/character", "bits per char", "bits per character"), "bits/char"),
    **dict.fromkeys(("nats/byte", "nats per byte"), "nats/byte"),
}
_KINDS = {
    **dict.fromkeys(("non-emb", "non-embedding", "non emb", "non embedding", "nonemb"), "non-embedding"),
    **dict.fromkeys(("total", "active"), ""),
}
_POWER = re.compile(r"[x×]?\s*(?:1e\+?|10\^)(\d{1,2})(?:\s*flops?)?")
# Compiled once and used only after a simple test: a header may have a million cells.
_LOG10 = re.compile(r"log_?10[ (_]*([^()]+?)\)?", re.IGNORECASE)
_UNIT = re.compile(r"(.*?)\s*[(\[]\s*([^()\[\]]*)\s*[)\]]")
_BITS = re.compile(r"(?:^|[^a-z])(bpc|bpb)(?:[^a-z]|$)")


class Header(NamedTuple):
    """A header without its unit: the bare name, the factor of its values, whether they are log10, and a unit of losses."""

    bare: str
    factor: float = 1.0
    log10: bool = False
    loss_unit: str = ""


def header(text: str) -> Header:
    """Return a header cell, split into name and unit; an unknown unit stays in the name.

    Examples
    --------
    >>> header("FLOPs (1E21)").factor, header("D (tokens)").bare, header("loss (bits)").loss_unit
    (1e+21, 'D', 'bits/token')
    """
    text = text.strip()
    if match := _LOG10.fullmatch(text):
        return Header(match[1], log10=True)
    match = _UNIT.fullmatch(text) if text.endswith((")", "]")) else None
    if not match:
        return Header(text, loss_unit=_loss_unit(text))
    whole = match[2].strip().lower()
    unit = whole.removeprefix("in ").removesuffix(" tokens").removesuffix(" params")
    if unit == "%":
        return Header(match[1], 0.01)
    if unit in _FACTORS:
        return Header(match[1], _FACTORS[unit])
    if power := _POWER.fullmatch(unit):
        return Header(match[1], 10.0 ** int(power[1]))
    if unit in _LOSS_UNITS:
        return Header(match[1], loss_unit=_LOSS_UNITS[unit])
    return Header(match[1]) if unit in (*_NEUTRAL, *_KINDS) else Header(text, loss_unit=_loss_unit(text))


def params_kind(text: str) -> str:
    """Return what a header says that params count, or ""."""
    match = _UNIT.fullmatch(text.strip())
    return _KINDS.get(match[2].strip().lower(), "") if match else ""


def _loss_unit(text: str) -> str:
    match = _BITS.search(text.lower().replace("_", " "))
    return _LOSS_UNITS[match[1]] if match else ""
