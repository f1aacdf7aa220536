"""What a search and its pruner are worth, on problems that are trained for real."""

import json
from concurrent.futures import Executor, Future
from statistics import median

import pytest

from backproplab import runs
from backproplab.sweep.driver import Driver
from backproplab.sweep.executors import Workers
from backproplab.sweep.search import Searcher
from backproplab.sweep.session import SweepFolder
from backproplab.sweep.space import read

DIGITS = "data: digits\nmodel: {hidden: [16]}\noptimizer: sgd\nepochs: 27\n"
SPIRAL = "data: {name: spiral, samples: 200, noise: 0.1}\nmodel: {hidden: [8]}\noptimizer: adam\nepochs: 20\nbatch_size: 20\n"
PLAIN = "tensorboard: {histograms: 0}\nthreads: 1\n"


class Here(Executor):
    """This process: as reproducible as local workers, and started at once."""

    def submit(self, job, *words):
        future = Future()
        future.set_result(job(*words))
        return future


def searched(folder, base, search, slots=2):
    """The best trial's mean and label, and the epochs that all trials took together."""
    folder.mkdir()
    (folder / "base.yaml").write_text(base + PLAIN)
    (folder / "s.yaml").write_text(f"base: base.yaml\n{search}")
    session = runs.create_session(runs.open_log_root(folder / "runs"))
    place = SweepFolder(session, read(folder / "s.yaml"))
    searcher = Searcher(place.sweep.search, place.sweep.metric.minimizes, session)
    driver = Driver(place, Workers(Here(), lambda: slots, (), "here"), searcher)
    for _ in driver.run():
        pass
    records = [json.loads(path.read_text()) for path in session.glob("[!.]*/run.json")]
    return *driver.standing.best, sum(record["epochs"] for record in records)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_asha_finds_the_best_trial_in_half_of_the_epochs(tmp_path, seed):
    """30 learning rates from 10^-4 to 10 on the digits. Measured: in 0.29 to 0.46 of the epochs."""
    rate = "{min: 1e-4, max: 10.0, distribution: log_uniform}"
    search = f"method: random\nnum_trials: 30\nsearch_seed: {seed}\nparameters: {{learning_rate: {rate}}}\n"
    pruner = "pruner: {asha: {reduction_factor: 3, min_epochs: 3}}\n"
    *best, epochs = searched(tmp_path / "whole", DIGITS, search)
    *same, fewer = searched(tmp_path / "pruned", DIGITS, search + pruner)
    assert same == best
    assert fewer <= epochs / 2


@pytest.mark.slow
def test_tpe_beats_random_search_in_training(tmp_path):
    """Median of the best of 25 trials on a spiral over 10 seeds; measured: 0.51 against 0.61."""
    space = "parameters:\n  learning_rate: {min: 1e-4, max: 1.0, distribution: log_uniform}\n  optimizer.beta_1: {min: 0.0, max: 0.99}\n"
    found = {
        method: [
            searched(
                tmp_path / f"{method}{seed}",
                SPIRAL,
                f"method: {method}\nnum_trials: 25\nsearch_seed: {seed}\n{space}",
                slots=1,
            )[0]
            for seed in range(10)
        ]
        for method in ("tpe", "random")
    }
    assert median(found["tpe"]) < 0.9 * median(found["random"])
