"""Memory of ten runs in one process: at most 1.2 times that of one, without the cyclic collector."""

import gc
import json
import tracemalloc

import pytest

from backproplab.config import load
from backproplab.experiment import resume, run
from tests.chaos.processes import ENVIRONMENT, ended

RUNS = 10
TREE = {
    "data": {"name": "digits", "test_split": 0.1},
    "model": {"hidden": [64, 32]},
    "optimizer": "adam",
    "early_stopping": {"patience": 3, "restore_best_weights": True},
    "epochs": 2,
    "threads": 1,
}
PROGRAM = """
import gc, resource, sys
from backproplab.config import load
from backproplab.experiment import run
gc.disable()
for number in range(int(sys.argv[2])):
    run(load(sys.argv[1]), f"runs/{sys.argv[2]}-{number}")
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
def test_objects(tmp_path):
    """What Python and NumPy allocate; the first run also imports, and is left out."""
    file = tmp_path / "run.yaml"
    file.write_text(json.dumps(TREE))
    run(load(file), tmp_path / "first")
    gc.collect()
    gc.disable()
    try:
        tracemalloc.start()
        peaks = []
        for number in range(RUNS):
            tracemalloc.reset_peak()
            run(load(file), tmp_path / str(number))
            peaks.append(tracemalloc.get_traced_memory()[1])
        resume(tmp_path / "0", epochs=4)
        left = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
        gc.enable()
    assert max(peaks[2:]) < 1.2 * max(peaks[:2]), (
        peaks
    )  # the other tests of this process left caches
    assert left < 0.2 * max(peaks), (left, peaks)


@pytest.mark.slow
def test_the_process(tmp_path):
    """Its peak, as the kernel counts it: data of 6 MB in each run, which would add up."""
    file = tmp_path / "run.yaml"
    data = {"name": "moons", "samples": 200_000, "test_split": 0.1}
    file.write_text(json.dumps(TREE | {"data": data, "epochs": 1, "batch_size": 2000}))
    how = {"python": ("-c", PROGRAM), "env": {"PYTHONPATH": ENVIRONMENT["PYTHONPATH"]}}
    code, out, err = ended([str(file), str(RUNS)], tmp_path, **how)
    assert code == 0, err
    peaks = [int(line) for line in out.split()]
    assert len(peaks) == RUNS
    assert peaks[-1] < 1.2 * peaks[0], peaks
