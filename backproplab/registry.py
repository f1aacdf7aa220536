"""families(): everything that a config can name, by family and name."""

from __future__ import annotations

from backproplab.catalogs import import_packages
from backproplab.data import Dataset
from backproplab.learners import Gradient, Kernel, Learner
from backproplab.loop import Observer
from backproplab.nn import Activation, Initializer, Layer, Loss, Parametrization
from backproplab.optim import Clipping, Optimizer, Schedule
from backproplab.spec import Family

FAMILIES: dict[str, type[Family]] = {
    "data": Dataset,
    "learner": Learner,
    "gradient": Gradient,
    "kernel": Kernel,
    "layer": Layer,
    "activation": Activation,
    "initializer": Initializer,
    "parametrization": Parametrization,
    "loss": Loss,
    "optimizer": Optimizer,
    "schedule": Schedule,
    "clipping": Clipping,
    "callback": Observer,
}


def families() -> dict[str, dict[str, type[Family]]]:
    """Every optimizer, layer, loss, …: ``families()["optimizer"]["adam"]`` is its class.

    With those of installed packages, and of the files that configs have imported in this process.
    """
    import_packages()
    return {key: dict(sorted(family.members.items())) for key, family in FAMILIES.items()}
