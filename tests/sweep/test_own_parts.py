"""Parts of one's own reach the workers of a sweep as the text of their file."""

import shutil
import sys
from pathlib import Path

import pytest

import backproplab as bpl
from tests.sweep.test_cluster import MPI

CONFIGS = Path(__file__).parent.parent.parent / "configs" / "own"
SWEEP = "seeds: 2\ngrid: {optimizer.beta: [0.8, 0.9]}\n"


def prepared(shell):
    shutil.copy(CONFIGS / "my_parts.py", shell.folder)
    base = (CONFIGS / "parts.yaml").read_text().replace("epochs: 60", "epochs: 4\nthreads: 1")
    shell.write(base, SWEEP)


def runs_of(shell, root):
    found = (shell.folder / root).glob("[!.]*/*/metrics.csv")
    return {path.parent.name: path.read_bytes() for path in found}


@pytest.mark.slow
def test_a_sweep_has_one_table_whoever_computes_it(shell, cluster, tmp_path):
    """One worker, two, a Dask cluster, ranks of MPI, and each run alone."""
    pytest.importorskip("mpi4py")
    prepared(shell)
    launcher = [str(Path(sys.executable).parent / "mpiexec"), "-n", "3", sys.executable, *MPI]
    table = shell.table("-j", "1", root="one")
    runs = runs_of(shell, "one")
    assert len(runs) == 4
    for root, words, how in [
        ("two", ["-j", "2"], ()),
        ("dask", ["--executor", cluster.spec], ()),
        ("mpi", ["--executor", "mpi"], launcher),
    ]:
        assert shell.table(*words, root=root, launcher=how) == table, root
        assert runs_of(shell, root) == runs, root
    experiment = bpl.load(shell.folder / "base.yaml", "optimizer.beta=0.9", "seed=43")
    bpl.run(experiment, tmp_path / "alone")
    alone = (tmp_path / "alone" / "metrics.csv").read_bytes()
    assert alone in runs.values()


@pytest.mark.slow
def test_workers_that_outlive_a_sweep_take_the_next_version_of_the_file(shell, cluster):
    prepared(shell)
    first = shell.table("--executor", cluster.spec, root="first")
    file = shell.folder / "my_parts.py"
    file.write_text(file.read_text().replace("lr * np.sign", "0.5 * lr * np.sign"))
    second = shell.table("--executor", cluster.spec, root="second")
    assert second == shell.table("-j", "1", root="here")
    assert second != first


@pytest.mark.slow
def test_a_sweep_with_a_changed_file_is_not_continued(shell):
    prepared(shell)
    shell.table("-j", "1")
    file = shell.folder / "my_parts.py"
    file.write_text(file.read_text() + "\n# changed\n")
    code, _, err = shell.run("-j", "1", "--resume")
    assert code == 5
    assert "differs in base.imports" in err


def test_a_file_that_no_worker_can_execute_is_reported(workers, tmp_path):
    from backproplab.own_parts import Source
    from backproplab.sweep.job import Cargo, UnfitWorkerError, run_slice

    source = Source(str(tmp_path / "mine.py"), b"import numpy\nimport not_installed_here\n")
    with pytest.raises(UnfitWorkerError, match=r"cannot import .*mine\.py:2: ModuleNotFoundError"):
        run_slice(Cargo((source,), (), (), b""))
