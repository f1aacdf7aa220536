"""The console script, and ``python -m backproplab``: signals first, then the command line.

A signal has its exit code from here on, so nothing that takes time is imported before it.
"""

from __future__ import annotations

import atexit
import sys

from backproplab import signals


def main() -> None:
    """Run the command line; exit with 130, 143 or 129 after a signal that nobody handled."""
    atexit.register(signals.settle)  # the first one is the last to be called
    signals.install(signals.leave)
    try:
        from backproplab.cli import main as command_line

        command_line()
    except BaseException:
        if signals.LEFT:  # whatever became of the exception on its way up
            sys.exit(signals.exit_code(signals.LEFT[0]))
        raise


if __name__ == "__main__":
    main()
