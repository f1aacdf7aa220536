"""How an op becomes NumPy calls on arrays that stay where they are.

An op has the default, one call, unless its declaration names a rule of this folder: a rule is for
an op that takes several calls or scratch memory. Ops import rules and not the other way round, so
a rule knows arrays and settings only, an op is still declared in one place, and another engine can
read the same calls. A rule has the name of its op.
"""

from backproplab.autograd.lowering.calls import Call, Pass, in_one_pass, into, lower, stepwise

__all__ = ["Call", "Pass", "in_one_pass", "into", "lower", "stepwise"]
