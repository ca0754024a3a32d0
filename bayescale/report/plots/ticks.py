"""Ticks as people write them: 70B params, 1.4T tokens, 1e21 FLOP, and no more of them than the axis has room for."""

from collections.abc import Callable
from typing import Any

import numpy as np

_SUFFIXES = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"))
_LETTERS = (0.55, 0.32)  # inches that a label takes along a horizontal and a vertical axis


def count(value: float) -> str:
    """Write a count: 350M, 70B, 1.4T; from 1e15 on as FLOP are written.

    Examples
    --------
    >>> [count(value) for value in (950, 7e10, 1.4e12, 3e16)]
    ['950', '70B', '1.4T', '3e16']
    """
    for size, suffix in _SUFFIXES:
        if size <= abs(value) < 1e15:
            return f"{value / size:.3g}{suffix}"
    return power(value)


def power(value: float) -> str:
    """Write a number with its power of ten: 1e21, 3e-5; small and plain ones as they are.

    Examples
    --------
    >>> [power(value) for value in (1e21, 5.76e23, 3e-5, 250.0)]
    ['1e21', '5.76e23', '3e-5', '250']
    """
    text = f"{value:.3g}"
    if "e" not in text and abs(value) >= 1e4:
        text = f"{value:.2e}"
    mantissa, e, exponent = text.partition("e")
    return f"{mantissa.rstrip('0').rstrip('.') if e and '.' in mantissa else mantissa}e{int(exponent)}" if e else text


def per_cent(value: float) -> str:
    """Write a share in per cent."""
    return f"{100 * value:.3g}%"


def human_ticks(axis: Any, write: Callable[[float], str] = count) -> None:
    """Set the ticks of an axis, of which limits and scale are set: as many as there is room for, in powers of ten if it is logarithmic.

    Parameters
    ----------
    axis : matplotlib.axis.Axis
        `ax.xaxis` or `ax.yaxis`.
    write : callable
        Returns the text of a value.
    """
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

    low, high = axis.get_view_interval()
    most = max(int(_length(axis) / _LETTERS[axis.axis_name == "y"]), 3)
    decades = float(np.log10(high / low)) if axis.get_scale() == "log" and low > 0 else 0.0
    if decades < 0.85:
        axis.set_major_locator(MaxNLocator(min(most, 7), steps=[1, 2, 2.5, 5, 10]))
    else:
        fitting = [subs for subs in ((1.0, 2.0, 5.0), (1.0, 3.0), (1.0,)) if decades * len(subs) <= most]
        axis.set_major_locator(
            LogLocator(subs=fitting[0], numticks=99)
            if fitting
            else LogLocator(10.0 ** np.ceil(decades / most), numticks=99)
        )
    axis.set_major_formatter(FuncFormatter(lambda value, _: write(value)))
    axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())


def _length(axis: Any) -> float:
    """Return the length of an axis, inches."""
    place, figure = axis.axes.get_position(original=True), axis.axes.figure
    if axis.axis_name == "x":
        return float(place.width * figure.get_figwidth())
    return float(place.height * figure.get_figheight())
