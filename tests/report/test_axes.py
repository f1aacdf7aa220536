"""Every way to sweep a key: a short label, and a numeric axis where the values are numbers."""

import numpy as np
import pytest

from backproplab import config, report
from backproplab.report.axes import LETTERS, Axis
from backproplab.report.naming import name_of
from backproplab.runs import create_session, experiment_folder
from backproplab.sweep.repeats import Repeat
from backproplab.sweep.space import read

UNITS = (1, 12, 128, 16, 2)
BASES = {
    "short": "[{dense: 8}, relu, {dense: 3}]",
    "keyed": "[{dense: {units: 8}}, flatten, {dense: {units: 3}}]",
    "named": "[{name: dense, units: 8, activation: tanh}, {dense: 3}]",
}
WORDS = {  # word of the command line -> (number of the axis or None, is_log)
    "model.layers.0.units=1,12,128,16,2": (UNITS, True),
    "model.layers.0.dense=1,12,128,16,2": (UNITS, True),
    "model.layers.0.dense.units=1,12,128,16,2": (UNITS, True),
    "model.layers.0={dense: 1},{dense: 12},{dense: 128},{dense: 16},{dense: 2}": (UNITS, True),
    "model.layers=[{dense: 4}, {dense: 3}],[{dense: 16}, {dense: 3}]": ((4, 16), False),
    "model.layers=[{dense: 3}],[{dense: 16}, relu, {dense: 3}]": (None, False),
    "model.hidden=[1],[12],[128]": ((1, 12, 128), True),
    "model.hidden=[4, 1],[4, 12],[4, 128]": ((1, 12, 128), True),
    "model.hidden.0=1,12,128": ((1, 12, 128), True),
    "model.hidden=[8],[8, 8],[8, 8, 8, 8, 8, 8, 8, 8]": (None, False),
    "optimizer.beta_1=0.5,0.9": ((0.5, 0.9), False),
    "optimizer=adam,sgd": (None, False),
    "optimizer.weight_decay=0,1e-6,1e-4,1e-2": ((0, 1e-6, 1e-4, 1e-2), True),
    "model.activation=relu,tanh": (None, False),
    "learning_rate=0.1,0.2": ((0.1, 0.2), True),
    "clipping=null,{global_norm: 1},{global_norm: 100}": (None, False),
    "early_stopping.patience=1,10": ((1, 10), False),
    "batch_mode=batch,stochastic": (None, False),
    "data.standardize=true,false": (None, False),
}


def comparison_of(root, tmp_path, words, base="model: {hidden: [8]}\n"):
    """As if each trial had been run."""
    file = tmp_path / "base.yaml"
    file.write_text(f"data: iris\noptimizer: adam\n{base}")
    session = create_session(root)
    sweep = read(file, words)
    for at, trial in enumerate(sweep.trials):
        folder = experiment_folder(session, trial.label)
        folder.mkdir(exist_ok=True)
        (folder / "config.yaml").write_text(config.to_yaml(trial.experiment(Repeat(0))))
        record = '{"format": 1, "status": "completed", "epochs": 1, "metrics": {"val_loss": %f}}'
        (folder / "run.json").write_text(record % (0.1 + at))
    records, _ = report.read_records(report.chosen_runs(root, [session.name]))
    return report.compare(records), sweep


CASES = [
    *[(word, "model: {hidden: [4, 8]}\n" if "hidden" in word else "") for word in WORDS],
    *[
        (word, f"model: {{layers: {layers}}}\n")
        for word in list(WORDS)[:4]
        for form, layers in BASES.items()
        if not (form == "named" and ".dense" in word)
    ],
]


@pytest.mark.parametrize(("word", "base"), CASES)
def test_every_spelling_has_its_axis_and_short_labels(root, tmp_path, word, base):
    if "layers.0" in word and not base:
        base = "model: {layers: [{dense: 8}, relu, {dense: 3}]}\n"
    numbers, is_log = WORDS[word]
    comparison, sweep = comparison_of(root, tmp_path, [word], base)
    assert len(comparison.trials) == len(sweep.trials)
    key = next(k for k in comparison.keys if not numbers or k.startswith(word.split("=")[0][:8]))
    axis = Axis.of(key, comparison.trials)
    assert axis.is_number == (numbers is not None)
    if numbers:
        assert axis.is_log == is_log
        assert list(axis.places[axis.apart :]) == sorted(n for n in numbers if n or not is_log)
        assert sorted(axis.places) == list(axis.places)
    assert len(set(axis.short_labels)) == len(axis.ticks)
    assert max(map(len, axis.short_labels)) <= LETTERS
    assert not any("{" in text or "name:" in text for text in axis.labels)
    for trial in comparison.trials:
        assert "{" not in name_of(comparison, trial)
    table = report.formatted(comparison, "table")
    assert "{" not in table
    assert len({line[3:] for line in table.splitlines()}) == len(comparison.trials) + 1
    labels = [trial.label for trial in sweep.trials]
    assert not any(label.endswith(f"_{at}") for at, label in enumerate(labels) if at)


def test_what_only_some_trials_have_is_beside_the_scale(root, tmp_path):
    words = ["optimizer=sgd,{name: adam, beta_1: 0.5},{name: adam, beta_1: 0.9}"]
    comparison, _ = comparison_of(root, tmp_path, words)
    axis = Axis.of("optimizer.beta_1", comparison.trials)
    assert axis.is_number
    assert axis.apart == 1
    assert axis.labels == ("not set", "0.5", "0.9")
    assert axis.places[0] < 0.5 < 0.9
    assert axis.ticks_on_scale()[0][1] == "not set"
    assert np.all(np.diff([place for place, _ in axis.ticks_on_scale()]) > 0)
