"""The player: a list of NumPy calls made by C, through NumPy's own inner loops, with its bits.

``Played(calls)()`` makes the calls; ``missing()`` says why there is no player. What it promises and
what would break it: docs/decisions/0011.
"""

from backproplab.autograd.engines.native.checks import NotFinite, require_finite
from backproplab.autograd.engines.native.door import Unplayable
from backproplab.autograd.engines.native.selftest import missing
from backproplab.autograd.engines.native.tape import Played, Tape
from backproplab.autograd.engines.native.tracing import Trace

__all__ = ["NotFinite", "Played", "Tape", "Trace", "Unplayable", "missing", "require_finite"]
