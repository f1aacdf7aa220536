"""A sweep over every learner of the registry has one table, whoever computes it."""

import json
import sys
from pathlib import Path

import pytest

import backproplab as bpl
from backproplab.experiment import build
from tests.learners.test_family import LEARNERS, experiment_of, tree
from tests.sweep.test_cluster import MPI

MONITORED = {name: build(experiment_of(name)).monitor for name in LEARNERS}
SHARED = {"data", "threads", "tensorboard"}


@pytest.fixture
def places(cluster):
    """What runs a sweep: words for the command, and its launcher."""
    pytest.importorskip("mpi4py")
    launcher = [str(Path(sys.executable).parent / "mpiexec"), "-n", "3", sys.executable, *MPI]
    return {
        "one": (["-j", "1"], ()),
        "two": (["-j", "2"], ()),
        "dask": (["--executor", cluster.spec], ()),
        "mpi": (["--executor", "mpi"], launcher),
    }


@pytest.mark.slow
@pytest.mark.parametrize("metric", sorted(set(MONITORED.values())))
def test_a_sweep_of_learners_has_one_table_whoever_computes_it(shell, tmp_path, places, metric):
    """One worker, two, a Dask cluster, ranks of MPI, and each run alone: the same rows, except for times."""
    names = [name for name, monitor in MONITORED.items() if monitor == metric]
    trees = {name: tree(name) for name in names}
    base = {key: value for key, value in trees[names[-1]].items() if key in SHARED}
    branches = [
        {key: value for key, value in own.items() if key not in SHARED | {"name"}}
        for own in trees.values()
    ]
    shell.write(json.dumps(base), f"seeds: 2\nmetric: {metric}\nbranches: {json.dumps(branches)}\n")
    found = {}
    for place, (words, launcher) in places.items():
        table = shell.table(*words, root=place, launcher=launcher)
        runs = (tmp_path / place).glob("[!.]*/*/metrics.csv")
        found[place] = table, {path.parent.name: path.read_bytes() for path in runs}
    table, runs = found["one"]
    for place, (its_table, its_runs) in found.items():
        assert its_table == table, place
        assert its_runs == runs, place
    assert len(runs) == 2 * len(names)
    for name in names:
        bpl.run(experiment_of(name), tmp_path / name)
        assert (tmp_path / name / "metrics.csv").read_bytes() in runs.values()
