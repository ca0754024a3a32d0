"""How far long work is: whoever does it goes through its `steps`, and whoever watches is told of each. By default nobody watches."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Watch = Callable[[str, int, int], None]

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


@contextmanager
def watched(watch: Watch) -> Iterator[None]:
    """Tell `watch` of all steps."""
    token = _watch.set(watch)
    try:
        yield
    finally:
        _watch.reset(token)
