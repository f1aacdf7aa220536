"""Executors with real processes: the same bits everywhere, and what happens when something dies.

The list of what can go wrong is that of anchors/distributed.md, sections 3 and 6. ``exec`` and
``eval`` are the jobs here: a worker can import them, which it cannot do with this file.
"""

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import CancelledError, wait
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from backproplab.config import Experiment
from backproplab.errors import ConfigError, MachineError
from backproplab.sweep.executors import open_executor
from backproplab.sweep.executors.local import THREADS
from backproplab.sweep.job import Work, run_slice

ENDLESS = 10**6
SECONDS = 60  # a deadline, not an expectation
BIN = Path(sys.executable).parent


def config(name="exp", epochs=3, **fields):
    tree = {
        "name": name,
        "data": {"name": "circle", "samples": 160},
        "model": {"hidden": [4]},
        "epochs": epochs,
        "threads": 1,
    }
    return json.dumps(tree | fields)


def slice_of(tree):
    """A whole run, as the one slice of one run."""
    return [Work(Experiment.model_validate(json.loads(tree)))]


def run_job(tree):
    return run_slice(slice_of(tree))


def hashes(outcomes):
    (outcome,) = outcomes
    assert (outcome.status, outcome.error) == ("completed", "")
    return json.loads(outcome.files["run.json"])["hashes"]


def until(condition):
    """What the condition gives, once it gives something."""
    deadline = time.monotonic() + SECONDS
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)
    return found


TOLD = (  # a slice, once the process that is at it has written down who it is
    "[__import__('pathlib').Path(place).write_text(str(__import__('os').getpid())),"
    " __import__('backproplab.sweep.job', fromlist=['']).run_slice(works)][1]"
)


def told(folder, tree):
    """What is submitted for such a slice."""
    works = slice_of(tree)
    place = str(folder / f"{works[0].experiment.name}.pid")
    return eval, TOLD, {"place": place, "works": works}


def running(folder, amount=1):
    """The processes that are in the middle of a slice, by the name of its run."""

    def look():
        found = {path.stem: path.read_text() for path in folder.glob("*.pid")}
        return found if len(list(filter(None, found.values()))) >= amount else None

    return {name: int(pid) for name, pid in until(look).items()}


DASK = pytest.param("dask", marks=pytest.mark.slow)


@pytest.fixture
def spec(request):
    return request.getfixturevalue("cluster").spec if request.param == "dask" else request.param


# what every engine does


@pytest.mark.parametrize("spec", ["local:1", "local:2", DASK], indirect=True)
def test_every_engine_gives_the_bits_of_a_run_at_home(spec):
    texts = [
        config(seed=seed, data=data, dtype=dtype)
        for seed, data, dtype in [
            (0, "circle", "float32"),
            (1, "spiral", "float64"),
            (2, "digits", "float32"),
        ]
    ]
    with open_executor(spec) as engine:
        outcomes = list(engine.executor.map(run_slice, map(slice_of, texts)))
    assert [hashes(o) for o in outcomes] == [hashes(run_job(text)) for text in texts]


@pytest.mark.parametrize("spec", ["local:2", DASK], indirect=True)
def test_equal_calls_are_two_calls(spec):
    with open_executor(spec) as engine:
        calls = [engine.executor.submit(os.urandom, 8) for _ in range(2)]
        assert len({call.result(SECONDS) for call in calls}) == 2


@pytest.mark.parametrize("spec", ["local:3", DASK], indirect=True)
def test_an_engine_says_its_name_and_how_many_jobs_it_runs(spec):
    with open_executor(spec) as engine:
        assert engine.name == spec
        assert engine.capacity() == (3 if spec == "local:3" else 2)


@pytest.mark.parametrize("spec", ["local:1", DASK], indirect=True)
def test_a_poison_job_does_not_poison_the_others(spec):
    with open_executor(spec) as engine:
        poison = engine.executor.submit(exec, "import os; os._exit(1)")
        good = [engine.executor.submit(run_slice, slice_of(config(seed=seed))) for seed in range(3)]
        with pytest.raises(engine.lost):
            poison.result(SECONDS)
        assert [o.result(SECONDS)[0].status for o in good] == ["completed"] * 3


@pytest.mark.parametrize("spec", ["local:1", DASK], indirect=True)
def test_after_a_shutdown_nothing_is_taken(spec):
    with open_executor(spec) as engine:
        engine.executor.shutdown(wait=False, cancel_futures=True)
        engine.executor.shutdown()
        with pytest.raises(RuntimeError, match="after shutdown"):
            engine.executor.submit(os.getpid)


# processes of this machine

ways = pytest.mark.parametrize("ahead", [False, True], ids=["spawned", "forked"])


@pytest.mark.slow
@ways
def test_a_worker_killed_fails_its_own_run_only(tmp_path, ahead):
    with open_executor("local:2", ahead=ahead) as engine:
        doomed = engine.executor.submit(*told(tmp_path, config("doomed", ENDLESS)))
        others = [
            engine.executor.submit(run_slice, slice_of(config(seed=seed))) for seed in range(3)
        ]
        os.kill(running(tmp_path)["doomed"] if wait(others, SECONDS) else 0, signal.SIGKILL)
        with pytest.raises(engine.lost):
            doomed.result(SECONDS)
        assert [o.result(SECONDS)[0].status for o in others] == ["completed"] * 3
        again = [
            engine.executor.submit(run_slice, slice_of(config(seed=seed))) for seed in range(3)
        ]
        assert [hashes(o.result(SECONDS)) for o in again] == [hashes(o.result()) for o in others]


@pytest.mark.slow
@ways
def test_an_exception_that_does_not_unpickle_costs_one_job(ahead):
    with open_executor("local:1", ahead=ahead) as engine:
        bad = "import subprocess; raise subprocess.CalledProcessError(returncode=1, cmd='x')"
        with pytest.raises(engine.lost):
            engine.executor.submit(exec, bad).result(SECONDS)
        assert engine.executor.submit(abs, -1).result(SECONDS) == 1


@ways
def test_what_cannot_be_sent_fails_alone(ahead):
    with open_executor("local:1", ahead=ahead) as engine:
        with pytest.raises((AttributeError, TypeError), match=r"pickle|local object"):
            engine.executor.submit(lambda: 1).result(SECONDS)
        assert engine.executor.submit(abs, -1).result(SECONDS) == 1


@ways
def test_the_second_ctrl_c_ends_the_workers_at_once(tmp_path, ahead):
    with open_executor("local:1", ahead=ahead) as engine:
        runs = [
            engine.executor.submit(*told(tmp_path, config(f"run{n}", ENDLESS))) for n in range(3)
        ]
        pid = running(tmp_path)["run0"]
        engine.executor.shutdown(wait=False, cancel_futures=True)
        assert not wait(runs, SECONDS).not_done
        with pytest.raises(engine.lost):
            runs[0].result()
        for waiting in runs[1:]:
            with pytest.raises(CancelledError):
                waiting.result()
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


@ways
def test_leaving_drops_what_still_runs(tmp_path, ahead):
    with open_executor("local:2", ahead=ahead) as engine:
        runs = [
            engine.executor.submit(*told(tmp_path, config(f"run{n}", ENDLESS))) for n in range(3)
        ]
        pids = running(tmp_path, 2).values()
    assert all(future.done() for future in runs)
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


@ways
def test_a_shutdown_lets_what_was_submitted_end(ahead):
    with open_executor("local:2", ahead=ahead) as engine:
        runs = [engine.executor.submit(run_slice, slice_of(config(seed=seed))) for seed in range(3)]
        engine.executor.shutdown()
        assert all(future.done() for future in runs)
        assert [future.result()[0].status for future in runs] == ["completed"] * 3


@pytest.mark.parametrize(("slots", "threads"), [(1, 4), (2, 2), (3, 1), (8, 1)])
def test_the_workers_share_the_cores(slots, threads, monkeypatch):
    monkeypatch.setattr("backproplab.sweep.executors.local._cores", lambda: 4)
    before = {name: os.environ.get(name) for name in THREADS}
    with open_executor(f"local:{slots}") as engine:
        said = engine.executor.submit(eval, "{**__import__('os').environ}").result(SECONDS)
        seen = "__import__('numpy') and [p['num_threads'] for p in __import__('threadpoolctl').threadpool_info()]"
        found = engine.executor.submit(eval, seen).result(SECONDS)
    assert {said[name] for name in THREADS} == {str(threads)}
    assert set(found) <= set(range(1, threads + 1))  # OpenBLAS takes no more than there are cores
    assert before == {name: os.environ.get(name) for name in THREADS}


def test_local_alone_takes_the_cores_that_a_run_computes_with(monkeypatch):
    monkeypatch.setattr("backproplab.sweep.executors.local._cores", lambda: 8)
    for threads, slots in [(1, 8), (3, 2), (16, 1)]:
        with open_executor("local", threads) as engine:
            assert engine.name == f"local:{slots}"
            assert engine.capacity() == slots


@ways
def test_a_worker_blocks_ctrl_c_from_its_first_instruction(ahead):
    with open_executor("local:2", ahead=ahead) as engine:
        mask = "{*__import__('signal').pthread_sigmask(0, [])}"
        blocked = [engine.executor.submit(eval, mask).result(SECONDS) for _ in range(4)]
    assert all(signal.SIGINT in signals for signals in blocked)


@ways
def test_what_draws_without_a_seed_draws_other_numbers_in_each_process(ahead):
    with open_executor("local:2", ahead=ahead) as engine:
        draw = "(__import__('numpy').random.random(), __import__('random').random(), __import__('os').getpid())"
        seen = set()
        while len({pid for _, _, pid in seen}) < 2:
            seen.add(engine.executor.submit(eval, draw).result(SECONDS))
    assert len({number for number, _, _ in seen}) == len({n for _, n, _ in seen}) == len(seen)


@pytest.mark.slow
def test_processes_that_start_ahead_have_imported_what_jobs_need():
    with open_executor("local:2", ahead=True) as engine:
        known = "'backproplab.sweep.job' in __import__('sys').modules"
        assert engine.executor.submit(eval, known).result(SECONDS)
    with open_executor("local:2") as engine:
        assert not engine.executor.submit(eval, known).result(SECONDS)


DRIVER = """
import pathlib, signal, sys
from backproplab.sweep.executors import open_executor
sys.path.insert(0, sys.argv[1])
from test_executors import told
slices = [told(pathlib.Path(sys.argv[2]), tree) for tree in sys.argv[4:]]
signal.signal(signal.SIGINT, lambda number, frame: print("heard", flush=True))
with open_executor("local:2", ahead=sys.argv[3] == "True") as engine:
    runs = [engine.executor.submit(*each) for each in slices]
    print(*[run.result()[0].status for run in runs])
"""


@contextmanager
def driver(folder, ahead, *texts):
    """A driver in a process group of its own, killed at the end of the test whatever happens. Its
    output ends when its last worker does."""
    command = [
        sys.executable,
        "-c",
        DRIVER,
        str(Path(__file__).parent),
        str(folder),
        str(ahead),
        *texts,
    ]
    environment = os.environ | {"TMPDIR": str(folder)}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.slow
@ways
def test_a_driver_killed_leaves_no_worker_and_no_file_behind(tmp_path, ahead):
    with driver(tmp_path, ahead, config("a", ENDLESS), config("b", ENDLESS)) as process:
        running(tmp_path, 2)
        process.kill()
        assert process.communicate(timeout=SECONDS)[0] == ""
    assert {path.name for path in tmp_path.iterdir()} == {"a.pid", "b.pid"}


@pytest.mark.slow
@ways
def test_ctrl_c_reaches_the_driver_alone(tmp_path, ahead):
    with driver(tmp_path, ahead, config("a", 300), config("b", 300)) as process:
        running(tmp_path)
        os.killpg(process.pid, signal.SIGINT)
        assert process.communicate(timeout=SECONDS)[0].split() == [
            "heard",
            "completed",
            "completed",
        ]


# what cannot be opened


@pytest.mark.parametrize(
    "spec",
    [
        "",
        "loky",
        "local:",
        "local:0",
        "local:-1",
        "local:two",
        "local:10000",
        "dask",
        "dask:",
        "dask:here",
        "mpi:3",
        "Local",
    ],
)
def test_an_unknown_spec_tells_the_valid_ones(spec):
    with pytest.raises(
        ConfigError, match=r"no such executor — valid: local, local:N .*, dask:tcp://HOST:PORT, mpi"
    ):
        open_executor(spec)


@pytest.mark.parametrize(
    ("spec", "module", "extra"),
    [("dask:tcp://127.0.0.1:1", "distributed", "dask"), ("mpi", "mpi4py", "mpi")],
)
def test_a_missing_package_is_named(spec, module, extra, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    with (
        pytest.raises(ConfigError, match=rf"pip install 'backproplab\[{extra}\]'"),
        open_executor(spec),
    ):
        pass


def test_mpi_without_a_library_is_told(monkeypatch):
    class NoLibrary(SimpleNamespace):
        def __getattr__(self, name):
            raise RuntimeError("cannot load MPI library")

    monkeypatch.setitem(sys.modules, "mpi4py", NoLibrary())
    with pytest.raises(ConfigError, match="found no MPI library"), open_executor("mpi"):
        pass


# Dask and MPI


@pytest.mark.slow
def test_nobody_at_the_address_is_told():
    pytest.importorskip("distributed")
    with (
        pytest.raises(MachineError, match="no scheduler answers"),
        open_executor("dask:tcp://127.0.0.1:1"),
    ):
        pass


@pytest.mark.slow
@pytest.mark.parametrize(
    "address", ["tcp://127.0.0.1", "carrier://pigeon:1", "tcp://127.0.0.1:port"]
)
def test_an_address_that_is_none_is_told(address):
    pytest.importorskip("distributed")
    with pytest.raises(ConfigError, match="--executor dask:"), open_executor(f"dask:{address}"):
        pass


@pytest.mark.slow
def test_a_dask_worker_killed_loses_nothing(cluster):
    with open_executor(cluster.spec) as engine:
        pids = {engine.executor.submit(os.getpid).result(SECONDS)}
        runs = [
            engine.executor.submit(run_slice, slice_of(config(f"run{n}", 300))) for n in range(4)
        ]
        os.kill(pids.pop(), signal.SIGKILL)
        assert [run.result(SECONDS)[0].status for run in runs] == ["completed"] * 4
        until(lambda: engine.capacity() == 2)  # the nanny starts another


LOST = """
__import__("types").SimpleNamespace(__reduce_ex__=lambda protocol: __import__("os")._exit(1))
if not __import__("os").path.exists({flag!r}) and not open({flag!r}, "w").close() else 1 / 0
"""


@pytest.mark.slow
def test_a_result_that_is_lost_on_its_way_and_cannot_be_had_again(cluster, tmp_path):
    """Its worker dies when asked for it, and the second time it fails: Dask's own executor hangs."""
    job = LOST.format(flag=str(tmp_path / "flag")).replace("\n", " ").strip()
    with open_executor(cluster.spec) as engine:
        with pytest.raises(ZeroDivisionError):
            engine.executor.submit(eval, job).result(SECONDS)
        assert engine.executor.submit(abs, -1).result(SECONDS) == 1


@pytest.mark.slow
def test_a_dask_scheduler_killed_cancels_what_was_submitted(tmp_path, start_cluster):
    with start_cluster(tmp_path, 1) as cluster, open_executor(cluster.spec) as engine:
        run = engine.executor.submit(run_slice, slice_of(config("endless", 3000)))
        cluster.scheduler.kill()
        with pytest.raises(CancelledError):
            run.result(SECONDS)


@pytest.mark.slow
def test_dask_workers_with_threads_are_refused(tmp_path, start_cluster):
    with (
        start_cluster(tmp_path, 1, nthreads=2) as cluster,
        pytest.raises(ConfigError, match="--nthreads 1"),
        open_executor(cluster.spec),
    ):
        pass


def mpiexec(ranks, *words):
    pytest.importorskip("mpi4py")
    if not (BIN / "mpiexec").exists():
        pytest.skip("no mpiexec")
    command = [BIN / "mpiexec", "-n", str(ranks), sys.executable, *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)


MPI = """
import json, sys
from backproplab.sweep.executors import open_executor
import json
from backproplab.config import Experiment
from backproplab.sweep.job import Work, run_slice
works = [[Work(Experiment.model_validate(json.loads(tree)))] for tree in sys.argv[1:]]
with open_executor("mpi") as engine:
    outcomes = [o for o, in engine.executor.map(run_slice, works)]
    print(json.dumps([engine.capacity(), [json.loads(o.files["run.json"])["hashes"] for o in outcomes]]))
"""


@pytest.mark.slow
def test_mpi_gives_the_bits_of_a_run_at_home(tmp_path):
    texts = [config(seed=seed) for seed in range(4)]
    script = tmp_path / "driver.py"
    script.write_text(MPI)
    done = mpiexec(3, "-m", "mpi4py.futures", str(script), *texts)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [2, [hashes(run_job(text)) for text in texts]]


@pytest.mark.slow
@pytest.mark.parametrize("ranks", [1, 2])
def test_mpi_without_its_launcher_says_how(ranks):
    done = mpiexec(ranks, "-c", MPI, config())
    assert done.returncode != 0
    assert "mpiexec -n 3 python -m mpi4py.futures -m backproplab sweep" in done.stderr
