"""How weights are found. Importing this room registers every learner."""

from backproplab.learners.baselines import Baseline
from backproplab.learners.cma_es import CmaEs
from backproplab.learners.contrastive_divergence import ContrastiveDivergence
from backproplab.learners.descent import Descent, GradientDescent
from backproplab.learners.evaluation import Evaluation
from backproplab.learners.evolution_strategy import EvolutionStrategy
from backproplab.learners.genetic import Genetic
from backproplab.learners.glimpses import Glimpse
from backproplab.learners.gradient import Backprop, Gradient
from backproplab.learners.gradient_flow import GradientFlow
from backproplab.learners.inside import Inside
from backproplab.learners.kernel_regression import KernelRegression
from backproplab.learners.kernels import Kernel
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
from backproplab.learners.objective import NO_DATA, Objective
from backproplab.learners.random_guess import RandomGuess
from backproplab.learners.score_matching import ScoreMatching
from backproplab.passes import COUNTERS, Passes

__all__ = [
    "COUNTERS",
    "NO_DATA",
    "Advance",
    "Arrays",
    "Backprop",
    "Baseline",
    "Brake",
    "CmaEs",
    "ContrastiveDivergence",
    "Descent",
    "Divergence",
    "Evaluation",
    "EvolutionStrategy",
    "Genetic",
    "Glimpse",
    "Gradient",
    "GradientDescent",
    "GradientFlow",
    "Inside",
    "Json",
    "Kernel",
    "KernelRegression",
    "Learner",
    "Learning",
    "Material",
    "NoBrake",
    "Objective",
    "Passes",
    "RandomGuess",
    "ScoreMatching",
    "Span",
    "Split",
    "fingerprint",
]
