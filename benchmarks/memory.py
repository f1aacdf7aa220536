"""Peak memory of `backproplab train configs/fashion_mnist.yaml`, and its required bound.

    python -m benchmarks.memory

The bound: 1.3 × (data + parameters × (2 + slots) + activations) + 150 MB, where the data are all
splits in float32 and the activations those of one batch.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

CONFIG = Path(__file__).parent.parent / "configs" / "fashion_mnist.yaml"
FACTOR, ROOM = 1.3, 150e6


def peak(epochs: int = 2) -> float:
    """Peak resident memory of a training, in bytes.

    Nothing large may be imported here before: Linux includes a process's memory before its exec.
    """
    with TemporaryDirectory() as root:
        command = [sys.executable, "-m", "backproplab", "train", str(CONFIG), f"epochs={epochs}"]
        options = ["--log-dir", f"{root}/runs", "--progress", "none"]
        training = subprocess.Popen([*command, *options], stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(training.pid, 0)
        training.returncode = os.waitstatus_to_exitcode(status)
    if training.returncode:
        raise SystemExit(f"the training ended with exit code {training.returncode}")
    return usage.ru_maxrss * 1024


def bound() -> tuple[float, str]:
    """The bound in bytes, and its terms as text."""
    from math import prod

    from backproplab.config import load
    from backproplab.experiment import build

    parts = build(load(CONFIG))
    splits = (parts.splits.train, parts.splits.validation, parts.splits.test)
    data = sum(examples.inputs.nbytes for examples in splits if examples)
    vectors = 2 + len(parts.experiment.optimizer.slots)
    parameters = parts.descent().parameters.flat
    weights = parameters.nbytes * vectors
    units = sum(prod(place.output_shape) for place in parts.network.places)
    activations = parts.batch_length * units * parameters.itemsize
    megabytes = [f"{n / 1e6:.1f}" for n in (data, weights, activations)]
    terms = "data {}, {vectors} × parameters {}, activations {} MB".format(
        *megabytes, vectors=vectors
    )
    return FACTOR * (data + weights + activations) + ROOM, terms


def main() -> None:
    used = peak()
    limit, terms = bound()
    verdict = "met" if used <= limit else "MISSED"
    sys.stdout.write(
        f"memory of {CONFIG.name}: peak {used / 1e6:.0f} MB, bound {limit / 1e6:.0f} MB"
        f" ({terms}): {verdict}\n"
    )


if __name__ == "__main__":
    main()
