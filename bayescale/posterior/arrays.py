"""What makes work on many arrays of middling size fast: memory that is kept, and one thread of BLAS."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import numpy as np
from threadpoolctl import threadpool_limits

_RELEASED = 2**21  # numbers of the array, 16 MB, whose release raises the limit of glibc; beyond 32 MB it would not


@contextmanager
def fast_arrays() -> Iterator[None]:
    """Work with one BLAS thread, since threads would only wait for each other; keep freed memory; let draws leave the range of floats."""
    _keep_freed_memory()
    with threadpool_limits(limits=1), np.errstate(all="ignore"):
        yield


@cache
def _keep_freed_memory() -> None:
    """Let glibc keep the memory of freed arrays up to 16 MB: it gives it back otherwise, and to get it anew takes half of the time.

    Its limit is the size of the largest block that was given back so far (`M_MMAP_THRESHOLD` of mallopt(3)). Nothing is written to this
    one, so it takes no memory. It holds for the process; C libraries other than glibc ignore it.
    """
    np.empty(_RELEASED)
