"""Signals: one request to stop, however often it comes within a second, and the exit code of each.

Standard library only: the command line installs this before it imports anything heavy. Outside of
``listening`` a signal ends the process at once with its exit code. Within, it becomes a request
that the loop reads; a further one after a second ends the work at once, after a save under way.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Protocol

NAMES = ("SIGINT", "SIGTERM", "SIGHUP")  # SIGHUP: the terminal was closed; not on every system
NUMBERS = tuple(getattr(signal, name) for name in NAMES if hasattr(signal, name))
ONE_REQUEST = 1.0  # seconds: wrappers and process groups deliver one Ctrl-C several times


class StopNow(BaseException):
    """A second request: end at once. number: the signal's."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


class Stop:
    """Whether the work shall stop.

    number: the signal that asked for it, 0 if none did.
    """

    def __init__(self) -> None:
        self.number = 0
        self._first = 0.0
        self._shields = 0
        self._pending = 0

    def request(self, number: int) -> None:
        """A signal has come. Raises StopNow for one that comes a second after the first."""
        if not self.number:
            self.number, self._first = number, time.monotonic()
            LATEST[:] = [self._first]
        elif time.monotonic() - self._first >= ONE_REQUEST:
            if not self._shields:
                raise StopNow(number)
            self._pending = number

    @contextmanager
    def shielded(self) -> Iterator[None]:
        """Around a save: a second request waits until it is whole, and is raised then."""
        self._shields += 1
        try:
            yield
        finally:
            self._shields -= 1
        if self._pending and not self._shields:
            number, self._pending = self._pending, 0
            raise StopNow(number)


class Flag(Protocol):
    """How another process asks for the end: once this exists, as a file may."""

    def exists(self) -> bool: ...


@contextmanager
def too_late() -> Iterator[None]:
    """Around what is left to say when the work is done: a signal has nothing to stop any more, and
    changes neither the exit code nor what is said; one a second later ends the process at once."""
    try:
        with listening(Stop().request):
            yield
    finally:
        LATEST[:] = [time.monotonic()]


Handler = Callable[[int, FrameType | None], Any]


@contextmanager
def listening(receive: Callable[[int], object]) -> Iterator[None]:
    """Within, ``receive(number)`` is called for a signal. What is ignored, as by nohup, stays so.

    Only the main thread of a process can listen; in another one this does nothing. Raises StopNow
    if ``leave`` has met a signal before and the process has not ended.
    """
    if LEFT:  # where Python swallows exceptions, as in the callback of a weak reference
        raise StopNow(LEFT[0])
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = install(lambda number, frame: receive(number))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def install(handler: Handler) -> dict[int, Any]:
    """Handle every signal that is not ignored; what handled them before, by number."""
    mine = [number for number in NUMBERS if signal.getsignal(number) is not signal.SIG_IGN]
    return {number: signal.signal(number, handler) for number in mine}


LEFT: list[int] = []  # the signal that ``leave`` has met
LATEST: list[float] = []  # when the newest request was taken


def leave(number: int, frame: FrameType | None) -> None:
    """The handler outside of ``listening``: unwind and exit with 130, 143 or 129.

    Whatever comes within a second of a request belongs to it, and does not disturb its end; what
    comes later ends the process at once.
    """
    now = time.monotonic()
    if LATEST and now - LATEST[0] < ONE_REQUEST:
        return
    if LEFT:
        os._exit(exit_code(number))
    LATEST[:], LEFT[:] = [now], [number]
    raise StopNow(number)


def settle() -> None:
    """At the very end of a process: signals that belong to a request disturb its exit code no more.

    The interpreter takes handlers away while it ends, but not the word that a signal is ignored.
    """
    if LATEST:
        for number in NUMBERS:
            signal.signal(number, signal.SIG_IGN)


def exit_code(number: int) -> int:
    """As a shell reports a process that the signal ended: 130, 143, 129."""
    return 128 + number
