"""Write numbers as people write them: 70B params, 3.2e21 FLOP, $2.5M, 4.9%. The one place of the command line, pictures and reports.

A value that is not zero is never written as zero, and none with more digits than anybody reads. A missing value is a dash.
"""

import math
from collections.abc import Callable, Sequence
from functools import wraps

_SUFFIXES = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"))
_MOST = 7  # digits

Write = Callable[..., str]


def _dashed(write: Write) -> Write:
    """Write None and NaN as a dash, infinities by their name, and all else by `write`."""

    @wraps(write)
    def written(value: float | None, *more: object) -> str:
        if value is None or math.isnan(value):
            return "-"
        return write(float(value), *more) if math.isfinite(value) else "inf" if value > 0 else "-inf"

    return written


@_dashed
def number(value: float, digits: int = 4) -> str:
    """Write a number to some significant digits: 1.665, 12350, 2.953e10, 1e-5."""
    text = f"{value:.{digits}g}"
    if "e" not in text:
        return text
    if 1e3 <= abs(float(text)) < 1e6:
        return f"{float(text):.0f}"
    mantissa, _, power = text.partition("e")
    return f"{mantissa}e{int(power)}"  # 1e+05 as 1e5


@_dashed
def count(value: float) -> str:
    """Write a count of params, tokens or rows: 70B, 1.4T; above 1e15 as 5.76e23."""
    if 999.5 <= abs(value) < 1e15:
        for size, suffix in _SUFFIXES:
            if abs(value) >= 0.9995 * size:  # what rounds to 1000M is 1B
                return f"{number(value / size, 3)}{suffix}"
    return number(value, 3)


@_dashed
def rate(value: float) -> str:
    """Write a learning rate: 0.02, 6e-4, 2.5e-4."""
    mantissa, _, power = f"{value:.2e}".partition("e")
    return number(value, 3) if value == 0 or abs(value) >= 0.01 else f"{float(mantissa):g}e{int(power)}"


@_dashed
def flop(value: float) -> str:
    """Write compute: 3.2e21."""
    mantissa, _, power = f"{value:.2e}".partition("e")
    return number(value, 3) if abs(value) < 1000 else f"{float(mantissa):g}e{int(power)}"


@_dashed
def level(value: float) -> str:
    """Write a loss or another response: three decimals, four digits if it is small, and large ones as counts."""
    if abs(value) >= 1000:
        return count(value)
    return f"{value:.3f}" if abs(value) >= 0.1 else number(value)


@_dashed
def percent(share: float) -> str:
    """Write a share: 4.9%, 37%, 1,200%; 99.97% is not 100%, and 0.02% not 0%."""
    value = 100 * share
    if 0 < abs(value) < 1e-3:
        return "<0.001%" if value > 0 else ">-0.001%"
    if 99.5 <= value < 100:
        return f"{value:.1f}%" if value < 99.95 else ">99.9%"
    if abs(value) < 9.95 or abs(value) >= 1e6:
        return f"{number(value, 2)}%"
    return f"{value:,.0f}%"


@_dashed
def probability(value: float) -> str:
    """Write a probability to two decimals; what is neither 0 nor 1 is not written so."""
    text = f"{value:.2f}"
    if text == "0.00" and value > 0:
        return "<0.01"
    return ">0.99" if text == "1.00" and value < 1 else text


@_dashed
def thousands(value: float) -> str:
    """Write hours or money to four digits: 12,340; from a million on 1.23M."""
    rounded = float(f"{value:.4g}")
    if abs(rounded) >= 1e6:
        return count(value)
    return f"{rounded:,.0f}" if abs(rounded) >= 1000 else number(value)


@_dashed
def dollars(value: float) -> str:
    """Write money: $2.5M, $12,340, $2.50, $0.0031."""
    size, sign = abs(value), "-" if value < 0 else ""
    if size < 1:
        return f"{sign}${number(size, 2)}"
    return f"{sign}${size:.2f}" if size < 100 and size != int(size) else f"{sign}${thousands(size)}"


@_dashed
def nats(value: float, unit: str = "nats/token") -> str:
    """Write a difference of losses to two digits, with its unit: 0.0041 nats/token."""
    return f"{number(value, 2)} {unit}"


@_dashed
def decades(value: float) -> str:
    """Write a distance in powers of ten to two decimals, without the word: 1.58."""
    return f"{value:.2f}" if value == 0 or 0.005 <= abs(value) < 1000 else number(value, 1)


def between(lower: float | None, upper: float | None, write: Write = level) -> str:
    """Write an interval: 252k-627k, or with "to" where a minus sign would be misread; narrow ones with more digits."""
    if "-" in (write(lower), write(upper)):
        return "-"
    ends = apart((float(lower or 0), float(upper or 0)), write)
    return (" to " if any("-" in end for end in ends) else "-").join(ends)


def apart(values: Sequence[float], write: Write = level) -> list[str]:
    """Write values so that different ones look different, as far as seven digits tell them apart."""
    texts = [write(value) for value in values]
    for digits in range(2, _MOST + 1):
        if len(set(texts)) == len(set(values)):
            break
        finer = [number(value, digits) for value in values]
        texts = finer if len(set(finer)) > len(set(texts)) else texts
    return texts
