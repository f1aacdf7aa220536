"""A sweep has one table, whoever runs it: local workers, a Dask cluster, the ranks of MPI."""

import random
import sys
from pathlib import Path

import pytest

BASE = "data: {name: moons, samples: 120}\nmodel: {hidden: [4]}\nepochs: 60\ntensorboard: {histograms: 0}\n"
RATES = "parameters:\n  learning_rate: {min: 1e-3, max: 1.0, distribution: log_uniform}\n"
SWEEPS = {
    "grid": "seeds: 5\ngrid:\n  learning_rate: [0.1, 0.03, 0.01]\n",
    "tpe": f"method: tpe\nnum_trials: 8\n{RATES}",
    "asha": f"method: random\nnum_trials: 16\npruner: asha\n{RATES}",
}
MPI = "-m", "mpi4py.futures", "-m", "backproplab"


@pytest.mark.slow
@pytest.mark.parametrize("name", SWEEPS)
def test_a_dask_cluster_gives_the_table_of_local_workers(shell, cluster, name):
    shell.write(BASE, SWEEPS[name])
    here = shell.table("-j", "2", root="local")
    assert shell.table("--executor", cluster.spec, root="dask") == here


@pytest.mark.slow
@pytest.mark.parametrize("name", SWEEPS)
def test_mpi_gives_the_table_of_local_workers(shell, name):
    pytest.importorskip("mpi4py")
    mpiexec = Path(sys.executable).parent / "mpiexec"
    if not mpiexec.exists():
        pytest.skip("no mpiexec")
    shell.write(BASE, SWEEPS[name])
    here = shell.table("-j", "2", root="local")
    launcher = [str(mpiexec), "-n", "3", sys.executable, *MPI]
    assert shell.table("--executor", "mpi", root="mpi", launcher=launcher) == here


@pytest.mark.slow
def test_dask_workers_killed_at_random_moments(shell, cluster):
    """Up to eight of them; their nannies start others. Nothing is lost, and the sweep ends by itself."""
    shell.write(BASE.replace("60", "300"), f"lockstep: 'off'\n{SWEEPS['grid']}")
    whole = shell.table("-j", "2", root="whole")
    process = shell.start("--executor", cluster.spec, root="killed")
    chance = random.Random(0)
    killed = shell.workers_killed(process, "killed", cluster.nanny.pid, chance, 8)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert killed > 2
    assert shell.results("killed") == whole


@pytest.mark.slow
@pytest.mark.parametrize("name", ["grid", "tpe"])
def test_a_dask_scheduler_killed_is_told_and_local_workers_go_on(
    shell, tmp_path, start_cluster, name
):
    shell.write(BASE.replace("60", "300"), f"lockstep: 'off'\n{SWEEPS[name]}")
    whole = shell.table("-j", "2", root="whole")
    place = tmp_path / "dask"
    place.mkdir()
    with start_cluster(place, 2) as cluster:
        process = shell.start("--executor", cluster.spec, root="lost")
        while len(shell.records("lost")) < 2:
            assert process.poll() is None, process.communicate()
        cluster.scheduler.kill()
        _, err = process.communicate(timeout=120)
    assert process.returncode == 6, err
    told = [line for line in err.splitlines() if line.startswith("backproplab:")]
    assert told == [f"backproplab: {cluster.spec} is gone: start it anew; --resume continues"], err
    assert "Traceback" not in err
    before = {
        name for name, record in shell.records("lost").items() if record["status"] == "completed"
    }
    assert shell.table("-j", "2", "--resume", root="lost") == whole
    again = shell.handed("lost")
    assert not before & set(again[len(again) - (len(set(again)) - len(before)) :])
