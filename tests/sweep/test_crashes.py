"""Sweeps that are killed, stopped and gone on with: the table is that of one left alone.

Real processes, killed at moments drawn from a fixed seed. Slices are made short, so that paused
runs are among what is found.
"""

import os
import random
import signal
import subprocess
import time
from collections import Counter

import pytest

BASE = "data: {name: moons, samples: 120}\nmodel: {hidden: [4]}\noptimizer: momentum\nepochs: 81\ntensorboard: {histograms: 0}\n"
RATES = "parameters:\n  learning_rate: {min: 1e-3, max: 1.0, distribution: log_uniform}\n"
SWEEPS = {
    "grid": "seeds: 3\ngrid:\n  learning_rate: [0.1, 0.03, 0.01]\n  model.activation: [tanh, relu]\n",
    "tpe": f"method: tpe\nnum_trials: 14\n{RATES}  optimizer.momentum: {{min: 0, max: 0.9}}\n",
    "asha": f"method: random\nnum_trials: 20\npruner: {{asha: {{reduction_factor: 3}}}}\n{RATES}",
    "tpe with median and seeds": f"method: tpe\nnum_trials: 10\nseeds: 2\npruner: {{median: {{min_trials: 2}}}}\n{RATES}",
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", SWEEPS)
def test_a_driver_killed_at_random_moments(shell, name):
    """Six of them a sweep, the whole process group: the driver and its workers."""
    shell.write(BASE.replace("81", "243"), SWEEPS[name])
    whole = shell.table("-j", "2", root="whole")
    kills = shell.killed_and_resumed("killed", random.Random(name), 6, "-j", "2", slice=1)
    assert kills > 2
    assert shell.results("killed") == whole


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tpe", "asha"])
def test_a_search_does_not_depend_on_how_it_is_sliced(shell, name):
    shell.write(BASE, SWEEPS[name])
    whole = shell.table("-j", "2", root="whole")
    assert shell.table("-j", "2", root="sliced", slice=0.3) == whole


@pytest.mark.slow
@pytest.mark.parametrize("name", ["grid", "tpe"])
def test_local_workers_killed_at_random_moments(shell, name):
    """Up to ten of them: the sweep ends by itself, and only what they had at work is run again."""
    shell.write(BASE.replace("81", "200"), f"lockstep: 'off'\n{SWEEPS[name]}")
    whole = shell.table("-j", "2", root="whole")
    process = shell.start("-j", "2", root="killed")
    killed = shell.workers_killed(process, "killed", process.pid, random.Random(name), 10)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert killed > 2
    assert shell.results("killed") == whole
    runs = len(shell.handed("whole"))
    assert runs < len(shell.handed("killed")) <= runs + killed


@pytest.mark.slow
def test_a_fork_server_killed_costs_its_workers_slices_alone(shell):
    shell.write(BASE.replace("81", "200"), f"lockstep: 'off'\n{SWEEPS['grid']}")
    whole = shell.table("-j", "2", root="whole")
    process = shell.start("-j", "2", root="killed")
    wait_for_workers(shell, process, 2, root="killed")
    (server,) = shell.servers_of(process.pid)
    os.kill(server, signal.SIGKILL)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert shell.results("killed") == whole


ENDLESS = BASE.replace("81", "1000000")


def epochs(shell):
    return {name: record["epochs"] for name, record in shell.records().items()}


def stopped(shell, *words):
    """Stop a sweep of endless runs in the middle; its seconds from Ctrl-C to the end, its output."""
    process = shell.start("-j", "2", *words, slice=0.3)
    deadline = time.monotonic() + 60
    before = epochs(shell)
    while len(found := epochs(shell)) < 2 or any(found[n] <= before.get(n, 0) for n in found):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert "--resume continues" in err
    return out


@pytest.mark.slow
@pytest.mark.parametrize("lockstep", ["auto", "'off'"])
def test_ctrl_c_pauses_runs_that_would_not_end(shell, lockstep):
    shell.write(ENDLESS, f"lockstep: {lockstep}\ngrid: {{learning_rate: [0.1, 0.03]}}\n")
    out = stopped(shell)
    assert "0 of 2 runs" in out
    assert "results.csv" in out
    first = epochs(shell)
    assert {record["status"] for record in shell.records().values()} == {"paused"}
    stopped(shell, "--resume")
    assert all(later > first[name] > 0 for name, later in epochs(shell).items())
    for name, done in epochs(shell).items():
        table = (shell.session() / name / "metrics.csv").read_text().splitlines()
        seen = Counter(line.split(",")[0] for line in table[1:])
        assert len(seen) == done
        assert len(set(seen.values())) == 1


def wait_for_workers(shell, process, amount, root="runs"):
    """Until so many are there, and all that may be handed out at first is."""
    deadline = time.monotonic() + 60
    while len(shell.workers_of(process.pid)) < amount or len(shell.handed(root)) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.slow
def test_after_ctrl_c_nothing_begins(shell):
    """Not even what waits for a slot; and it is said at once that the steps under way must end."""
    base = ENDLESS.replace("samples: 120", "samples: 20000") + "batch_size: 1\n"
    shell.write(base, "lockstep: 'off'\ngrid: {learning_rate: [0.1, 0.03, 0.01]}\n")
    process = shell.start("-j", "1")
    wait_for_workers(shell, process, 1)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "stopping after the steps under way; Ctrl-C again stops at once" in err
    assert len(shell.handed()) == 2
    assert len(epochs(shell)) == 1


@pytest.mark.slow
def test_the_second_ctrl_c_ends_it_at_once(shell):
    """With updates that take seconds, so that a slice does not come back at once."""
    base = ENDLESS.replace("samples: 120", "samples: 100000").replace("[4]", "[700, 700]")
    base += "batch_mode: batch\n"
    shell.write(base, "grid: {learning_rate: [0.1, 0.03]}\n")
    process = shell.start("-j", "2")
    wait_for_workers(shell, process, 2)
    os.kill(process.pid, signal.SIGINT)
    assert any("Ctrl-C again" in line for line in process.stderr)  # it has heard the first
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(1.1)  # what comes within a second of it is the same request
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130, err
    assert "stopped at once" in err
