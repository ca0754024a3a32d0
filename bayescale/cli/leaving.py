"""How the command leaves if it is stopped from outside: interrupted, terminated, or with nobody to read what it prints."""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any, TextIO, cast

INTERRUPTED, STDOUT_CLOSED, TERMINATED = 130, 141, 143  # 128 + the signal, as shells have it


class Terminated(BaseException):
    """SIGTERM. Not an Exception, so that nothing takes it for a failure, and not a KeyboardInterrupt, which samplers survive."""


class StdoutClosed(Exception):
    """What was printed did not arrive."""

    def __init__(self, error: OSError) -> None:
        closed = isinstance(error, BrokenPipeError)
        super().__init__(
            "stdout was closed before the answer was complete"
            if closed
            else f"stdout cannot be written ({(error.strerror or str(error)).lower()}); the answer is incomplete"
        )
        self.code = STDOUT_CLOSED if closed else 2


@contextlib.contextmanager
def terminable() -> Iterator[None]:
    """Raise `Terminated` on SIGTERM, so that drafts are removed and chains in other processes end."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    own = os.getpid()

    def end(number: int, frame: Any) -> None:
        if os.getpid() != own:  # a chain: its parent tells the user
            os._exit(TERMINATED)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one must not stop the tidying up
        raise Terminated

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)


class _Stdout:
    """Stdout, with one exception of its own for whatever keeps text from arriving."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._stopped: StdoutClosed | None = None  # told again: the parser swallows the first one, of its probe

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        with self._told():
            return int(self._stream.write(text))

    def flush(self) -> None:
        with self._told():
            self._stream.flush()

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        if self._stopped:
            raise self._stopped
        try:
            yield
        except OSError as error:
            mute(self._stream)
            self._stopped = StdoutClosed(error)
            raise self._stopped from None


@contextlib.contextmanager
def safe_streams() -> Iterator[None]:
    """Let the streams print every name, with escapes if they must, and tell a closed stdout from all other errors of the system."""
    sys.stderr = sys.stderr or _nowhere()
    before = sys.stdout or _nowhere()
    for stream in (before, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    sys.stdout = cast(TextIO, _Stdout(before))
    try:
        yield
    finally:
        sys.stdout = before


def mute(stream: Any) -> None:
    """Send what a stream still holds nowhere, because it can no longer be written."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def _nowhere() -> Any:
    return open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123
