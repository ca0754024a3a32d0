"""From a spec and runs to a posterior: sample it, check it, keep it."""

from .check import check_fit, failed_checks, stored_check
from .fit import fit
from .store import fitted_spec, load_fit, save_fit

__all__ = ["check_fit", "failed_checks", "fit", "fitted_spec", "load_fit", "save_fit", "stored_check"]
