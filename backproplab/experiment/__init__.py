"""build(Experiment) -> Parts; run(Experiment, folder) -> Result; resume(folder), model(folder)."""

from backproplab.experiment.course import Result
from backproplab.experiment.model import Model, model
from backproplab.experiment.parts import Parts, build
from backproplab.experiment.rates import find_learning_rate
from backproplab.experiment.resume import resume
from backproplab.experiment.run import run

__all__ = ["Model", "Parts", "Result", "build", "find_learning_rate", "model", "resume", "run"]
