"""Observer: a callback that a config can name, with its settings."""

from __future__ import annotations

from backproplab.loop.callbacks import Callback
from backproplab.spec import Family


class Observer(Family):
    """The family of callbacks under ``callbacks:``; fields are YAML keys, as everywhere.

    The package brings none: those of a file of the user are members.
    """

    required = ("begin",)

    def begin(self) -> Callback:
        """A new callback for one run."""
        raise NotImplementedError
