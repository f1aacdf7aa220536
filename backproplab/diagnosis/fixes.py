"""Fixes: the keys to try next, in the form of the run's resolved config.

Each gives ``key=value`` texts, none where no key helps. RUN/config.yaml holds every spec with its
name and fields: ``model.layers.2.rate``, ``schedule.warmup_steps``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import floor, log10
from typing import Any

from backproplab.diagnosis.case import Case, Facts, Unknown
from backproplab.nn.activations import Activation
from backproplab.nn.layer import Layer
from backproplab.nn.layers import Dense, Dropout
from backproplab.nn.parametrization import Ntk
from backproplab.nn.structure import Block

Fix = Callable[[Case, Facts], list[str]]
USUAL = 0.01  # of the weights' size: what an early update changes


def nothing(case: Case, facts: Facts) -> list[str]:
    return []


def relu(case: Case, facts: Facts) -> list[str]:
    """ReLU in place of each bounded activation, with the weights that suit it; where there is
    none, the first weights that suit the activation."""
    if case.experiment.model.layers is None:
        own = case.experiment.model.activation
        swaps = ["model.activation=relu"] if own and own.knees else []
    else:
        swaps = [f"{at}=relu" for at in _bounded(case.experiment.model.layers, "model.layers")]
    return [*swaps, *_initialized(case, "he_normal")] if swaps else weights(case, facts)


def first_weights(case: Case, facts: Facts) -> list[str]:
    """Small first weights can be repaired without another activation: tanh keeps its own."""
    small = case.start["layers"][-1]["spread"] or 0.0
    return weights(case, facts) if small < USUAL else relu(case, facts)


def weights(case: Case, facts: Facts) -> list[str]:
    """First weights that keep the signal: Glorot's for bounded activations, else He's."""
    bounded = any(layer["slope"] is not None for layer in case.start["layers"])
    return _initialized(case, "glorot_uniform" if bounded else "he_normal")


def _initialized(case: Case, name: str) -> list[str]:
    if isinstance(case.experiment.model.parametrization, Ntk):
        return []  # it has first weights of its own
    layers = case.experiment.model.layers or ()
    own = [f"{at}.initializer={name}" for at, x in _each(layers) if getattr(x, "initializer", None)]
    return [f"model.initializer={name}", *own]


def _each(layers: tuple[Layer, ...], at: str = "model.layers") -> Iterator[tuple[str, Any]]:
    """Every layer with its dotted path, those of blocks included."""
    for number, layer in enumerate(layers):
        yield f"{at}.{number}", layer
        if isinstance(layer, Block):
            yield from _each(layer.layers, f"{at}.{number}.layers")


def _bounded(layers: tuple[Layer, ...], at: str) -> Iterator[str]:
    """The paths of bounded activations, except the network's last one."""
    for path, layer in list(_each(layers, at)):
        own = layer if isinstance(layer, Activation) else getattr(layer, "activation", None)
        if own and own.knees and layer is not layers[-1]:
            yield path if own is layer else f"{path}.activation"


def smaller_rate(case: Case, facts: Facts) -> list[str]:
    """A tenth of the rate, or the optimizer's usual one if that is less; momentum counts."""
    e = case.experiment
    if e.learning_rate is None:
        raise Unknown("the learner has no learning rate")
    return [
        f"learning_rate={_one_digit(min(e.learning_rate / 10, e.optimizer.default_learning_rate))}"
    ]


def larger_rate(case: Case, facts: Facts) -> list[str]:
    """The rate at which an early update changes the weights by a hundredth."""
    rate = case.experiment.learning_rate
    if rate is None:
        raise Unknown("the learner has no learning rate")
    return [f"learning_rate={_one_digit(rate * USUAL / max(facts['step'], 1e-12))}"]


def _one_digit(value: float) -> str:
    """Rounded down to one digit, and a rate that a config may have."""
    power = floor(log10(value))
    return f"{min(max(floor(value / 10**power + 1e-9) * 10**power, 1e-12), 10.0):g}"


def more_epochs(case: Case, facts: Facts) -> list[str]:
    return [f"epochs={2 * case.experiment.epochs}"]


def larger_model(case: Case, facts: Facts) -> list[str]:
    model = case.experiment.model
    if model.layers is None:
        hidden = [2 * units for units in model.hidden or ()] or [16, 16]
        bent = [] if model.hidden else ["model.activation=tanh"]
        return [f"model.hidden=[{','.join(map(str, hidden))}]", *bent]
    return list(_wider(model.layers, "model.layers", False))


def _wider(layers: tuple[Layer, ...], at: str, outer: bool) -> Iterator[str]:
    """Twice the units of dense layers; a chain begins and ends with the width that is around it.

    outer: whether that width is doubled.
    """
    last = max((n for n, x in enumerate(layers) if isinstance(x, Dense)), default=None)
    doubled = outer
    for number, layer in enumerate(layers):
        if isinstance(layer, Dense):
            doubled = outer or number != last
            if doubled:
                yield f"{at}.{number}.units={2 * layer.units}"
        elif isinstance(layer, Block):
            yield from _wider(layer.layers, f"{at}.{number}.layers", doubled)


def early_stopping(case: Case, facts: Facts) -> list[str]:
    patience = max(case.experiment.epochs // 10, 3)
    options = f"monitor: val_loss, patience: {patience}, restore_best_weights: true"
    return [f"early_stopping={{{options}}}"]


def scaled_inputs(case: Case, facts: Facts) -> list[str]:
    return ["data.standardize=true"]


def scaled_targets(case: Case, facts: Facts) -> list[str]:
    known = hasattr(case.experiment.data, "standardize_targets")
    return ["data.standardize_targets=true"] if known else []


def larger_split(case: Case, facts: Facts) -> list[str]:
    more = case.experiment.data.validation_split < 0.3
    return ["data.validation_split=0.3"] if more else []


def other_batch(case: Case, facts: Facts) -> list[str]:
    size = facts["size"] + 1
    while facts["examples"] % size == 1:
        size += 1
    return ["accumulate=1", f"batch_size={size}"]


def shorter_warmup(case: Case, facts: Facts) -> list[str]:
    return [f"schedule.warmup_steps={case.planned // 10}"]


def cosine(case: Case, facts: Facts) -> list[str]:
    return ["schedule=cosine"]


def less_l2(case: Case, facts: Facts) -> list[str]:
    return ["optimizer.l2=0.0001"]


def less_dropout(case: Case, facts: Facts) -> list[str]:
    layers = case.experiment.model.layers or ()
    return [f"{at}.rate=0.2" for at, x in _each(layers) if isinstance(x, Dropout) and x.rate > 0.5]


def straight_outputs(case: Case, facts: Facts) -> list[str]:
    layers = case.experiment.model.layers or ()
    at = f"model.layers.{len(layers) - 1}"
    return [f"{at}=linear" if isinstance(layers[-1], Activation) else f"{at}.activation=linear"]
