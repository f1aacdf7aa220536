"""The rules, in one table: what each measures, from which value on it holds, what it says and what
to try. docs/diagnosis.md explains them; the thresholds were measured (see there).

The order is that of causes: the first that holds is the cause, the others are remarks. Rows of one
rule stand from the gravest to the mildest, and the first of them that holds is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from backproplab.diagnosis import cause, course, fixes
from backproplab.diagnosis.case import Case, Facts
from backproplab.diagnosis.fixes import Fix


class Level(StrEnum):
    """ALARM: nothing was learned, or the number is wrong. WARNING: worse than it need be."""

    ALARM = "alarm"
    WARNING = "warning"
    NOTE = "note"
    GOOD = "good"


@dataclass(frozen=True)
class Rule:
    """One row.

    word: for a column.  statistic: the formula, for people; ``limits`` are its thresholds.
    says: the sentence, with the facts that ``judge`` gave (``words.py``: p is percent, n a number).
    fix: the keys to try.  unless: rules beside which it is left out.  only_with: rules of which one
    must hold, for what is no fault by itself.  outcome: it says how the run went, not why.
    """

    id: str
    word: str
    level: Level
    statistic: str
    judge: Callable[[Case, Mapping[str, float]], Facts | None]
    limits: Mapping[str, float]
    says: str
    fix: Fix = fixes.nothing
    unless: frozenset[str] = field(default=frozenset())
    only_with: frozenset[str] = field(default=frozenset())
    outcome: bool = False


def _ids(text: str) -> frozenset[str]:
    return frozenset(text.split())


A, W, N = Level.ALARM, Level.WARNING, Level.NOTE
BAD = _ids("D1 D2 D3 D7 D9")  # what big steps can cause
FLAT = _ids("D1 D10")
STRANGE = _ids("D4 D4b D5 D6 D7 D8 D16 D17 D18 C1 C2 C3 D11")

RULES = (
    Rule("D2", "diverged", A, "a loss or a gradient that is not finite", course.diverged, {},
         "Diverged at update {update:n}: {what} stopped being finite.",
         fixes.smaller_rate, outcome=True),
    Rule("D2", "diverged", A, "L_E / min L, L_E / b, share of changes of direction", course.grown,
         {"times": 3, "turns": 0.3},
         "Diverged without an error: the loss was {lowest:l} at its best and {loss:l} at the end, "
         "{level:n} times that of guessing.", fixes.smaller_rate, outcome=True),
    Rule("D1", "guessing", A, "L_E / b; accuracy against maj + 3 √(maj (1 - maj) / n) + 1/n",
         course.guessing_classes, {"level": 0.98},
         "Guessing: the loss is {loss:l} where always giving the class shares costs {chance:l}, "
         "and {accuracy:p} are right.", outcome=True),
    Rule("D1", "guessing", A, "L_E / b", course.guessing_values, {"level": 0.98},
         "Guessing: the loss is {loss:l} where always giving one constant costs {chance:l}.",
         outcome=True, unless=_ids("D2")),
    Rule("D15", "batch of one", N, "n mod batch_size = 1 before a batch norm", cause.single_example,
         {}, "The last batch of each epoch holds one of the {examples:n} examples: batch norm "
         "gives the same output for any.", fixes.other_batch),
    Rule("D17", "endless warm-up", A, "warm-up / planned updates", cause.endless_warmup,
         {"share": 1}, "The warm-up needs {warmup:n} updates, the run makes {planned:n}: the "
         "learning rate never arrives.", fixes.shorter_warmup),
    Rule("D17", "long warm-up", N, "warm-up / planned updates", cause.endless_warmup,
         {"share": 0.3}, "The warm-up takes {warmup:n} of {planned:n} updates.",
         fixes.shorter_warmup),
    Rule("D16", "equal units", A, "distinct columns of a kernel before training", cause.equal_units,
         {"share": 0.9}, "Of {units:n} units of {layer} only {distinct:n} began unlike the others: "
         "equal units get equal gradients and stay equal.", fixes.weights),
    Rule("D16", "uneven start", N, "std of the last / first hidden layer's outputs before training",
         cause.spread, {"least": 0.03, "most": 30}, "Uneven: before training the outputs of {last} "
         "spread {ratio:n} times as far as those of {first}.", fixes.first_weights),
    Rule("D11", "unscaled", W, "rms of the inputs", cause.large_inputs, {"rms": 10},
         "Unscaled: the inputs have a root mean square of {size:n}, where 1 is usual.",
         fixes.scaled_inputs),
    Rule("D11", "unscaled", W, "rms of regression targets", cause.large_targets, {"rms": 10},
         "Unscaled: the targets have a root mean square of {size:n}, where 1 is usual.",
         fixes.scaled_targets),
    Rule("D13", "twins", A, "share of held-out rows that are training rows", cause.twins,
         {"count": 3, "share": 0.05}, "{share:p} of the {split} rows ({count:n}) are also training "
         "rows: what is measured there is partly memory."),
    Rule("D13", "leakage", W, "largest |correlation| of a feature with a class", cause.leakage,
         {"correlation": 0.98}, "One feature alone gives a class away: their correlation is "
         "{correlation:n}. Is the label among the inputs?"),
    Rule("D13", "leakage", W, "|test - validation accuracy| in standard errors", cause.other_test,
         {"errors": 3, "gap": 0.05}, "Test and validation disagree: {test:p1} and {validation:p1} "
         "cannot be of the same kind of examples."),
    Rule("D13", "twins", N, "share of held-out rows that are training rows", cause.twins,
         {"count": 1, "share": 0}, "{count:n} of the {split} rows {count:is} also in training."),
    Rule("D12", "unbalanced", A, "largest / smallest class; exp(H) / K; recall of each class",
         cause.unfound, {"ratio": 10, "even": 0.5, "recall": 0.3},
         "{accuracy:p1} are right, but always naming the largest class gives {majority:p1}: of "
         "class {class} only {recall:p} are found."),
    Rule("D12", "unbalanced", N, "largest / smallest class; exp(H) / K", cause.unbalanced,
         {"ratio": 10, "even": 0.5}, "Unbalanced: the largest class has {most:n} training "
         "examples, the smallest {least:n}."),
    Rule("D6", "exploding", W, "r = rms ∂L/∂z of the first / last hidden layer", cause.exploding,
         {"ratio": 30}, "Exploding: before training the signal grows {times:n}-fold from {last} "
         "down to {first}.", fixes.weights),
    Rule("D6", "exploding", W, "first loss / b", cause.first_loss,
         {"times": 5, "level": 0.1}, "Exploding: the first loss is {loss:l}, {times:n} times that "
         "of guessing.", fixes.weights, unless=_ids("D11")),
    Rule("D6", "loud start", N, "first loss / b", cause.first_loss, {"times": 5, "level": 0},
         "Loud: the first loss was {loss:l}, {times:n} times that of guessing; it recovered.",
         fixes.weights, unless=_ids("D11")),
    Rule("D5", "vanishing", W, "r = rms ∂L/∂z of the first / last hidden layer", cause.vanishing,
         {"ratio": 0.01}, "Vanishing: before training the signal at {first} is 1/{times:n} of that "
         "at {last}.", fixes.first_weights),
    Rule("D5", "faint signal", N, "r = rms ∂L/∂z of the first / last hidden layer", cause.vanishing,
         {"ratio": 0.1}, "Faint: before training the signal at {first} is 1/{times:n} of that at "
         "{last}.", fixes.first_weights),
    Rule("D8", "saturated", W, "mean f'(z) / max f' before training", cause.flat_start,
         {"slope": 0.1}, "Saturated: {activation} of {layer} works at {slope:p} of its slope "
         "before training begins.", fixes.weights, unless=_ids("D11")),
    Rule("C1", "l2 too strong", W, "optimizer.l2", cause.strong_l2, {"l2": 0.01},
         "The penalty l2 = {l2:n} pulls the weights to 0 faster than the loss can move them.",
         fixes.less_l2, only_with=_ids("D1 D4 D10")),
    Rule("C2", "dropout too strong", W, "the largest dropout rate", cause.strong_dropout,
         {"rate": 0.5}, "Dropout takes {rate:p} of the values from each update: too little is left "
         "to learn from.", fixes.less_dropout, only_with=FLAT),
    Rule("C3", "bent outputs", W, "the activation of the last layer", cause.bent_outputs, {},
         "The outputs pass through {activation} before a loss that has its own: they cannot get "
         "sure.", fixes.straight_outputs, only_with=FLAT),
    Rule("D4b", "step too big", W, "median ‖Δw‖ / ‖w‖ of the largest kernel, first updates",
         cause.big_step, {"step": 0.09, "entries": 8},
         "The step is too big: each of the first {updates:n} updates changed the weights by "
         "{step:p}; 0.3 to 5 % is usual.", fixes.smaller_rate, only_with=BAD),
    Rule("D4", "too slow", W, "share of L_0 - min L that the last fifth brought; step",
         course.too_slow, {"share": 0.1, "level": 0.3, "step": 1e-3},
         "Too slow: the last fifth of the epochs brought {share:p} of all progress, the loss is at "
         "{level:p} of chance, and an update moves the weights by 1/{inverse:n}.",
         fixes.larger_rate, unless=_ids("D17")),
    Rule("D4", "still learning", N, "share of L_0 - min L that the last fifth brought; step",
         course.unfinished, {"share": 0.1, "level": 0.3, "step": 1e-3},
         "Still learning: the last fifth of the {epochs:n} epochs brought {share:p} of all "
         "progress.", fixes.more_epochs, unless=_ids("D17")),
    Rule("D7", "dead units", A, "share of a layer's ReLU units that are 0 for every example",
         cause.dead, {"share": 0.5, "level": 0.5}, "Dead: {dead:n} of {units:n} units of {layer} "
         "give 0 for every example, and no longer learn.", fixes.smaller_rate, unless=_ids("D11")),
    Rule("D7", "dead units", N, "share of a layer's ReLU units that are 0 for every example",
         cause.dead, {"share": 0.5, "level": 0}, "{dead:n} of {units:n} units of {layer} give 0 "
         "for every example, and no longer learn.", unless=_ids("D11")),
    Rule("D8", "saturated", W, "share of units within .01 of a limit on > 90 % of the examples",
         cause.stuck, {"share": 0.5, "level": 0.05, "units": 8}, "Saturated: {stuck:n} of "
         "{units:n} units of {layer} stand at a limit of {activation}.", fixes.smaller_rate,
         unless=_ids("D11")),
    Rule("D3", "unsteady", W, "U = mean of max(L_e - L_(e-1), 0) / b; share of turns",
         course.unsteady, {"climb": 0.03, "near": 0.02, "step": 0.05, "turns": 0.3},
         "Unsteady: the loss rises in {rises:n} of {changes:n} epochs, by {climb:p} of chance on "
         "average.", fixes.smaller_rate, unless=_ids("D2")),
    Rule("D18", "stopped by schedule", W, "rate before the last fifth / largest rate; plateau",
         course.scheduled, {"rate": 0.01, "level": 0.3}, "Stopped by its schedule: the rate was "
         "under a hundredth of its largest after {epoch:n} of {epochs:n} epochs, and the loss has "
         "stood at {loss:l} since.", fixes.cosine),
    Rule("D10", "underfitting", W, "min L / b; change in the last fifth", course.underfitting,
         {"level": 0.3, "chance": 0.98}, "The model cannot fit these data: the training loss stays "
         "at {level:p} of chance. It may be too small, or the labels noisy.", fixes.larger_model,
         unless=STRANGE),
    Rule("D19", "random labels", W, "min V / b, min L / b, validation accuracy at chance",
         course.random_labels, {"best": 0.98, "low": 0.7}, "Memorized: the training loss is at "
         "{level:p} of chance, but {accuracy:p1} on validation is guessing: are the labels random?",
         fixes.early_stopping),
    Rule("D19", "noisy labels?", N, "min V / b and its epoch", course.wrong_labels,
         {"level": 0.3, "at": 0.3}, "Validation was best at epoch {epoch:n}, at {level:p} of "
         "chance, and only got worse: often a sign of wrong labels.",
         unless=_ids("D2 D3 D4b D8")),
    Rule("D9", "overfitting", W, "median of the last V / min V", course.overfitting,
         {"times": 1.1, "share": 0.05}, "Overfitting from epoch {epoch:n}: the validation loss was "
         "{best:l} there and is {tail:l} at the end, while the training loss went on falling.",
         fixes.early_stopping, unless=_ids("D2 D3 D4b D8")),
    Rule("D9", "gap", N, "training - validation accuracy", course.gap, {"gap": 0.07},
         "Training accuracy is {accuracy:p1}, validation {val_accuracy:p1}.",
         unless=_ids("D2 D3 D4b D8")),
    Rule("D14", "few validated", N, "√(p (1 - p) / m); Wilson's bound m / (m + 3.84)",
         course.few_and_all_right, {"examples": 100, "error": 0.02},
         "All of {examples:n} validation examples are right: at least {least:p} are of many more.",
         fixes.larger_split),
    Rule("D14", "few validated", N, "√(p (1 - p) / m)", course.few_and_some_wrong,
         {"examples": 100, "error": 0.02}, "{accuracy:p1} ± {error:e} of {examples:n} validation "
         "examples.", fixes.larger_split),
    Rule("N1", "could be shorter", N, "|V_e - V_E| / b", course.standing_still,
         {"near": 0.01, "at": 0.5}, "Validation has not moved since epoch {epoch:n} by more than a "
         "hundredth of the loss at chance."),
    Rule("N2", "still improving", N, "epoch of min V; fall of V in the last fifth",
         course.improving, {"fall": 0.02}, "The last of {epochs:n} epochs was the best: the "
         "validation loss fell by {fall:p} in the last fifth, and more epochs may help.",
         fixes.more_epochs, unless=_ids("D1 D2 D4 N1")),
)  # fmt: skip
