"""From a spec and runs to a posterior: sample it, check it, save it."""

from .average import average_fits
from .central import central_draw
from .check import bearing_on, check_fit, failed_checks, failure, stored_check
from .fit import fit
from .fitted import Fit, fits_of, has_say, without_say
from .store import fit_weights, fitted_spec, is_average, load_fit, one_fit, save_fit, weighed_fits

__all__ = [
    "Fit",
    "average_fits",
    "bearing_on",
    "central_draw",
    "check_fit",
    "failed_checks",
    "failure",
    "fit",
    "fit_weights",
    "fits_of",
    "fitted_spec",
    "has_say",
    "is_average",
    "load_fit",
    "one_fit",
    "save_fit",
    "stored_check",
    "weighed_fits",
    "without_say",
]
