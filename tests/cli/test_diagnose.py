"""backproplab diagnose, and what train, show, compare and sweep say of it."""

import csv
import html
import json
import re
from pathlib import Path

import pytest

from backproplab.diagnosis import verdict
from backproplab.diagnosis.explained import EXPLAINED, rows
from backproplab.diagnosis.pictures import pictures

GUESSES = "{data: iris, model: {hidden: [8], initializer: zeros}, epochs: 6, name: guesses}\n"
LEARNS = "{data: iris, model: {hidden: [8]}, epochs: 20, learning_rate: 0.02, name: learns}\n"


@pytest.fixture
def guesses(backproplab):
    """A run that learns nothing, in runs/."""
    Path("guesses.yaml").write_text(GUESSES)
    return backproplab("train guesses.yaml --progress none")


def contents(folder):
    return {path: path.stat().st_mtime_ns for path in [folder, *folder.rglob("*")]}


def test_train_says_how_it_went_why_and_what_to_try(guesses):
    assert guesses.code == 0
    lines = [line.split(maxsplit=1) for line in guesses.out.splitlines() if " " in line]
    told = {words[0]: words[1] for words in lines}
    assert told["so"].startswith("Guessing: the loss is 1.099 where always giving")  # ln 3
    assert told["why"].startswith("Of 8 units of dense_1 only 1 began unlike the others")
    assert told["try"].endswith("guesses/config.yaml model.initializer=he_normal")


def test_a_run_killed_after_its_last_record_gets_its_verdict_when_it_is_resumed(
    backproplab, guesses
):
    (file,) = Path("runs").glob("*/guesses/run.json")
    whole = json.loads(file.read_text())
    half = file.with_name(".run.json.0123abcd.tmp")
    for record, left in ((whole, half), ({k: v for k, v in whole.items() if k != "verdict"}, file)):
        left.write_text(json.dumps(record))
    ended = backproplab("resume latest")
    assert (ended.code, "is finished, after 6 epochs" in ended.err) == (0, True)
    assert json.loads(file.read_text()) == whole
    assert not half.exists()
    before = contents(Path("runs"))
    assert backproplab("resume latest").code == 0
    assert contents(Path("runs")) == before


def test_diagnose_writes_nothing_and_prints_the_same_twice(backproplab, guesses):
    before = contents(Path("runs"))
    first, second = backproplab("diagnose"), backproplab("diagnose latest")
    assert contents(Path("runs")) == before
    assert first.out == second.out
    assert first.code == 0
    assert "not judged" in first.out


def test_strict_ends_with_1_on_an_alarm(backproplab, guesses):
    assert backproplab("diagnose --strict").code == 1
    Path("learns.yaml").write_text(LEARNS)
    backproplab("train learns.yaml --progress none")
    found = backproplab("diagnose --strict")
    assert found.code == 0, found.out


def test_json_holds_every_finding(backproplab, guesses):
    tree = json.loads(backproplab("diagnose --json").out)
    assert tree["word"] == "equal units"
    outcome, cause = tree["findings"][:2]
    assert (outcome["rule"], outcome["level"]) == ("D1", "alarm")
    assert (cause["rule"], cause["threshold"]) == ("D16", {"share": 0.9})
    assert cause["evidence"] == {"units": 8, "layer": "dense_1", "distinct": 1}
    assert cause["command"].split()[-1] == "model.initializer=he_normal"
    keys = {"rule", "level", "word", "sentence", "command", "evidence", "threshold"}
    assert all(found.keys() == keys for found in tree["findings"])


@pytest.mark.parametrize("rule", sorted(EXPLAINED))
def test_why_explains_every_rule(backproplab, rule):
    found = backproplab(f"diagnose --why {rule.lower()}")
    assert found.code == 0
    page = (Path(__file__).parents[2] / "docs/diagnosis.md").read_text()
    assert f"### {rule}\n" in page
    for text in [EXPLAINED[rule], *(part for row in rows(rule) for part in row)]:
        assert text in found.out
        assert " ".join(text.split()) in " ".join(page.split()), f"docs/diagnosis.md lacks: {text}"
    picture = pictures()[rule]
    assert picture.shows in found.out
    drawn = re.findall(r"^(faulty|mended) +([▁▂▃▄▅▆▇█✗]+)\n +(.*): from", found.out, re.MULTILINE)
    assert [(label, of) for label, _, of in drawn] == [
        ("faulty", picture.faulty.of), ("mended", picture.mended.of)
    ]  # fmt: skip


def test_a_rule_that_is_none_is_refused_with_the_nearest(backproplab):
    found = backproplab("diagnose --why D99")
    assert found.code == 2
    assert "D9" in found.err


def test_show_says_it_too(backproplab, guesses):
    out = backproplab("show latest").out
    assert "\nso      Guessing" in out
    assert "\nwhy     Of 8 units" in out


def test_runs_says_it_in_a_word(backproplab, guesses):
    assert "equal units" in backproplab("runs").out


def test_a_sweep_is_diagnosed_over_its_seeds(backproplab):
    """``guessing in 3 of 3``, in results.csv and compare, by what the files hold; why, on demand."""
    Path("c.yaml").write_text(LEARNS)
    words = "model.initializer=zeros,he_normal --seeds 3 -j 1 --progress none"
    ended = backproplab(f"sweep c.yaml {words}")
    assert ended.code == 0
    assert "Others have what #1 has not: guessing (1 of 1)." in ended.out
    (results,) = Path("runs").glob("*/results.csv")
    rows = list(csv.DictReader(results.read_text().splitlines()))
    assert [row["diagnosis"] for row in rows] == ["learned in 3 of 3", "guessing in 3 of 3"]
    assert "guessing in 3 of 3" in backproplab("compare").out
    out = backproplab("diagnose").out
    assert (
        "Others have what #1 has not: equal units (initializer zeros)." in out
    )  # looked at closely
    assert "equal units in 3 of 3" in out
    assert "equal units, as" in out
    assert "Of 8 units of dense_1 only 1 began unlike the others" in " ".join(out.split())
    found = json.loads(backproplab("diagnose --json").out)
    assert sorted(tree["word"] for tree in found) == ["equal units"] * 3 + ["learned"] * 3
    assert backproplab("diagnose --strict").code == 1


def test_a_repetition_with_another_result_is_named(backproplab):
    """By the hashes of run.json, the first that differs; the same result is silent."""
    Path("c.yaml").write_text(LEARNS)
    for _ in range(2):
        backproplab("train c.yaml --progress none")
    assert "repeats" not in backproplab("diagnose 1 2").out
    record, config = (next(Path("runs").glob(f"*/learns/{n}")) for n in ("run.json", "config.yaml"))
    changed = json.loads(record.read_text())
    changed["hashes"]["weights"] = "other"
    record.write_text(json.dumps(changed))
    said = "same data, same first weights, same batches, other result"
    out = backproplab("diagnose 1 2").out
    assert f"learns repeats learns: {said}: nothing known differs." in out
    config.write_text(config.read_text().replace("threads: 1", "threads: 2"))
    out = backproplab("diagnose 1 2").out
    assert f"{said}: threads was" in out
    assert "config.yaml threads=1" in out


def texts(run):
    """The texts of TensorBoard's Text tab by tag."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run / "train")).Reload()
    found = {tag: events.Tensors(tag) for tag in events.Tags()["tensors"] if tag.startswith("run/")}
    return {
        tag.removesuffix("/text_summary"): [x.tensor_proto.string_val[0].decode() for x in each]
        for tag, each in found.items()
    }


def test_the_text_tab_says_it_once_at_the_end(backproplab, guesses):
    """A run that is resumed says what it ended with, not what it said before."""
    (run,) = (path.parent for path in Path("runs").rglob("metrics.csv"))
    (said,) = texts(run)["run/diagnosis"]
    found = verdict(run)
    assert f"| so | {found.outcome.sentence} (D1) |" in said
    assert f"| why | {found.cause.sentence} (D16) |" in said
    assert f"| try | `{found.command}` |" in said
    assert backproplab("resume latest --epochs 7 --progress none").code == 0
    (later,) = texts(run)["run/diagnosis"]
    assert verdict(run).outcome.sentence in later


def test_a_sweep_s_cause_is_counted_over_seeds_on_a_closer_look(backproplab):
    """metrics.csv shows that they guess; the first weights, drawn again, show why."""
    config = {"data": "iris", "model": {"hidden": [8] * 7}, "epochs": 5, "learning_rate": 0.02}
    Path("c.yaml").write_text(json.dumps(config))
    words = "model.activation=sigmoid,relu --seeds 3 -j 1 --progress none"
    assert backproplab(f"sweep c.yaml {words}").code == 0
    assert "guessing in 3 of 3" in backproplab("compare").out
    out = backproplab("diagnose").out
    assert "vanishing in 3 of 3" in out
    assert "Others have what #1 has not: vanishing (activation sigmoid)." in out


def test_the_report_of_a_run_says_all_of_it(backproplab, guesses):
    """Each finding with its rule, and what to try, by the run's path as the page writes it."""
    assert backproplab("report --out page.html").code == 0
    page = html.unescape(Path("page.html").read_text(encoding="utf-8"))
    (run,) = (path.parent for path in Path("runs").rglob("metrics.csv"))
    found = verdict(run)
    for x in found.findings:
        assert f"{x.sentence} ({x.rule})" in page
    assert f"backproplab train {run}/config.yaml model.initializer=he_normal" in page
