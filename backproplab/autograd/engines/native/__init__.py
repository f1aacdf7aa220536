"""The player: a list of NumPy calls made by C, through NumPy's own inner loops, with its bits.

``Played(calls)()`` makes the calls; ``missing()`` says why there is no player. What it promises and
what would break it: docs/decisions/0011.
"""

from backproplab.autograd.engines.native.selftest import missing
from backproplab.autograd.engines.native.tape import Played, Tape

__all__ = ["Played", "Tape", "missing"]
