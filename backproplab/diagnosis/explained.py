"""What each rule means, for ``diagnose --why``; docs/diagnosis.md is the long form."""

from __future__ import annotations

from collections.abc import Iterator

from backproplab.diagnosis.table import RULES


def rows(rule: str) -> Iterator[tuple[str, str]]:
    """(``D5 vanishing (warning)``, what it looks at with its limits), for each row of a rule."""
    for row in RULES:
        if row.id == rule:
            limits = ", ".join(f"{name} {value:g}" for name, value in row.limits.items())
            looks = row.statistic + (f"; limits: {limits}" if limits else "")
            yield f"{row.id} {row.word} ({row.level})", looks


EXPLAINED = {
    "D1": "b is the loss of the best constant answer: -Σ p ln p of the training labels' shares p, "
    "or the variance of the targets. A network at b has learned nothing about its inputs, whatever "
    "its accuracy. It is an outcome with many causes: zeros, vanishing, dead units, large inputs.",
    "D2": "θ ← θ - η ∇L converges on a bowl of curvature λ only while η λ < 2. Beyond it each step "
    "lands farther away than it began, until a number overflows. Momentum multiplies the rate by "
    "1 / (1 - μ).",
    "D3": "U is how far the training loss rises on average, in units of chance. Near the largest "
    "stable rate the loss jumps over its valley and back. If the first updates moved the weights "
    "by more than a twentieth each (step), less is enough (near).",
    "D4": "Half of a straight line lies in its second half: when the last fifth of the epochs "
    "brings a fifth of the progress, the run was stopped, it did not arrive. If an update moves "
    "the weights by less than a thousandth, the rate is why.",
    "D4b": "‖Δw‖ / ‖w‖ is how far one update moves a kernel, in units of its size. About 1e-3 to "
    "5e-2 is usual early on; later it falls by itself, so only the first updates are judged.",
    "D5": "∂L/∂z of layer k is that of layer k + 1 times Wᵀ and f'(z). Sigmoid has f' ≤ 1/4, small "
    "weights shrink more: after five such layers nothing arrives. r = rms ∂L/∂z of the first over "
    "that of the last hidden layer. Gradients of weights hide it: they also hold the activations.",
    "D6": "The same product with factors above 1: the signal grows from layer to layer on its way "
    "back, and the outputs grow on their way forward, so that the first loss is far above chance.",
    "D7": "A ReLU unit whose input is negative for every example gives 0 and has slope 0: no "
    "gradient reaches its weights again. One step too big is enough.",
    "D8": "tanh and sigmoid are flat far from 0: f'(z) is near 0, and so is what their layer "
    "learns. Weights or inputs that are too large put them there before training begins.",
    "D9": "From some epoch on the network learns its examples, not their rule: the training loss "
    "falls, the validation loss rises. v is the running median of three, so one bad epoch does not "
    "count.",
    "D10": "The loss stands, far above 0, and training and validation agree: the model has no "
    "shape that fits, or the labels hold noise that nothing can fit. Only a larger trial shows it.",
    "D11": "∂L/∂W = δ xᵀ: a feature that is 200 times as large gets a gradient 200 times as large, "
    "and no one rate suits all. Standardizing subtracts the mean and divides by the deviation.",
    "D12": "With shares p the always-first answer is right max p of the time. Look at the recall "
    "of each class: the share of its examples that is found.",
    "D13": "What is measured on examples that were trained on is memory. Twins are rows that are "
    "equal bit for bit; a feature that correlates with a class by .98 gives its label away.",
    "D14": "An accuracy p of m examples has the standard error √(p (1 - p) / m). At 100 % that is "
    "0, and Wilson's lower bound m / (m + 1.96²) says what is sure.",
    "D15": "Batch norm subtracts the batch's mean. A batch of one is its own mean, so its output "
    "is the same for every input, and nothing below it learns.",
    "D16": "Units with equal weights get equal gradients and stay equal: a layer of zeros is one "
    "unit. And the spread of activations should not change much from layer to layer.",
    "D17": "In the warm-up the rate grows linearly from 0. If it takes longer than the run, the "
    "rate that the config asks for is never used.",
    "D18": "The loss stands while the rate has fallen a hundredfold: the steps ended, not the "
    "progress. (A schedule that ends low after the loss has settled is none of this.)",
    "D19": "A network fits clean examples first and wrong labels later. So validation that is best "
    "very early and then only worsens is often a sign of wrong labels; on random ones it never "
    "leaves chance while the training loss falls. diagnose lists the ten training examples with "
    "the largest loss at the best epoch: look at their labels.",
    "D20": "Judged of several runs, of which one repeats another: equal config and seed. Of the "
    "hashes in run.json for data, first weights, batches and result, the first that differs says "
    "where they part. BLAS adds in another order with another number of threads.",
    "C1": "l2 adds 2 l2 θ to the gradient. Above about .01 the pull to 0 is stronger than what the "
    "data say.",
    "C2": "Dropout at rate p keeps a share 1 - p of the values; of two such layers (1 - p)².",
    "C3": "Softmax and sigmoid cross-entropy take any number as an output. Behind a sigmoid they "
    "get 0 … 1 only: with 10 classes the loss cannot get below ln(1 + 9/e) = 1.461.",
    "N1": "The running median of three of the validation loss has stayed within .01 b of its last "
    "value since that epoch.",
    "N2": "The validation loss was still falling when the epochs ended, and nothing shows where it "
    "would turn: the value at the last epoch is no end.",
}
