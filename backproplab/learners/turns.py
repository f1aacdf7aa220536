"""Turns: threads that compute parts by number, and hand them over in the order of the numbers.

What is handed over in turn, such as a sum, has the same bits with any number of threads. This file
must not know what a part is.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from contextvars import copy_context
from functools import cached_property
from threading import Condition


class Turns:
    """A number of threads, the caller's included; the others are started when they are needed."""

    def __init__(self, threads: int = 1) -> None:
        self.threads = threads

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self.threads - 1, "backproplab-tiles")

    def take(
        self,
        count: int,
        compute: Callable[[int, int], None],
        hand_over: Callable[[int], None],
        ends: Callable[[], bool],
    ) -> bool:
        """``compute(thread, number)`` for each number below ``count``, several at a time, and
        after it, in the order of the numbers and one at a time, ``hand_over(thread)``.

        Thread k takes the numbers k, k + threads, …; the caller's is thread 0. ends: asked by the
        caller's thread before each of its parts. False if it said so; then some parts are missing.
        Raises what a part raises.
        """
        turn = _Turn(count, max(min(self.threads, count), 1), compute, hand_over)
        others = [
            self._pool.submit(copy_context().run, turn.walk, thread)
            for thread in range(1, turn.threads)
        ]
        try:
            turn.walk(0, ends)
        finally:
            wait(others)
        for other in others:
            other.result()
        return not turn.ended


class _Turn:
    """Parts on their way.  next: the number that is handed over next.  ended: none is any more."""

    def __init__(
        self,
        count: int,
        threads: int,
        compute: Callable[[int, int], None],
        hand_over: Callable[[int], None],
    ) -> None:
        self.count, self.threads = count, threads
        self.compute, self.hand_over = compute, hand_over
        self.next, self.ended = 0, False
        self.moved = Condition()

    def walk(self, thread: int, ends: Callable[[], bool] = lambda: False) -> None:
        """Take the numbers of this thread; if one fails, or ``ends`` says so, no thread goes on."""
        going = False
        try:
            for number in range(thread, self.count, self.threads):
                if self.ended or ends():
                    return
                self.compute(thread, number)
                with self.moved:
                    self.moved.wait_for(lambda n=number: self.ended or self.next == n)  # type: ignore[misc]
                    if self.ended:
                        return
                    self.hand_over(thread)
                    self.next += 1
                    self.moved.notify_all()
            going = True
        finally:
            if not going:
                with self.moved:
                    self.ended = True
                    self.moved.notify_all()
