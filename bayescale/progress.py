"""How far long work is: whoever does it goes through its `steps`, and whoever watches is told of each. By default nobody watches."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import count

Watch = Callable[[str, int, int], None]

_EVERY = 100  # units of work between two words on it

_watch: ContextVar[Watch | None] = ContextVar("watch", default=None)


def steps[T](items: Collection[T], doing: str) -> Iterator[T]:
    """Go through items; whoever watches is told what is being done, how many are done, and of how many."""
    watch = _watch.get()
    for done, item in enumerate(items):
        if watch is not None:
            watch(doing, done, len(items))
        yield item
    if watch is not None and items:
        watch(doing, len(items), len(items))


def counter(doing: str, total: int) -> Callable[[], None] | None:
    """Return what to call after each of many small units of work, for work that is not gone through as steps; None if nobody watches."""
    watch, done = _watch.get(), count(1)
    if watch is None:
        return None
    watch(doing, 0, total)

    def one_more() -> None:
        n = next(done)
        if n % _EVERY == 0 or n == total:
            watch(doing, n, total)

    return one_more


@contextmanager
def watched(watch: Watch) -> Iterator[None]:
    """Tell `watch` of all steps."""
    token = _watch.set(watch)
    try:
        yield
    finally:
        _watch.reset(token)
