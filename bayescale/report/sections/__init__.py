"""The parts of a report behind its answer, one a file: each turns findings into blocks, and leaves the numbers unrounded in `data`."""

from .checks import checks
from .decision import forecasts, frontier, rivals, sensitivity
from .laws import laws
from .made_of import posterior, priors
from .reproduce import glossary, reproduce
from .runs import runs

SECTIONS = (checks, runs, laws, priors, posterior, forecasts, rivals, sensitivity, frontier, glossary, reproduce)

__all__ = ["SECTIONS"]
