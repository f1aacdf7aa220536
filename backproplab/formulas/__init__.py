"""Formulas written as text: parsed without running them, computed on the library's own graph.

f = Objective("(1 - x)**2 + 100*(y - x**2)**2")
value, slope = f.slope([-1.2, 1.0])
"""

from backproplab.formulas.expression import Expression
from backproplab.formulas.named import NAMED, Named
from backproplab.formulas.objective import Objective
from backproplab.formulas.parse import parse

__all__ = ["NAMED", "Expression", "Named", "Objective", "parse"]
