"""TensorBoard readers that were open all the while show each step once.

A run is killed twice and resumed; an EventAccumulator per folder is reloaded at every stop, and two
servers, with TensorBoard's loader in Python and with its data server in Rust, follow it over HTTP.
"""

import json
import socket
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

from tests.chaos.processes import ENVIRONMENT, until

pytestmark = pytest.mark.slow

EPOCHS = 400
TREE = {
    "data": {"name": "moons", "samples": 150},
    "model": {"hidden": [6]},
    "batch_size": 16,
    "epochs": EPOCHS,
    "threads": 1,
    "evaluate_every": 100,
    "tensorboard": {"histograms": 50, "update_freq": 20},
}
EACH, ROWS = 8, 120  # updates and examples of an epoch
EVALUATED = sorted({*range(0, EPOCHS * EACH + 1, EACH), *range(0, EPOCHS * EACH + 1, 100)})
BOTH = {
    "epoch_loss": list(range(EPOCHS)),
    "epoch_accuracy": list(range(EPOCHS)),
    "evaluation_loss_vs_iterations": EVALUATED,
    "passes/loss": [2 * EACH * epoch for epoch in range(1, EPOCHS + 1)],
    "by_examples/loss": [step // EACH * ROWS + step % EACH * 16 for step in EVALUATED],
}
BATCHES = {"batch_loss": list(range(20, EPOCHS * EACH + 1, 20))}
EXPECTED = {"train": BOTH | BATCHES, "validation": BOTH}  # the steps of each tag


class Server:
    """TensorBoard on a session. fast: through its data server."""

    def __init__(self, session, fast):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        options = ["--load_fast", "true" if fast else "false", "--reload_interval", "1"]
        options += ["--samples_per_plugin", "scalars=100000", "--host", "127.0.0.1"]
        command = [
            sys.executable,
            "-m",
            "tensorboard.main",
            "--logdir",
            session,
            "--port",
            str(self.port),
        ]
        null = subprocess.DEVNULL
        self.process = subprocess.Popen(
            [*command, *options], env=ENVIRONMENT, stdout=null, stderr=null
        )

    def steps(self, run, tag):
        """The steps that it shows, none as long as it does not know the tag."""
        url = f"http://127.0.0.1:{self.port}/data/plugin/scalars/scalars?run={run}&tag={tag}"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return [int(step) for _, step, _ in json.load(answer)]
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return []

    def close(self):
        self.process.terminate()
        self.process.wait()


@pytest.fixture
def serve():
    servers = []

    def begin(*words):
        servers.append(Server(*words))
        return servers[-1]

    yield begin
    for server in servers:
        server.close()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_each_step_once(zygote, tmp_path, serve):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    data_server = pytest.importorskip("tensorboard_data_server").server_binary()
    (tmp_path / "run.yaml").write_text(json.dumps(TREE))
    child = zygote.start(["train", "run.yaml", "--progress", "none"], tmp_path)
    until(lambda: list(tmp_path.glob("runs/*/run/checkpoints/previous.safetensors")))
    (run,) = tmp_path.glob("runs/*/run")
    table = run / "metrics.csv"
    until(lambda: table.stat().st_size > 4000)
    child.signal(9)
    child.wait()
    readers = {s: EventAccumulator(str(run / s), {"scalars": 0}) for s in EXPECTED}
    servers = [serve(run.parent, False)] + ([serve(run.parent, True)] if data_server else [])

    def shown(server):
        return {
            split: {tag: server.steps(f"run/{split}", tag) for tag in tags}
            for split, tags in EXPECTED.items()
        }

    def look():
        for reader in readers.values():
            reader.Reload()
        for server in servers:
            until(lambda s=server: all(all(found.values()) for found in shown(s).values()))

    look()
    for _ in range(2):
        size = table.stat().st_size
        child = zygote.start(["resume", run, "--progress", "none"], tmp_path)
        until(lambda s=size, c=child: table.stat().st_size > s + 4000 or c.poll() is not None)
        for reader in readers.values():
            reader.Reload()  # while it is written
        assert child.signal(9)
        child.wait()
        look()
    assert zygote.run(["resume", run, "--progress", "none"], tmp_path) == 0
    for split, reader in readers.items():
        reader.Reload()
        for tag, steps in EXPECTED[split].items():
            assert [event.step for event in reader.Scalars(tag)] == steps, (split, tag)
    last = EPOCHS - 1
    for server in servers:
        until(lambda s=server: all(last in found["epoch_accuracy"] for found in shown(s).values()))
        assert shown(server) == EXPECTED
    if not data_server:
        pytest.skip("TensorBoard's data server is not there: only its Python loader was tested")
