"""Hide the messages of PyMC and ArviZ from users: the check table reports what matters, with thresholds and advice."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_TALKERS = ("pymc", "arviz_stats", "arviz_base", "pytensor")


@contextmanager
def quiet() -> Iterator[None]:
    """Silence warnings, and log records below ERROR, of the libraries that we use."""
    loggers = [logging.getLogger(name) for name in _TALKERS]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
