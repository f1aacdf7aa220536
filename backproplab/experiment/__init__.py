"""build(Experiment) -> Parts; run(Experiment, folder) -> Result; resume(folder) -> Result."""

from backproplab.experiment.course import Result
from backproplab.experiment.parts import Parts, build
from backproplab.experiment.resume import resume
from backproplab.experiment.run import find_learning_rate, run

__all__ = ["Parts", "Result", "build", "find_learning_rate", "resume", "run"]
