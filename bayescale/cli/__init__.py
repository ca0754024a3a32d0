"""The `bayescale` command. Each command calls one public function; this package parses, prints and sets exit codes.

Exit codes: 0 done, 1 a check failed, 2 bad input, 3 an internal error.
"""

from .main import main

__all__ = ["main"]
