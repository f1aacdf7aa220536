"""How a step is computed: eagerly, or by replaying a recording of it. Both give the same bits.

bound = engine("auto").bind(step, externals, into)
bound(inputs, targets)  # the results are now in the arrays of `into`
"""

from backproplab.autograd.engines.bound import Bound, Engine, EngineName, engine
from backproplab.autograd.engines.replay import RecordingError, Step

__all__ = ["Bound", "Engine", "EngineName", "RecordingError", "Step", "engine"]
