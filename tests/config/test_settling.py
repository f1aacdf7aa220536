"""What a value means at its place: names are text, paths are of their file, four words switch off;
what other tools call something leads to what it is called here."""

from pathlib import Path

import pytest
import yaml

from backproplab.config import Experiment, load, read, to_yaml
from backproplab.data import Dataset
from backproplab.errors import SYNONYMS, ConfigError
from backproplab.learners import Learner
from backproplab.loop import EarlyStopping
from backproplab.nn import Loss, Model
from backproplab.nn.initializers import Initializer
from backproplab.nn.layer import Layer
from backproplab.optim import Clipping, Optimizer, Schedule
from backproplab.spec import IsPath, Off
from backproplab.sweep.schema import Pruner, SweepFile
from backproplab.sweep.space import read as read_sweep

TEXTS = (
    "n",
    "no",
    "on",
    "yes",
    "y",
    "off",
    "true",
    "1e3",
    "12",
    "010",
    "1:30",
    "0x1F",
    "1_000",
    "2024-01-01",
    ".5",
    "nan",
)
OFF = ("null", "none", "false", "off", "~", "None", "False", "OFF", "'off'")


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.mark.parametrize("text", [t for t in TEXTS if t[0].isalnum() and ":" not in t])
def test_a_name_is_text(tmp_path, text):
    file = write(tmp_path / "c.yaml", f"data: iris\nname: {text}\n")
    assert load(file).name == text
    assert load(file, f"name={text}").name == text
    again = write(tmp_path / "again.yaml", to_yaml(load(file)))
    assert load(again).name == text


@pytest.mark.parametrize("text", TEXTS)
def test_every_field_of_text_is_text(tmp_path, text):
    file = write(
        tmp_path / "c.yaml",
        f"data: {{name: mnist, path: {text}}}\nearly_stopping: {{monitor: {text}}}\n",
    )
    experiment = load(file)
    assert experiment.early_stopping.monitor == text
    assert experiment.data.path == str(tmp_path / text)


@pytest.mark.parametrize(
    "line",
    [
        "epochs: on",
        "epochs: 010",
        "data: {name: iris, standardize: yes}",
        "tensorboard: {histograms: 1_0}",
        "x: no",
    ],
)
def test_what_is_ambiguous_elsewhere_stays_refused(tmp_path, line):
    with pytest.raises(ConfigError):
        load(
            write(tmp_path / "c.yaml", f"data: iris\n{line}\n".replace("data: iris\ndata", "data"))
        )


def switches():
    """(key, YAML of its config with WORD, what switching off gives) of every field that can be."""
    families = (Optimizer, Schedule, Layer, Dataset, Clipping, Learner, Loss)
    holders = [
        ("", Experiment, "{key}: WORD"),
        ("early_stopping", EarlyStopping, "early_stopping: {{{key}: WORD}}"),
        ("model", Model, "model: {{{key}: WORD}}"),
    ]
    keys = {Optimizer: "optimizer", Schedule: "schedule", Dataset: "data"}
    needs = {
        "step": "every: 3",
        "exponential": "rate: 0.5",
        "inverse_time": "rate: 0.5",
        "cosine_restarts": "first_decay_steps: 3",
        "csv": "path: f.csv",
        "parquet": "path: f.parquet",
        "npz": "path: f.npz",
        "idx": "path: folder",
        "images": "path: folder",
        "piecewise": "boundaries: [3], factors: [1, 1]",
    }
    for family, key in keys.items():
        for name, member in family.members.items():
            more = f", {needs[name]}" if name in needs else ""
            holders.append((key, member, f"{key}: {{{{name: {name}{more}, {{key}}: WORD}}}}"))
    holders.append(
        (
            "tensorboard",
            Experiment.model_fields["tensorboard"].annotation,
            "tensorboard: {{{key}: WORD}}",
        )
    )
    for name in ("dense", "conv2d", "residual"):
        own = {"dense": "units: 3", "conv2d": "filters: 3", "residual": "layers: [relu]"}[name]
        holders.append(
            (
                "layer",
                Layer.members[name],
                f"model: {{{{layers: [{{{{name: {name}, {own}, {{key}}: WORD}}}}]}}}}",
            )
        )
    assert families
    for section, spec, form in holders:
        for name, field in spec.model_fields.items():
            for mark in field.metadata:
                if isinstance(mark, Off):
                    yield pytest.param(
                        section,
                        name,
                        form.format(key=name),
                        mark.value,
                        id=f"{section or spec.__name__} {spec.__name__} {name}",
                    )


@pytest.mark.parametrize(("section", "key", "text", "value"), list(switches()))
def test_four_words_switch_off_alike(tmp_path, section, key, text, value):
    data = "" if text.startswith("data") else "data: circle\n"
    found = []
    for word in OFF:
        experiment = load(write(tmp_path / "c.yaml", data + text.replace("WORD", word) + "\n"))
        holder = (
            experiment
            if not section
            else experiment.model.layers[0]
            if section == "layer"
            else getattr(experiment, section)
        )
        found.append(getattr(holder, key))
    assert all(one == found[0] for one in found)
    off = getattr(found[0], "name", None) or found[0]
    assert off == value or key == "tensorboard"


def test_every_section_that_can_be_absent_can_be_switched_off():
    """None as a default means either that it is off, or that something else decides."""
    decided = {"learning_rate", "batch_size", "evaluate_every", "sweep"}
    for name, field in Experiment.model_fields.items():
        if field.default is None and name not in decided:
            assert any(isinstance(mark, Off) for mark in field.metadata), name


@pytest.mark.parametrize("word", OFF)
def test_a_sweep_s_values_are_read_alike(tmp_path, word):
    file = write(tmp_path / "s.yaml", f"base: {{data: iris, early_stopping: {word}}}\nname: on\nlockstep: {word}\n"
                 f"grid: {{clipping: [{word}, {{norm: 1}}], schedule: [{word}, cosine]}}\n")  # fmt: skip
    sweep = read_sweep(file)
    assert (sweep.name, sweep.lockstep) == ("on", False)
    assert [t.resolved.clipping is None for t in sweep.trials] == [True, True, False, False]
    assert sweep.trials[0].resolved.schedule.name == "constant"
    words = read_sweep(write(tmp_path / "c.yaml", "data: iris\n"), [f"clipping={word},{{norm: 1}}"])
    assert words.trials[0].resolved.clipping is None
    assert any(isinstance(m, Off) for m in SweepFile.model_fields["pruner"].metadata)
    assert Pruner.members


# paths


def test_every_path_is_relative_to_its_file_and_absolute_in_the_record(tmp_path, monkeypatch):
    marked = [
        m
        for f in Dataset.members.values()
        for x in f.model_fields.values()
        for m in x.metadata
        if isinstance(m, IsPath)
    ]
    assert marked
    here, there = tmp_path / "here", tmp_path / "there"
    there.mkdir()
    for form in (
        "{name: mnist, path: d}",
        "{mnist: {path: d}}",
        "{mnist: d}",
        "{name: mnist, path: ../here/d}",
    ):
        file = write(here / "c.yaml", f"data: {form}\n")
        for folder, name in (
            (tmp_path, "here/c.yaml"),
            (there, "../here/c.yaml"),
            (here, "c.yaml"),
        ):
            monkeypatch.chdir(folder)
            assert load(name).data.path == str(here / "d")
            assert yaml.safe_load(to_yaml(load(name)))["data"]["path"] == str(here / "d")
        monkeypatch.chdir(there)
        assert load(file, "data={name: mnist, path: e}").data.path == str(there / "e")
    assert load(file, "data.path=e").data.path == str(there / "e")  # typed in a shell
    monkeypatch.setenv("HOME", str(tmp_path))
    assert load(file, "data.path=~/e").data.path == str(tmp_path / "e")
    assert load(file, "data.path=''").data.path == ""
    assert Experiment.model_validate({"data": {"mnist": "d"}}).data.path == str(there / "d")


@pytest.mark.parametrize("block", [
    "grid: {data.path: [d, e]}", "zip: [{data.path: d}, {data.path: e}]",
    "branches: [{data.path: d}, {grid: {data.path: [e]}}]",
    "grid: {data: [{name: mnist, path: d}, {mnist: e}]}",
    "method: random\nnum_trials: 2\nparameters: {data.path: {values: [d, e]}}",
])  # fmt: skip
def test_a_sweep_s_paths_are_relative_to_its_file(tmp_path, monkeypatch, block):
    from backproplab.config.yaml_source import read_yaml
    from backproplab.sweep import words

    file = write(
        tmp_path / "sub" / "s.yaml", f"base: {{data: {{name: mnist, path: b}}}}\n{block}\n"
    )
    monkeypatch.chdir("/")
    base = words.base_document(words.sweep_document(file))
    sweep = words.settled(read_yaml(file), base)
    text = str(sweep.tree)
    assert str(tmp_path / "sub" / "d") in text
    assert str(tmp_path / "sub" / "e") in text


# defaults that an override goes into


@pytest.mark.parametrize(("word", "section", "expected"), [
    ("model.hidden.0=8", "model.hidden", (8,)),
    ("optimizer.beta_1=0.8", "optimizer.beta_1", 0.8),
    ("data.features.1=x1^2", "data.features", ("x1", "x1^2")),
    ("schedule.warmup_steps=3", "schedule.warmup_steps", 3),
    ("schedule.cosine.alpha=0.1", "schedule.alpha", 0.1),
    ("clipping.norm=1", "clipping.name", "norm"),
    ("optimizer.momentum.momentum=0.5", "optimizer.momentum", 0.5),
    ("early_stopping.patience=3", "early_stopping.patience", 3),
])  # fmt: skip
def test_an_override_goes_into_a_default(tmp_path, word, section, expected):
    value = load(write(tmp_path / "c.yaml", "data: circle\n"), word)
    for step in section.split("."):
        value = getattr(value, step)
    assert value == expected
    key, _, text = word.partition("=")
    if key not in ("schedule.cosine.alpha", "clipping.norm", "optimizer.momentum.momentum"):
        sweep = read_sweep(
            write(
                tmp_path / "s.yaml",
                f"base: {{data: circle}}\ngrid: {{{key}: ['{text}']}}\n".replace(
                    "'" if text[0].isdigit() else "\0", ""
                ),
            )
        )
        assert len(sweep.trials) == 1


# other tools' words


def hints(tmp_path, text):
    with pytest.raises(ConfigError) as raised:
        read(write(tmp_path / "c.yaml", f"data: iris\n{text}\n"))
    return " ".join(problem.hint for problem in raised.value.problems)


@pytest.mark.parametrize(("text", "hint"), [
    ("optimizer: {name: adam, lr: 0.1}", "'learning_rate', at the top"),
    ("optimizer: {lr: 0.1}", "'learning_rate', at the top"),
    ("optimizer: {name: sgd, momentum: 0.9}", "{name: momentum, momentum: …}"),
    ("optimizer: {name: sgd, nesterov: true}", "{name: nesterov}"),
    ("optimizer: {name: adam, betas: [0.9, 0.99]}", "beta_1 and beta_2"),
    ("optimizer: {type: Adam}", "'type' is called 'name' here: {name: adam"),
    ("optimizer: {type: Adam, lr: 0.1}", "'learning_rate', at the top"),
    ("schedule: {class_name: CosineAnnealingLR, T_max: 3}", "{name: cosine"),
    ("schedule: {name: step, step_size: 3, gamma: 0.1}", "did you mean 'every'?"),
    ("model: {layers: [4, 16, 3]}", "{dense: 16}"),
    ("model: {layers: [{type: Dense, out_features: 3}]}", "did you mean 'units'?"),
    ("learning_rate: off", "cannot be switched off"),
    ("epochs: none", "cannot be switched off"),
    ("optimizer: off", "cannot be switched off"),
    ("model: {layers: [{dense: {units: 3, bias: none}}]}", "write false"),
    ("clipping: 1.0", "{global_norm: 1.0}"),
    ("hidden: [3]", "'model.hidden'"),
    ("activaton: relu", "'model.activation'"),
    ("validation_split: 0.1", "'data.validation_split'"),
    ("patience: 3", "'early_stopping.patience'"),
    ("warmup_steps: 3", "'schedule.warmup_steps'"),
    ("model: {epochs: 3}", "'epochs', at the top"),
])  # fmt: skip
def test_a_right_key_at_a_wrong_place(tmp_path, text, hint):
    assert hint in hints(tmp_path, text)


def known():
    """Every key, member and choice that a config or a sweep has."""
    families = (Optimizer, Schedule, Layer, Dataset, Clipping, Learner, Loss, Initializer, Pruner)
    specs = [
        Experiment,
        SweepFile,
        EarlyStopping,
        Model,
        *(m for f in families for m in f.members.values()),
    ]
    choices = {"batch", "minibatch", "stochastic", "log_uniform", "int_log", "tpe", "qmc", "cmaes"}
    return choices.union(*(f.members for f in families), *(s.model_fields for s in specs))


@pytest.mark.parametrize("word", SYNONYMS)
def test_every_synonym_leads_to_something_that_there_is(word):
    assert set(SYNONYMS[word]) & known(), SYNONYMS[word]


@pytest.mark.parametrize(
    "key",
    [
        "lr",
        "n_epochs",
        "num_epochs",
        "random_state",
        "criterion",
        "lr_scheduler",
        "batchSize",
        "maxEpochs",
        "hidden_layer_sizes",
        "val_split",
        "earlyStopping",
    ],
)
def test_keys_of_other_tools_at_the_top(tmp_path, key):
    assert "did you mean" in hints(tmp_path, f"{key}: 3")
