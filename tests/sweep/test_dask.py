"""A Dask cluster that is empty, slow to come, of another version, or not there at all."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from backproplab import environment
from backproplab.errors import MachineError
from backproplab.sweep.executors import open_executor
from backproplab.sweep.job import UnfitWorkerError, run_slice

pytest.importorskip("distributed")
GRID = "lockstep: 'off'\ngrid: {learning_rate: [0.1, 0.03, 0.01, 0.3]}\n"
BASE = "data: {name: moons, samples: 120}\nmodel: {hidden: [4]}\nepochs: 30\n"
ENDLESS = BASE.replace("30", "1000000")
SECONDS = 60


def wait_for(condition):
    deadline = time.monotonic() + SECONDS
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)
    return found


def signalled(process, number, group=False):
    """Seconds from the signal to the end, the exit code, stderr."""
    before = time.monotonic()
    (os.killpg if group else os.kill)(process.pid, number)
    _, err = process.communicate(timeout=SECONDS)
    return time.monotonic() - before, process.returncode, err


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("workers", [0, 1])
def test_one_signal_ends_it(shell, tmp_path, start_cluster, number, workers):
    """Within two seconds, beside the cluster's own: without workers, and in endless epochs."""
    shell.write(ENDLESS, GRID)
    with start_cluster(tmp_path, workers) as cluster:
        process = shell.start("--executor", cluster.spec)
        wait_for(lambda: len(shell.handed()) >= 2)
        time.sleep(1.5)
        seconds, code, err = signalled(process, number)
    assert code == 128 + number, err
    assert seconds < 4, err  # two, and what conclude takes on a busy machine
    assert "Traceback" not in err
    statuses = {record["status"] for record in shell.records().values()}
    assert statuses == ({"paused"} if workers else set())


def fake(folder, package, version):
    """A folder that makes Python believe that it has another version of a package."""
    place = folder / f"{package}-{version}.dist-info"
    place.mkdir(parents=True)
    (place / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n")
    return str(folder)


def start_worker(cluster, folder, *words, **env):
    told = str(cluster.folder / "scheduler.json")
    command = [sys.executable, "-m", "distributed.cli.dask_worker", "--scheduler-file", told]
    command += ["--no-dashboard", "--no-nanny", "--local-directory", str(folder), *words]
    with (folder / "late.log").open("w") as log:
        return subprocess.Popen(command, env=os.environ | env, stdout=log, stderr=log)


@pytest.mark.slow
@pytest.mark.parametrize("package", environment.DECISIVE)
def test_a_worker_of_another_version_that_comes_late_gets_no_job(
    shell, tmp_path, start_cluster, package
):
    shell.write(BASE, GRID)
    here = shell.table("-j", "1", root="here")
    with start_cluster(tmp_path, 0) as cluster:
        process = shell.start("--executor", cluster.spec, "--progress", "line", root="late")
        wait_for(lambda: len(shell.handed("late")) >= 2)
        path = f"{fake(tmp_path / 'fake', package, '9.9')}:{os.environ.get('PYTHONPATH', '')}"
        odd = start_worker(cluster, tmp_path, "--nthreads", "1", PYTHONPATH=path)
        try:
            time.sleep(6)
            assert process.poll() is None, process.communicate()
            assert not shell.records("late")
            good = start_worker(cluster, tmp_path, "--nthreads", "1")
            try:
                _, err = process.communicate(timeout=SECONDS)
            finally:
                good.terminate()
                good.wait()
        finally:
            odd.terminate()
            odd.wait()
    assert process.returncode == 0, err
    assert f"left out: {package} 9.9, needed " in err
    assert "failed" not in err
    assert shell.results("late") == here


@pytest.mark.parametrize("package", environment.DECISIVE)
def test_a_job_refuses_to_compute_other_bits(package):
    needed = environment.decisive_versions() | {package: "9.9"}
    with pytest.raises(UnfitWorkerError, match=f"a worker has {package} .*, needed 9.9"):
        run_slice([], versions=needed)
    assert run_slice([], versions=environment.decisive_versions()) == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_dead_address_is_reported_at_once(host):
    before = time.monotonic()
    with (
        pytest.raises(MachineError, match="no scheduler answers"),
        open_executor(f"dask:tcp://{host}:1"),
    ):
        pass
    assert time.monotonic() - before < 3  # the import of distributed


def test_the_workers_packages_are_those_that_are_recorded():
    assert set(environment.DECISIVE) < set(environment.PACKAGES)
    assert Path(environment.__file__).exists()
