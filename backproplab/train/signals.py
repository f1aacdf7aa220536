"""Ctrl-C and SIGTERM: the first asks for the end after this step, the second ends at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from backproplab.train.state import RunState

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stopping_on_signals(state: RunState) -> Iterator[None]:
    """While inside, SIGINT and SIGTERM become a request to stop, told by ``state.signal``."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def request(number: int, frame: FrameType | None) -> None:
        if state.signal:
            raise KeyboardInterrupt
        state.signal = number
        state.request_stop("signal")

    before = {number: signal.signal(number, request) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
