"""Checks of a fit: each has a value, a threshold, a verdict and a sentence of advice.

Only checks of sampling can fail a fit: draws that have not converged mean nothing. All other checks warn. A warning lists the answers
that it affects, and its advice is shown with them.
"""

from .checks import check_fit, failed_checks, stored_check
from .verdict import Bearing, bearing_on, failures

__all__ = ["Bearing", "bearing_on", "check_fit", "failed_checks", "failures", "stored_check"]
