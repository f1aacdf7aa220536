"""build(Experiment) -> Parts; run(Experiment, folder) -> Result."""

from backproplab.experiment.limits import goals
from backproplab.experiment.parts import Parts, build
from backproplab.experiment.run import Result, find_learning_rate, run

__all__ = ["Parts", "Result", "build", "find_learning_rate", "goals", "run"]
