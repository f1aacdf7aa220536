"""Examples of HIPS/autograd, run on HIPS/autograd or on ours, up to a number of gradients.

    python -m tests.peers.example ours|hips SDIST NAME …

Prints JSON by name: the sum of squares of each gradient. The source is untouched: only ``autograd`` is another package. Figures are not drawn, and MNIST is random numbers.
"""

import builtins
import contextlib
import io
import json
import runpy
import sys
import types
from pathlib import Path

import numpy as np

GRADIENTS = 6
WRAPPED = ("grad", "value_and_grad", "elementwise_grad", "hessian_vector_product")


class Enough(BaseException):
    """The gradients are recorded."""


class Seeded(np.random.RandomState):
    """Some examples leave the seed out."""

    def __init__(self, seed=0):
        super().__init__(seed)


def norm(x):
    """Σ x² over nested containers."""
    if isinstance(x, dict):
        return builtins.sum(norm(part) for part in x.values())
    if isinstance(x, list | tuple):
        return builtins.sum(norm(part) for part in x)
    return float(np.sum(np.asarray(getattr(x, "value", x), float) ** 2))


def recorded(operator, log):
    def made(function, *words, **settings):
        whole = operator(function, *words, **settings)

        def called(*xs, **more):
            result = whole(*xs, **more)
            tracked = getattr(result, "tracked", False) or type(result).__name__ == "ArrayBox"
            if not tracked:
                log.append((result, lambda: whole(*xs, **more)))
            if len(log) == GRADIENTS:
                raise Enough
            return result

        return called

    return made


def images(count=200):
    rng = np.random.RandomState(0)
    labels = np.eye(10)[rng.randint(0, 10, count)]
    return count, rng.rand(count, 784), labels, rng.rand(50, 784), labels[:50]


def quiet():
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    for name in ("show", "pause", "draw", "savefig"):
        setattr(pyplot, name, lambda *words, **more: None)


def prepared(kind, sdist, log):
    """The folder of the examples, for which ``autograd`` is ours or theirs; gradients go to ``log``."""
    quiet()
    np.random.RandomState = Seeded
    if kind == "ours":
        from tests.peers.hips import install

        install(sdist)
    import autograd

    for operator in WRAPPED:
        setattr(autograd, operator, recorded(getattr(autograd, operator), log))
    folder = Path(sdist) / "examples"
    sys.path.insert(0, str(folder))
    mnist = types.ModuleType("data_mnist")
    pictures, labels = images()[1].reshape(-1, 28, 28), images()[2].argmax(1)
    mnist.mnist = lambda: (pictures, labels, pictures[:50], labels[:50])
    sys.modules["data_mnist"] = mnist
    import data

    data.load_mnist, data.save_images = images, lambda *words, **more: None
    return folder


def played(path):
    """What went wrong in an example, run until its gradients are recorded; empty for nothing."""
    np.random.seed(0)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            runpy.run_path(str(path), run_name="__main__")
    except (Enough, SystemExit):
        pass
    except Exception as error:
        return repr(error)
    return ""


def main(kind, sdist, names):
    log, found = [], {}
    folder = prepared(kind, sdist, log)
    for name in names:
        log.clear()
        error = played(folder / f"{name}.py")
        found[name] = {"error": error, "gradients": [norm(result) for result, _ in log]}
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
