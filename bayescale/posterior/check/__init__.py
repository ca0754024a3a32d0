"""Checks of a fit: each has a value, a threshold, a verdict and a sentence of advice.

A check fails a fit if its draws mean nothing: they have not converged or are not numbers, the law explains nothing of what a parabola
follows, or most runs are far from it. All other checks warn. A warning lists the answers
that it affects, and its advice is shown with them.
"""

from .checks import check_fit, failed_checks, failure, open_checks, stored_check
from .verdict import MOST, Bearing, bearing_on, failures, of_several

__all__ = [
    "MOST",
    "Bearing",
    "bearing_on",
    "check_fit",
    "failed_checks",
    "failure",
    "failures",
    "of_several",
    "open_checks",
    "stored_check",
]
