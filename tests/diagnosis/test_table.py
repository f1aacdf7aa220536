"""Every row of the table of rules: just beyond its threshold it holds, just before it does not."""

import re

import pytest

from backproplab.diagnosis import RULES, Case, diagnose, verdict
from backproplab.diagnosis.explained import EXPLAINED
from tests.diagnosis.conftest import START, layer

FLAT = [2.0] * 20
LINE = [2.0 - 0.02 * epoch for epoch in range(20)]
ZIGZAG = [1.0 + 0.14 * (epoch % 2) for epoch in range(20)]
PLATEAU = [1.9 * 0.9 ** min(epoch, 5) for epoch in range(20)]
BEST_AT_5 = [0.5 + 0.02 * abs(epoch - 5) for epoch in range(20)]
CONSTANT = {"majority": 0.0}
SIGMOID = [layer("dense_1", slope=0.05, activation="tanh"), layer("dense_2")]


def steps(ratio):
    return {"steps": [{"kernel": "dense_2/kernel", "size": 4096, "ratio": ratio}]}


def signals(first, last=1.0):
    return {"layers": [layer("dense_1", signal=first), layer("dense_2", signal=last)]}


def spreads(first, last):
    return {"layers": [layer("dense_1", spread=first), layer("dense_2", spread=last)]}


def warmup(count):
    return {"config": {"schedule": {"cosine": {"warmup_steps": count}}}}


def layers(*chain):
    return {"config": {"model": {"layers": [*chain, {"dense": 10}]}}}


DIED = {"exponential": {"decay_steps": 20, "rate": 0.5}}
LIVES = {"exponential": {"decay_steps": 500, "rate": 0.5}}
NORMED = {"model": {"layers": [{"dense": 8}, "batch_norm", "relu", {"dense": 10}]}}
DIVERGED = {"status": "diverged", "steps": 6,
            "message": "diverged at epoch 1, step 7: the output of dense_2 (3 of 9 values) "
                       "stopped being finite — try"}  # fmt: skip
# (rule, word): what makes it hold, and the nearest that does not
ROWS = {
    ("D2", "diverged"): (
        {"loss": [0.9, 0.5, 0.6, 0.8, 1.2, 2.1]}, {"loss": [0.9, 0.5, 0.6, 0.8, 1.2, 1.9]}
    ),
    ("D1", "guessing"): (
        {"loss": FLAT, "accuracy": 0.21}, {"loss": FLAT, "accuracy": 0.25}
    ),
    ("D15", "batch of one"): (
        {"config": NORMED | {"batch_size": 27}}, {"config": NORMED | {"batch_size": 30}}
    ),
    ("D17", "endless warm-up"): (warmup(1000), warmup(999)),
    ("D17", "long warm-up"): (warmup(300), warmup(299)),
    ("D16", "equal units"): (
        {"start": {"layers": [layer("dense_1", distinct=1)]}},
        {"start": {"layers": [layer("dense_1", distinct=60)]}},
    ),
    ("D16", "uneven start"): ({"start": spreads(1.0, 0.02)}, {"start": spreads(1.0, 0.04)}),
    ("D11", "unscaled"): ({"start": {"inputs": 10.1}}, {"start": {"inputs": 9.9}}),
    ("D13", "leakage"): (
        {"val": FLAT, "test_accuracy": 0.8}, {"val": FLAT, "test_accuracy": 0.86}
    ),
    ("D6", "exploding"): (
        {"loss": PLATEAU, "start": {"loss": 10.1}}, {"loss": PLATEAU, "start": {"loss": 9.9}}
    ),
    ("D6", "loud start"): ({"start": {"loss": 10.1}}, {"start": {"loss": 9.9}}),
    ("D5", "vanishing"): ({"start": signals(0.009)}, {"start": signals(0.011)}),
    ("D5", "faint signal"): ({"start": signals(0.09)}, {"start": signals(0.11)}),
    ("D8", "saturated"): (
        {"start": {"layers": SIGMOID}}, {"start": {"layers": [layer("dense_1", slope=0.11)]}}
    ),
    ("C1", "l2 too strong"): (
        {"loss": FLAT, "accuracy": 0.2, "config": {"optimizer": {"name": "sgd", "l2": 0.02}}},
        {"loss": FLAT, "accuracy": 0.2, "config": {"optimizer": {"name": "sgd", "l2": 0.01}}},
    ),
    ("C2", "dropout too strong"): (
        {"loss": PLATEAU} | layers({"dense": 9}, "relu", {"dropout": 0.6}),
        {"loss": PLATEAU} | layers({"dense": 9}, "relu", {"dropout": 0.5}),
    ),
    ("C3", "bent outputs"): (
        {"loss": PLATEAU, "config": {"model": {"layers": [{"dense": 10}, "sigmoid"]}}},
        {"loss": PLATEAU, "config": {"model": {"layers": [{"dense": 10}, "linear"]}}},
    ),
    ("D4b", "step too big"): (
        {"loss": FLAT, "accuracy": 0.2, "start": steps(0.091)},
        {"loss": FLAT, "accuracy": 0.2, "start": steps(0.089)},
    ),
    ("D4", "too slow"): ({"loss": LINE, "start": steps(9e-4)}, {"loss": LINE}),
    ("D4", "still learning"): ({"loss": LINE}, {}),
    ("D3", "unsteady"): ({"loss": [4.0, *ZIGZAG]}, {"loss": [1 + (x - 1) / 2 for x in ZIGZAG]}),
    ("D18", "stopped by schedule"): (
        {"loss": PLATEAU, "config": {"schedule": DIED}},
        {"loss": PLATEAU, "config": {"schedule": LIVES}},
    ),
    ("D10", "underfitting"): ({"loss": PLATEAU}, {"loss": [0.5 * x for x in PLATEAU]}),
    ("D19", "random labels"): (
        {"val": [2.0 + 0.1 * epoch for epoch in range(20)], "val_accuracy": 0.2},
        {"val": [2.0 + 0.1 * epoch for epoch in range(20)], "val_accuracy": 0.24},
    ),
    ("D19", "noisy labels?"): (
        {"val": [1.0 + 0.1 * abs(epoch - 3) for epoch in range(20)]},
        {"val": [1.0 + 0.1 * abs(epoch - 9) for epoch in range(20)]},
    ),
    ("D9", "overfitting"): ({"val": BEST_AT_5}, {"val": [0.5 + x / 5 for x in BEST_AT_5]}),
    ("D9", "gap"): (
        {"val": FLAT, "accuracy": 0.9, "val_accuracy": 0.82},
        {"val": FLAT, "accuracy": 0.9, "val_accuracy": 0.84},
    ),
    ("D14", "few validated"): (
        {"val": FLAT, "val_accuracy": 0.5,
         "start": {"examples": {"train": 1000, "validation": 600}}},
        {"val": FLAT, "val_accuracy": 0.5,
         "start": {"examples": {"train": 1000, "validation": 630}}},
    ),
    ("N2", "still improving"): (
        {"val": [1 - 0.01 * epoch for epoch in range(20)]},
        {"val": [1 - 0.004 * epoch for epoch in range(20)]},
    ),
    ("N1", "could be shorter"): (
        {"val": [0.5 ** min(epoch, 9) for epoch in range(20)]},
        {"val": [0.8 ** min(epoch, 18) for epoch in range(20)]},
    ),
}  # fmt: skip
DEEP = {("D12", "unbalanced"), ("D13", "twins"), ("D7", "dead units")}  # test_splits, test_runs


def words(diagnosis):
    return {(found.rule, found.word) for found in diagnosis.findings}


def test_every_row_of_the_table_has_a_trigger():
    assert {(rule.id, rule.word) for rule in RULES} == ROWS.keys() | DEEP
    assert {rule.id for rule in RULES} | {"D20"} == EXPLAINED.keys()  # D20: of several runs


@pytest.mark.parametrize("row", ROWS, ids=lambda row: "-".join(row).replace(" ", "_"))
def test_a_rule_holds_beyond_its_threshold_and_not_before(made, row):
    beyond, before = ROWS[row]
    assert row in words(verdict(made(**beyond)))
    assert row not in words(verdict(made(**before)))


def test_rows_that_share_a_word(made):
    """Those rows of the table that the words above do not tell apart."""
    assert ("D2", "diverged") in words(found := verdict(made(record=DIVERGED)))
    assert found.outcome.sentence == (
        "Diverged at update 7: the output of dense_2 stopped being finite."
    )
    assert ("D1", "guessing") in words(verdict(made(loss=[2.1] * 9, start=CONSTANT)))
    assert ("D6", "exploding") in words(verdict(made(start=signals(31.0))))
    assert ("D11", "unscaled") in words(verdict(made(start=CONSTANT | {"targets": 10.1})))
    few = {"train": 1000, "validation": 8}
    found = verdict(made(val=FLAT, val_accuracy=1.0, start={"examples": few}))
    assert "at least 68 % are" in " ".join(x.sentence for x in found.remarks)  # 8 / (8 + 3.84)


def test_a_smaller_climb_is_unsteady_beside_a_big_step(made):
    """U is .025 of chance: between the limit beside steps above .05 and that without."""
    course = [4.0, *[1 + 0.7 * (x - 1) for x in ZIGZAG]]
    assert ("D3", "unsteady") in words(verdict(made(loss=course, start=steps(0.051))))
    assert ("D3", "unsteady") not in words(verdict(made(loss=course, start=steps(0.049))))


def test_a_batch_norm_does_not_know_the_data_before_training(made):
    """In evaluation mode it scales by 0 and 1 then: the signal seems to vanish that it keeps."""
    normed = {"config": NORMED, "start": signals(1e-4) | {"loss": 99.0}, "loss": PLATEAU}
    found = verdict(made(**normed))
    assert not {"D5", "D6"} & {x.rule for x in found.findings}
    assert "batch norm" in found.unknown["D5"]
    plain = verdict(made(**normed | {"config": {}}))
    assert {"D5", "D6"} <= {x.rule for x in plain.findings}


def test_an_activation_before_a_loss_without_one_is_none_that_bends(made):
    """The playground's: mse behind a sigmoid."""
    model = {"model": {"layers": [{"dense": 10}, "sigmoid"]}}
    found = verdict(made(loss=PLATEAU, config=model | {"loss": "mse"}))
    assert "C3" not in {x.rule for x in found.findings}
    assert "C3" in {x.rule for x in verdict(made(loss=PLATEAU, config=model)).findings}


def test_a_run_of_a_sweep_that_grew_is_diverged(made):
    """Of its start only the data's facts are kept: the first loss is that of epoch 1."""
    start = {key: START[key] for key in ("chance", "majority", "examples", "inputs", "targets")}
    found = verdict(made(loss=[1.0, 3.0, 9.0, 99.0], record={"start": start}))
    assert found.outcome.rule == "D2"


def test_a_healthy_run_is_silent(made):
    found = verdict(made(val=[1.1 * x for x in [2.0 * 0.7**epoch for epoch in range(20)]]))
    assert found.word == "learned"
    assert not found.cause
    assert not found.alarms
    # √(.9 · .1 / 1000) = .0095
    assert found.outcome.sentence == (
        "Learned: 90.0 % ± 0.9 on 1,000 validation examples, chance is 20.0 %."
    )


def test_a_share_of_0_or_1_has_no_standard_error(made):
    """There √(p (1 - p) / m) is 0; of 1000 right, Wilson's bound is 1000 / 1003.84 = .9962."""
    all_right, none = (
        verdict(made(loss=[2.0, 1.0], val=[2.0, 1.0], val_accuracy=share)).outcome.sentence
        for share in (1.0, 0.0)
    )
    assert all_right == (
        "Learned: 100.0 % on 1,000 validation examples, so at least 99.6 % of many more, "
        "chance is 20.0 %."
    )
    assert (
        none == "No better than chance yet: 0.0 % on 1,000 validation examples, chance is 20.0 %."
    )


def test_outcome_and_cause_are_two_sentences(made):
    """Chance is an outcome; its cause is the first rule in the table's order, the others remarks."""
    run = made(loss=FLAT, accuracy=0.2, start={"inputs": 200.0} | signals(0.001))
    found = verdict(run)
    assert (found.outcome.rule, found.cause.rule) == ("D1", "D11")
    assert "D5" in {x.rule for x in found.remarks}
    assert found.word == "unscaled"
    assert found.command.endswith(f"{run}/config.yaml data.standardize=true")


def test_what_is_silenced_by_what(made):
    """Section 5 of the rules: a symptom is not said beside what explains it."""
    unsteady = {"loss": [4.0, *ZIGZAG], "val": [0.5, *BEST_AT_5]}
    assert "D9" not in {x.rule for x in verdict(made(**unsteady)).findings}
    slow = {"loss": LINE, "start": steps(1e-5)} | warmup(1000)
    assert "D4" not in {x.rule for x in verdict(made(**slow)).findings}
    assert "D4b" not in {x.rule for x in verdict(made(start=steps(0.2))).findings}


NUMBER = re.compile(r"(?<![\w_])\d[\d,]*(?:\.\d+)?(?:e[+-]\d+)?")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: "-".join(row).replace(" ", "_"))
def test_every_number_of_a_sentence_is_in_its_evidence(made, row):
    """Rounded as it is printed, alone or as percent; at most three of them."""
    for found in verdict(made(**ROWS[row][0])).findings:
        numbers = [float(x) for x in found.evidence.values() if isinstance(x, int | float)]
        said = re.sub(r"1/(?=\d)|0\.3 to 5 %|class \d+|where 1 is", "", found.sentence)
        said = re.sub(r"(?:dense|relu)_\d+", "", said)
        printed = NUMBER.findall(said)
        assert len(printed) <= 4 if not found.rule else len(printed) <= 3
        for text in printed:
            value, decimals = float(text.replace(",", "")), len(text.partition(".")[2])
            near = [n for x in numbers for n in (x, 100 * x)]
            assert any(abs(value - n) <= 0.501 * 10**-decimals for n in near), (text, found)


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({"status": "interrupted", "stop_reason": "signal"}, "Interrupted after 20 epochs"),
        ({"status": "failed", "message": "the disk is full"}, "Failed: the disk is full"),
        ({"start": {}}, "Trained: 90.0 % on the training examples."),
        ({"start": {"loss": 1}}, "Trained: 90.0 % on the training examples."),
        ({"start": "damaged"}, "Trained: 90.0 % on the training examples."),
    ],
)
def test_what_cannot_be_judged_is_named(made, record, said):
    found = verdict(made(record=record))
    assert found.outcome.sentence.startswith(said)
    assert found.unknown["D9"]
    assert not found.cause


def test_damaged_files_give_no_verdict(made):
    run = made()
    (run / "metrics.csv").write_text("nothing\0")
    assert verdict(run) is None


def test_the_diagnosis_of_a_case_is_the_same_twice(made):
    run = made(loss=LINE)
    assert diagnose(Case(run, False)).tree() == diagnose(Case(run, False)).tree()


@pytest.mark.parametrize(("accuracy", "word"), [
    (0.9, "learned"), (0.3, "learned"), (0.21, "at chance"), (0.2, "at chance"), (0.02, "at chance"), (0.0, "at chance"),
])  # fmt: skip
def test_what_is_no_better_than_chance_is_not_called_learned(made, accuracy, word):
    """Also of a run that is too short to be judged: 2 epochs."""
    for loss in ([2.0, 1.0], [2.0, 1.0, 0.5, 0.2, 0.1, 0.05]):
        found = verdict(made(loss=loss, accuracy=accuracy))
        assert found.outcome.word == word
        assert found.outcome.sentence.startswith("Learned" if word == "learned" else "No better")


def test_underfitting_is_judged_only_with_the_causes_that_exclude_it(made):
    """A run of a sweep keeps the facts of its data alone."""
    loss = [1.9, *[1.5] * 9]
    assert "D10" in {found.rule for found in verdict(made(loss=loss, accuracy=0.5)).findings}
    start = {key: START[key] for key in ("chance", "majority", "examples", "inputs", "targets")}
    found = verdict(made(loss=loss, accuracy=0.5, record={"start": start}))
    assert "D10" in found.unknown
    assert found.cause is None
