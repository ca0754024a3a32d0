"""What may go wrong with a fit, in words: each check has a value, a threshold, a verdict and a sentence of advice.

Only sampling can fail: draws that have not converged mean nothing. All else warns, and a warning says itself on which answers it bears,
so that its advice travels with them.
"""

from .checks import check_fit, failed_checks, stored_check
from .verdict import Bearing, bearing_on, failures

__all__ = ["Bearing", "bearing_on", "check_fit", "failed_checks", "failures", "stored_check"]
