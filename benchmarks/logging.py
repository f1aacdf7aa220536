"""Cost of what is logged: a run's seconds, as run.json has them, with a setting and without it.

    python -m benchmarks.logging [ROUNDS]     prints the ratio of each case and its limit, and what
                                              a look takes

The limits are in workloads.py. Both sides have one thread: left open, their number would follow the
cores that are free when each is built.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import NamedTuple

from threadpoolctl import threadpool_limits

from benchmarks.workloads import FASHION_MNIST, LIMITS

CONFIGS = Path(__file__).parent.parent / "configs"
SMALL = "quickstart.yaml"
LARGE = "fashion_mnist.yaml", "batch_size=32", "model.hidden=[128]", "epochs=1"
CNN = ("digits_cnn.yaml",)
CREW = 16  # runs
LOOKS = 15  # that are timed
DEFAULT = "tensorboard.histograms=looks"


class Case(NamedTuple):
    """config: its name and overrides.  ours, reference: one more override each.

    members: runs with different seeds that train together.
    """

    config: tuple[str, ...]
    ours: str
    reference: str
    members: int = 1


def _cases() -> Iterator[tuple[str, Case]]:
    bare = "tensorboard={histograms: 0, telemetry: false}"
    networks = {"quickstart": (SMALL,), "Fashion-MNIST": LARGE, "CNN": CNN}
    for network, config in networks.items():
        if FASHION_MNIST.is_dir() or config == (SMALL,):
            yield f"default, {network}", Case(config, DEFAULT, bare)
    yield "default, crew", Case((SMALL,), DEFAULT, bare, CREW)
    for n in ("batch", "10"):
        for network, config in list(networks.items())[:2]:
            if FASHION_MNIST.is_dir() or config == (SMALL,):
                words = f"tensorboard.update_freq={n}", "tensorboard.update_freq=epoch"
                yield f"update_freq: {n}, {network}", Case(config, *words)


def logging(rounds: int) -> dict[str, dict[str, list[float]]]:
    """Seconds of each case in alternating rounds, after one to warm up."""
    return {name: _alternate(case, rounds) for name, case in _cases()}


def _alternate(case: Case, rounds: int) -> dict[str, list[float]]:

    words = {"ours": case.ours, "reference": case.reference}
    trained = {side: _ready(case, word) for side, word in words.items()}
    seconds: dict[str, list[float]] = {side: [] for side in trained}
    with TemporaryDirectory() as root:
        for number in range(rounds + 1):
            for side, train in trained.items():
                seconds[side].append(train(Path(root) / f"{side}{number}"))
    return {side: times[1:] for side, times in seconds.items()}


def _ready(case: Case, word: str) -> Callable[[Path], float]:
    """Trains into a folder, and gives the run's seconds; of a crew those of all its runs."""
    from backproplab.config import load
    from backproplab.experiment import Result, build, run
    from backproplab.experiment.crew import train_slice
    from backproplab.files import DiskFolder
    from backproplab.loop import Pace

    name, *overrides = case.config
    experiment = load(CONFIGS / name, *overrides, word, "threads=1")
    if case.members == 1:
        parts = build(experiment)
        return lambda folder: run(parts, folder).progress.seconds
    group = [experiment.model_copy(update={"seed": seed}) for seed in range(case.members)]

    def train(folder: Path) -> float:
        places = [DiskFolder(folder / str(experiment.seed)) for experiment in group]
        ends = train_slice(group, places, [None] * len(group), Pace())
        return sum(end.progress.seconds for end in ends if isinstance(end, Result))

    return train


def look(config: tuple[str, ...]) -> tuple[float, float]:
    """Median µs of processor time of the scalars of a look with the pass, and of its histograms."""
    from backproplab.config import load
    from backproplab.experiment import build
    from backproplab.learners import Inside
    from backproplab.telemetry.figures import figures, spreads

    name, *overrides = config
    descent = build(load(CONFIGS / name, *overrides, "threads=1")).descent()
    found = []
    with threadpool_limits(1):
        for _ in range(LOOKS):
            of = descent.network, descent.loss, descent.parameters, descent.material.train
            inside, times = Inside.first(*of), [time.process_time()]
            for measure in (figures, spreads):
                inside.measured(measure)
                times.append(time.process_time())
            found.append([1e6 * (after - before) for before, after in pairwise(times)])
    scalars, histograms = map(median, zip(*found, strict=True))
    return scalars, histograms


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    for name, seconds in logging(rounds).items():
        ratios = [a / b for a, b in zip(seconds["ours"], seconds["reference"], strict=True)]
        least = min(seconds["ours"]) / min(seconds["reference"])
        sys.stdout.write(
            f"{name:32} median {median(ratios):.3f}, of the shortest times {least:.3f}, "
            f"at most {LIMITS[name]}\n"
        )
        sys.stdout.flush()
    for config in (SMALL,), LARGE, CNN:
        if FASHION_MNIST.is_dir() or config != LARGE:
            scalars, histograms = look(config)
            words = f"{scalars:,.0f} µs, its histograms {histograms:,.0f} µs"
            sys.stdout.write(f"a look, {config[0]:20} {words}\n")


if __name__ == "__main__":
    main()
