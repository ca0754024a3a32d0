"""What makes work on many arrays of middling size fast, as the fast engine and SMC do it."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import numpy as np
from threadpoolctl import threadpool_limits

_KEPT = 2**21  # numbers of the array, 16 MB, whose release raises the limit of glibc; beyond 32 MB it would not


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
    one, so it takes no memory; other libraries of C are not changed by it.
    """
    np.empty(_KEPT)


def downwards(root: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Solve root x = right, shapes (n, k, k) and (n, k), for all points at once: LAPACK, point by point, takes three times as long."""
    found = np.empty_like(right)
    for i in range(right.shape[1]):
        found[:, i] = (right[:, i] - np.einsum("nj,nj->n", root[:, i, :i], found[:, :i])) / root[:, i, i]
    return found


def upwards(root: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Solve the same for the transpose of the root."""
    found = np.empty_like(right)
    for i in reversed(range(right.shape[1])):
        found[:, i] = (right[:, i] - np.einsum("nj,nj->n", root[:, i + 1 :, i], found[:, i + 1 :])) / root[:, i, i]
    return found
