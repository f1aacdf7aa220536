"""Arrays and data frames that a program gives: what is recorded, what must be given again."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas
import pytest

import backproplab as bpl
from backproplab.config import load
from backproplab.data import given as room
from backproplab.data.given import given, keep, known, on_given
from backproplab.errors import DataError

CHANCE = np.random.default_rng(0)
X = CHANCE.normal(size=(80, 3))
Y = np.where(X[:, 0] + X[:, 1] > 0, "yes", "no")
FRAME = pandas.DataFrame(X, columns=["a", "b", "c"]).assign(out=Y)
SHORT = "epochs: 3\nmodel: {hidden: [4]}\nthreads: 1\ntensorboard: off\n"
FORMS = {"arrays": (X, Y), "frame": FRAME, "pair": (FRAME[["a", "b", "c"]], FRAME["out"])}


@pytest.fixture
def forgotten(monkeypatch):
    """As in another process, which was given nothing."""
    monkeypatch.setattr(room, "_known", {})


def config(folder, text="data: arrays\n"):
    (folder / "c.yaml").write_text(text + SHORT)
    return load(folder / "c.yaml")


def hashes(run):
    """Of data, first weights, batches and last weights."""
    return json.loads((run / "run.json").read_text())["hashes"]


@pytest.mark.parametrize("form", FORMS)
def test_a_run_on_what_was_given(form, tmp_path):
    result = bpl.run(config(tmp_path), tmp_path / "run", data=FORMS[form])
    recorded = load(tmp_path / "run" / "config.yaml").data
    assert recorded.name == ("arrays" if form == "arrays" else "frame")
    assert recorded.sha256 == given(FORMS[form]).sha256
    model = bpl.model(tmp_path / "run")
    assert model.classes == ("no", "yes")
    examples = FRAME if form != "arrays" else X
    assert set(model.predict(examples)) <= {"no", "yes"}
    assert model.evaluate()["train"][1]["loss"] == result.metrics["loss"]


@pytest.mark.parametrize("form", FORMS)
def test_a_run_is_evaluated_on_what_is_given(form, tmp_path):
    """(X, y) and a frame give what the same rows give as a file."""
    bpl.run(config(tmp_path), tmp_path / "run", data=FORMS[form])
    model = bpl.model(tmp_path / "run")
    FRAME[:30].to_csv(tmp_path / "new.csv", index=False)
    expected = model.evaluate(tmp_path / "new.csv")
    x = X if form == "arrays" else FRAME[["a", "b", "c"]]
    pairs = [(x[:30], Y[:30]), (x[:30], list(Y[:30])), (x[:30], pandas.Series(Y)[:30])]
    for data in [*pairs, FRAME[:30]]:
        assert model.evaluate(data) == expected
    with pytest.raises(DataError, match="maybe"):
        model.evaluate((x[:1], ["maybe"]))
    with pytest.raises(DataError, match=r"a tuple of 3 is no \(X, y\)"):
        model.evaluate((x, Y, Y))


@pytest.mark.parametrize(("name", "first"), [("iris", "setosa"), ("digits", "0"), ("diabetes", "")])
def test_a_run_on_a_data_set_is_evaluated_on_arrays(name, first, tmp_path):
    """Classes by name or by number, and numbers, as scikit-learn gives them."""
    bpl.run(config(tmp_path, f"data: {name}\n"), tmp_path / "run")
    model = bpl.model(tmp_path / "run")
    raw = model.experiment.data.read(np.random.default_rng(0)).examples
    predicted = model.predict(raw.inputs)
    row = model.evaluate((raw.inputs, raw.targets))["data"][1]
    if not first:
        np.testing.assert_allclose(row["mae"], np.mean(np.abs(predicted - raw.targets[:, 0])))
        return
    named = np.array(model.classes)[raw.targets]
    assert named[raw.targets == 0][0] == first
    assert model.evaluate((raw.inputs, named))["data"][1] == row
    assert row["accuracy"] == np.mean(predicted.astype(str) == named)
    with pytest.raises(DataError, match="the class 77 is not in the training data"):
        model.evaluate((raw.inputs[:1], [77]))
    with pytest.raises(DataError, match="2 inputs and 1 targets"):
        model.evaluate((raw.inputs[:2], [1]))


@pytest.mark.slow
def test_all_forms_and_a_file_train_alike(tmp_path):
    FRAME.to_csv(tmp_path / "t.csv", index=False)
    found = [
        bpl.run(config(tmp_path), tmp_path / name, data=data).metrics
        for name, data in FORMS.items()
    ]
    found.append(bpl.run(config(tmp_path, "data: t.csv\n"), tmp_path / "file").metrics)
    assert all(metrics == found[0] for metrics in found)


def test_keys_that_both_have_stay(tmp_path):
    (tmp_path / "t.csv").write_text("a,out\n1,2\n")
    columns = "{path: t.csv, target: b, columns: {out: categorical}, validation_split: 0.3}"
    asked = config(tmp_path, f"data: {columns}\n").data
    own = on_given(asked, FRAME)
    assert (own.target, own.columns, own.validation_split) == ("b", {"out": "categorical"}, 0.3)
    assert on_given(config(tmp_path, "data: {iris: {test_split: 0.2}}\n").data, (X, Y)).test_split == 0.2  # fmt: skip


def test_what_was_given_is_a_copy_and_its_hash_tells_it_from_others():
    x, y = X.copy(), Y.copy()
    first = given((x, y))
    x[0, 0] += 1
    assert first.sha256 == given((X, Y)).sha256
    others = [(x, Y), (X, Y[::-1]), (X.astype(np.float32), Y), (X.reshape(80, 3, 1), Y), FRAME,
              FRAME.rename(columns={"a": "z"}), FRAME.assign(out=Y[::-1])]  # fmt: skip
    assert len({given(other).sha256 for other in others} | {first.sha256}) == len(others) + 1
    with pytest.raises(ValueError, match="read-only"):
        first.parts["X"][0, 0] = 5


def test_resume_asks_for_them_and_takes_no_others(tmp_path, forgotten):
    bpl.run(config(tmp_path), tmp_path / "whole", data=(X, Y))
    bpl.run(load(tmp_path / "c.yaml", "epochs=2"), tmp_path / "run", data=(X, Y))
    room._known.clear()
    with pytest.raises(DataError, match=r"were given by a program.*bpl.resume\(folder, data=…\)"):
        bpl.resume(tmp_path / "run", epochs=3)
    with pytest.raises(DataError, match="SHA-256 of those given here"):
        bpl.resume(tmp_path / "run", epochs=3, data=(X[:70], Y[:70]))
    bpl.resume(tmp_path / "run", epochs=3, data=(X, Y))
    assert hashes(tmp_path / "run") == hashes(tmp_path / "whole")


def test_the_config_of_a_run_repeats_it_with_the_same_data_alone(tmp_path):
    bpl.run(config(tmp_path), tmp_path / "run", data=(X, Y))
    recorded = load(tmp_path / "run" / "config.yaml")
    bpl.run(recorded, tmp_path / "again", data=(X, Y))
    assert hashes(tmp_path / "again") == hashes(tmp_path / "run")
    with pytest.raises(DataError, match="those of the config"):
        bpl.run(recorded, tmp_path / "other", data=(X + 1, Y))


@pytest.mark.slow
def test_the_command_says_how_to_give_them(tmp_path):
    (tmp_path / "c.yaml").write_text(f"data: arrays\n{SHORT}")
    ended = subprocess.run(
        [sys.executable, "-m", "backproplab", "train", "c.yaml"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 4
    assert "bpl.run(experiment, folder, data=…)" in ended.stderr
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_a_sweep_sends_them_to_its_workers(tmp_path, forgotten):
    (tmp_path / "s.yaml").write_text(
        "base:\n  data: frame\n  epochs: 2\n  tensorboard: off\ngrid: {learning_rate: [0.1, 0.01]}\n"
    )
    sweep = bpl.sweep.read(tmp_path / "s.yaml", data=FRAME)
    session = bpl.sweep.run(sweep, tmp_path / "runs", "local:2")
    ranked = bpl.sweep.conclude(session)
    assert [record.info.status for record in ranked.records] == ["completed"] * 2
    room._known.clear()
    with pytest.raises(DataError, match="were given by a program"):
        bpl.sweep.read(session)
    again = bpl.sweep.read(session, data=FRAME)
    bpl.sweep.run(again, tmp_path / "runs", resume=True)


def test_the_last_few_are_kept(forgotten):
    first = given((X, Y))
    keep([first])
    keep(given((X + n, Y)) for n in range(1, room.KEPT))
    assert known(first.sha256) is first
    keep([given((X + room.KEPT, Y))])
    with pytest.raises(DataError, match="were given by a program"):
        known(first.sha256)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (X, "a ndarray is no"),
        ((X, Y, Y), "a tuple is no"),
        ((X, Y[:5]), "80 inputs in 'X', 5 targets in 'y'"),
        ((X[:, 0], Y), "is no inputs"),
        ((np.full((80, 2), np.nan), Y), "NaN or infinite"),
        ((X, [object()] * 80), "neither numbers nor texts"),
        ((FRAME, FRAME["out"]), "X has a column 'out', as y is called"),
        (FRAME[:0], "needs rows"),
        (pandas.concat([FRAME, FRAME], axis=1), "a name for each column"),
    ],
)
def test_what_is_no_data_is_refused(data, message, tmp_path):
    with pytest.raises(DataError, match=message):
        bpl.run(config(tmp_path), tmp_path / "run", data=data)
    assert not (tmp_path / "run").exists()


def test_a_table_knows_the_rows_that_it_took():
    table = given(FRAME).table.take(np.array([3, 1]))
    np.testing.assert_array_equal(table.column("a").values, X[[3, 1], 0])
    numbered = replace(given(FRAME).table, line=lambda row: 10 + row).take(np.array([3, 1]))
    assert [numbered.line(row) for row in range(2)] == [13, 11]
