"""What compute costs: the accelerators, how well they are used and the prices, all given by the user; nothing has a default price.

FLOP here are those that a model needs: 6 x params x tokens to train, 2 x params to read or write a token. Model FLOP utilisation (MFU) is
the share of the peak that they reach, often about 0.5 in training and 0.01 in writing (decode; Sardana et al. 2024, arXiv:2401.00448).
"""

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from math import inf, nan
from numbers import Integral, Real
from pathlib import Path
from typing import Any

from ...errors import InputError, named, suggest
from .accelerators import accelerator_named

_HOUR = 3600.0  # seconds
# Options that name an accelerator, and the numbers in the table for each.
_NAMES = {"accelerator": ("peak_flops", "memory_bytes"), "inference_accelerator": ("inference_peak_flops",)}
_SHARES = ("mfu", "mfu_prefill", "mfu_decode")
# Unit, example, and the lowest value: anything below it must be in another unit.
_RULES = {
    "peak_flops": ("FLOP/s", "9.9e14", 1e9),
    "inference_peak_flops": ("FLOP/s", "9.9e14", 1e9),
    "memory_bytes": ("bytes", "8e10", 1e6),
    "usd_per_gpu_hour": ("dollars per hour", "2.5", 0),
    "inference_usd_per_gpu_hour": ("dollars per hour", "2.5", 0),
    "usd_per_unique_token": ("dollars per token", "1e-6", 0),
    "tokens_per_accelerator": ("tokens", "2048", 0),
}


@dataclass(frozen=True)
class CostModel:
    """Money and hardware, as far as known; if a question needs a value that is missing, the error names it.

    Attributes
    ----------
    accelerator : str, optional
        A name from `accelerators()`, in upper or lower case.
    peak_flops : float, optional
        FLOP/s of one accelerator, dense bf16; by default that of the table for the name.
    memory_bytes : float, optional
        Memory of one accelerator, bytes; by default that of the table for the name.
    usd_per_gpu_hour : float, optional
        Price of one accelerator-hour, dollars.
    mfu : float, optional
        Share of the peak that training reaches, in (0, 1].
    mfu_prefill, mfu_decode : float, optional
        Shares of the peak that reading a prompt and writing an answer reach.
    inference_accelerator, inference_peak_flops, inference_usd_per_gpu_hour : str, float, float, optional
        The same for inference; each by default that of training.
    usd_per_unique_token : float, optional
        Price of one more unseen token, dollars.
    accelerators : int, optional
        Number of accelerators.
    tokens_per_accelerator : float, optional
        Minimum tokens per step on one accelerator; with a critical batch it limits how many accelerators help.

    Examples
    --------
    >>> cost = CostModel(accelerator="H100-SXM", usd_per_gpu_hour=2.5, mfu=0.4)
    >>> round(cost.usd_per_flop * 6 * 7e9 * 1.4e11)
    10318
    """

    accelerator: str | None = None
    peak_flops: float | None = None
    memory_bytes: float | None = None
    usd_per_gpu_hour: float | None = None
    mfu: float | None = None
    mfu_prefill: float | None = None
    mfu_decode: float | None = None
    inference_accelerator: str | None = None
    inference_peak_flops: float | None = None
    inference_usd_per_gpu_hour: float | None = None
    usd_per_unique_token: float | None = None
    accelerators: int | None = None
    tokens_per_accelerator: float | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None and field.name not in _NAMES:
                object.__setattr__(self, field.name, _number(field.name, value))
        for name, value in _of_table(self.accelerator, self.inference_accelerator).items():
            if name in _NAMES or getattr(self, name) is None:
                object.__setattr__(self, name, value)

    @property
    def gpu_hours_per_flop(self) -> float:
        """Accelerator-hours per FLOP of training, 1 / (3600 peak_flops mfu)."""
        return _hours("training", {"accelerator": self.peak_flops, "mfu": self.mfu})

    @property
    def gpu_hours_per_prefill_flop(self) -> float:
        """Accelerator-hours per FLOP of reading a prompt."""
        return _hours("prefill", {"accelerator": self._inference_peak, "mfu_prefill": self.mfu_prefill})

    @property
    def gpu_hours_per_decode_flop(self) -> float:
        """Accelerator-hours per FLOP of writing an answer."""
        return _hours("decode", {"accelerator": self._inference_peak, "mfu_decode": self.mfu_decode})

    @property
    def usd_per_flop(self) -> float:
        """Dollars per FLOP of training, usd_per_gpu_hour / (3600 peak_flops mfu)."""
        return _usd("training", self.usd_per_gpu_hour, {"accelerator": self.peak_flops, "mfu": self.mfu})

    @property
    def usd_per_prefill_flop(self) -> float:
        """Dollars per FLOP of reading a prompt."""
        needed = {"accelerator": self._inference_peak, "mfu_prefill": self.mfu_prefill}
        return _usd("prefill", self._inference_price, needed)

    @property
    def usd_per_decode_flop(self) -> float:
        """Dollars per FLOP of writing an answer."""
        needed = {"accelerator": self._inference_peak, "mfu_decode": self.mfu_decode}
        return _usd("decode", self._inference_price, needed)

    @property
    def _inference_peak(self) -> float | None:
        return self.inference_peak_flops or self.peak_flops

    @property
    def _inference_price(self) -> float | None:
        return self.inference_usd_per_gpu_hour or self.usd_per_gpu_hour

    def changed(self, values: Mapping[str, Any]) -> "CostModel":
        """Return a copy with other values, e.g. command-line options over a file; the numbers of an accelerator follow its name.

        Parameters
        ----------
        values : mapping of str to object
            Attribute -> value; None leaves an attribute unchanged. With another accelerator, peak and memory are the table's unless they
            are given too (`dataclasses.replace` would keep those of the previous one).

        Returns
        -------
        CostModel

        Raises
        ------
        ValueError
            If there is no such attribute, or a value breaks its rule.
        """
        _check_keys(values)
        values = {name: value for name, value in values.items() if value is not None}
        stale = {number for name, numbers in _NAMES.items() if name in values for number in numbers}
        kept = {name: value for name, value in asdict(self).items() if name not in stale}
        return CostModel(**{**kept, **values})


def read_costs(path: str | Path) -> CostModel:
    """Read a cost model from a TOML file with the attributes of `CostModel` as keys.

    Parameters
    ----------
    path : str or path
        A file such as ``accelerator = "H100-SXM"``, ``usd_per_gpu_hour = 2.5``, ``mfu = 0.4``, one per line.

    Returns
    -------
    CostModel

    Raises
    ------
    ValueError
        If there is no such file, it is not TOML, or a key or value breaks its rule.

    Examples
    --------
    >>> read_costs("costs.toml").mfu  # doctest: +SKIP
    0.4
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"There is no cost file '{path}'.")
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"Cost file '{path}' is not TOML: {error}.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"Cost file '{path}' cannot be read as text: {error}.") from None
    try:
        _check_keys(table)
        return CostModel(**table)
    except ValueError as error:
        raise InputError(f"Cost file '{path}': {error}") from None


def _of_table(accelerator: str | None, inference_accelerator: str | None) -> dict[str, Any]:
    """Return the values in the table for the accelerators named, by attribute."""
    found: dict[str, Any] = {}
    for option, name in zip(_NAMES, (accelerator, inference_accelerator), strict=True):
        if name is not None:
            row = accelerator_named(name, option)
            found[option] = str(row.name)
            found |= {number: float(row[number.removeprefix("inference_")]) for number in _NAMES[option]}
    return found


def _number(name: str, value: Any) -> float | int:
    """Return a number as a plain float or int; ValueError if it breaks its rule."""
    number = _plain(value)
    if name in _SHARES:
        if not 0 < number <= 1:
            raise InputError(f"`{name}` is a share of the peak and must be in (0, 1], e.g. 0.4. Got {value!r}.")
        return number
    if name == "accelerators":
        if not (isinstance(value, Integral) and 0 < number < inf):
            raise InputError(f"`accelerators` must be a whole number > 0, e.g. 1024. Got {value!r}.")
        return int(value)
    unit, example, least = _RULES[name]
    if not (0 < number < inf and number >= least):
        rule = f"at least {least:g}" if least else "> 0"
        raise InputError(f"`{name}` must be a finite number of {unit}, {rule}, e.g. {example}. Got {value!r}.")
    return number


def _plain(value: Any) -> float:
    """Return a float, or NaN if the value is not a number."""
    if not isinstance(value, Real) or isinstance(value, bool):
        return nan
    try:
        return float(value)
    except OverflowError:
        return inf


def _check_keys(names: Mapping[str, Any]) -> None:
    """Raise ValueError if a name is not an attribute of a cost model."""
    known = [field.name for field in fields(CostModel)]
    for name in names:
        if name not in known:
            raise InputError(
                f"`{name}` is not part of a cost model, which has {', '.join(known)}.{suggest(name, known)}"
            )


def _hours(of: str, needed: Mapping[str, float | None]) -> float:
    """Return accelerator-hours per FLOP from the peak and the share of it, in this order."""
    peak, share = _given(f"The GPU-hours of {of} need", needed)
    return 1 / (_HOUR * peak * share)


def _usd(of: str, price: float | None, needed: Mapping[str, float | None]) -> float:
    """Return dollars per FLOP from the price of an hour, the peak and the share of it."""
    usd, peak, share = _given(f"The price of {of} needs", {"usd_per_gpu_hour": price, **needed})
    return usd / (_HOUR * peak * share)


def _given(what: str, needed: Mapping[str, float | None]) -> list[float]:
    """Return the values; ValueError names all options that are missing."""
    missing = [_how(name) for name, value in needed.items() if value is None]
    if missing:
        listed = " and ".join(filter(None, [", ".join(missing[:-1]), missing[-1]]))
        raise InputError(f"{what} {listed}: give {'them' if missing[1:] else 'it'}.")
    return [value for value in needed.values() if value is not None]


def _how(name: str) -> str:
    """Return how to give a value: an accelerator by its name or by its peak."""
    return f"{named(name)} or {named('peak_flops')}" if name == "accelerator" else named(name)
