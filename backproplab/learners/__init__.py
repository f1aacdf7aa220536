"""How weights are found. Importing this room registers every learner."""

from backproplab.learners.descent import Descent, GradientDescent
from backproplab.learners.evaluation import Evaluation
from backproplab.learners.gradient import Gradient
from backproplab.learners.inside import Glimpse, Inside
from backproplab.learners.learner import (
    Advance,
    Arrays,
    Brake,
    Divergence,
    Json,
    Learner,
    Learning,
    NoBrake,
    Span,
    fingerprint,
)
from backproplab.learners.material import Material, Split
from backproplab.passes import COUNTERS, Passes

__all__ = [
    "COUNTERS",
    "Advance",
    "Arrays",
    "Brake",
    "Descent",
    "Divergence",
    "Evaluation",
    "Glimpse",
    "Gradient",
    "GradientDescent",
    "Inside",
    "Json",
    "Learner",
    "Learning",
    "Material",
    "NoBrake",
    "Passes",
    "Span",
    "Split",
    "fingerprint",
]
