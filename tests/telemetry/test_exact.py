"""Graph, pictures, curves, projector: no bit of the weights, the same events after a resume, one graph of a sweep."""

import re
import shutil

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from backproplab.config import Experiment
from backproplab.config import load as load_config
from backproplab.experiment import resume, run
from backproplab.journal import load
from backproplab.runs.contents import RUN_FILE
from tests.chaos.remains import differences, remains
from tests.stopping import StopAt

QUIET = dict.fromkeys(["graph", "images", "pr_curves"], False)
PROJECTOR = ("embedding.tsv", "labels.tsv", "projector_config.pbtxt")
LAYERS = [{"dense": 6}, {"batch_norm": {"momentum": 0.9}}, "tanh", {"dropout": 0.3}, {"dense": 1}]


class Killed(BaseException):
    pass


class KillAt(StopAt):
    """Ends the process's work there, without another commit."""

    def look(self, lane):
        if lane.progress.step == self.step:
            raise Killed


def experiment(**tensorboard):
    return Experiment.model_validate(
        {
            "name": "x",
            "seed": 3,
            "data": {"name": "moons", "samples": 100},
            "model": {"layers": LAYERS},
            "batch_size": 20,
            "epochs": 6,
            "tensorboard": {"projector": True} | tensorboard,
        }
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "run"
    run(experiment(), folder, [StopAt(0)])
    return folder


def aside(folder):
    """The event files of what holds a time."""
    return list(folder.glob("train/events.out.tfevents.0*"))


def profiles(folder):
    (file,) = aside(folder)
    return EventAccumulator(str(file)).Reload().Tags()["run_metadata"]


def weights(folder):
    arrays = load(folder / "checkpoints/last.safetensors").arrays
    return {name: array.tobytes() for name, array in arrays.items()}


def test_clean_knows_every_file(whole):
    files = [path.relative_to(whole).as_posix() for path in whole.rglob("*") if path.is_file()]
    assert {f"validation/{name}" for name in PROJECTOR} < set(files)
    assert all(RUN_FILE.fullmatch(file) for file in files)


def test_off_means_all_of_it(tmp_path):
    (tmp_path / "c.yaml").write_text("data: moons\ntensorboard: off\n")
    found = load_config(tmp_path / "c.yaml").tensorboard.model_dump()
    assert found == dict.fromkeys(found, False) | {"histograms": 0, "update_freq": "epoch"}


def test_they_change_no_bit(whole, tmp_path):
    run(experiment(projector=False, **QUIET), tmp_path / "quiet", [StopAt(0)])
    assert weights(whole) == weights(tmp_path / "quiet")
    assert (whole / "metrics.csv").read_bytes() == (tmp_path / "quiet/metrics.csv").read_bytes()


@pytest.mark.parametrize("step", [1, 4, 7, 23])
def test_a_run_that_was_stopped_leaves_the_events_of_a_whole_one(whole, tmp_path, step):
    """Except times: those are in a file that is written once, at the end."""
    folder = tmp_path / "run"
    assert run(experiment(), folder, [StopAt(step)]).status == "interrupted"
    resume(folder, callbacks=[StopAt(0)])
    assert differences(remains(folder), remains(whole)) == []
    assert profiles(folder) == profiles(whole) == ["1000 updates, timed after epoch 6"]
    for name in PROJECTOR:
        assert (folder / "validation" / name).read_bytes() == (
            whole / "validation" / name
        ).read_bytes()


def test_so_does_one_that_was_killed_before_its_first_checkpoint(whole, tmp_path):
    folder = tmp_path / "run"
    with pytest.raises(Killed):
        run(experiment(), folder, [KillAt(9)])
    resume(folder, callbacks=[StopAt(0)])
    assert differences(remains(folder), remains(whole)) == []


def test_a_longer_run_is_timed_anew(whole, tmp_path):
    folder = tmp_path / "run"
    run(experiment(), folder)
    assert profiles(folder) == profiles(whole)
    resume(folder, epochs=8)
    assert profiles(folder) == ["1000 updates, timed after epoch 8"]


def looked_at(folder):
    """Scalars of telemetry and pictures of the boundary, by tag and step."""
    log = EventAccumulator(str(folder / "train"), {"scalars": 0, "tensors": 0}).Reload()
    tags = [tag for tag in log.Tags()["scalars"] if tag.startswith("telemetry/")]
    found = {(tag, e.step): e.value for tag in tags for e in log.Scalars(tag)}
    pictures = log.Tensors("images/boundary")
    return found | {("boundary", e.step): e.tensor_proto.string_val[2] for e in pictures}


def test_a_longer_run_has_the_looks_of_one_that_was_as_long_from_the_start(whole, tmp_path):
    """And the one at its first end, after 6 epochs."""
    folder = shutil.copytree(whole, tmp_path / "run")
    resume(folder, callbacks=[StopAt(0)], epochs=30)
    run(experiment().model_copy(update={"epochs": 30}), tmp_path / "long", [StopAt(0)])
    longer, expected = looked_at(folder), looked_at(tmp_path / "long")
    assert {step for _, step in expected} == {-1, 0, 2, 8, 26, 29}
    assert {at: x for at, x in longer.items() if at[1] != 5} == expected
    assert {at: x for at, x in longer.items() if at[1] == 5} == {
        at: x for at, x in looked_at(whole).items() if at[1] == 5
    }


@pytest.mark.slow
def test_of_a_sweep_the_first_run_has_a_graph_and_none_has_pictures(tmp_path, monkeypatch):
    from backproplab import sweep

    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.yaml").write_text(
        "data: {name: circle, samples: 60}\nmodel: {hidden: [4]}\nepochs: 2\n"
    )
    (tmp_path / "s.yaml").write_text(
        "base: c.yaml\nseeds: 2\ngrid: {learning_rate: [0.1, 0.2, 0.3, 0.4]}\n"
    )
    session = sweep.run(sweep.read("s.yaml"), "runs")
    runs = sorted(file.parent for file in session.glob("*/run.json"))
    assert len(runs) == 8
    graphs, tensors = {}, set()
    for folder in runs:
        events = EventAccumulator(str(folder / "train")).Reload()
        graphs[folder.name] = events.Tags()["graph"], len(events.Tags()["run_metadata"])
        tensors |= set(events.Tags()["tensors"])
    assert sorted(graphs.values()) == [(False, 0)] * 7 + [(True, 1)]
    assert not [tag for tag in tensors if re.match("images|pr_curves", tag)]
