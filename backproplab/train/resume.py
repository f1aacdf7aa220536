"""The position of a run, so that another process can go on from it as if nothing had happened.

Weights and slots are arrays, all else is strict JSON. A position stands at the end of an epoch.
This file must not know where it is kept.
"""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from backproplab.train.state import Row, RunState

if TYPE_CHECKING:
    from backproplab.train.callbacks import Best
    from backproplab.train.checkpoint import Checkpoint
    from backproplab.train.loop import Trainer


def position(trainer: Trainer) -> dict[str, Any]:
    """Where the run stands, but for its arrays and the clock: what ``restore`` needs."""
    state = asdict(trainer.state)
    del state["seconds"]
    return {
        "state": state | {"metrics": _plain(state["metrics"]), "best": _plain(state["best"])},
        "rate": trainer.rate.state,
        "order": trainer.order.digest,
        "streams": {
            "shuffle": trainer.order.generator.bit_generator.state,
            "dropout": trainer.chance.bit_generator.state,
        },
        "callbacks": {type(c).__name__: kept for c in trainer.callbacks if (kept := c.state())},
    }


def restore(trainer: Trainer, last: Checkpoint, best: Checkpoint | None, keeper: Best) -> None:
    """Put the trainer where it stood when ``last`` was taken.

    best: the weights of the best epoch, which ``keeper`` remembers.
    """
    for name, view in trainer.parameters.views.items():
        view[...] = last.arrays[name]
    for slot, vector in trainer.slots.items():
        for name, view in vector.views.items():
            view[...] = last.arrays[f"slot/{slot}/{name}"]
    told = last.state["position"]
    if best:
        keeper.weights = trainer.parameters.flat.copy()
        for name, view in trainer.parameters.named(keeper.weights).items():
            view[...] = best.arrays[name]
    _restore_state(trainer.state, told["state"])
    keeper.row = {name: x for name, x in trainer.state.best.items() if name != "epoch"}
    trainer.rate.state = told["rate"]
    trainer.order.digest = told["order"]
    trainer.order.generator.bit_generator.state = told["streams"]["shuffle"]
    trainer.chance.bit_generator.state = told["streams"]["dropout"]
    for callback in trainer.callbacks:
        if kept := told["callbacks"].get(type(callback).__name__):
            callback.restore(kept)


def _restore_state(state: RunState, told: dict[str, Any]) -> None:
    for name, value in told.items():
        setattr(state, name, _numbers(value) if isinstance(value, dict) else value)
    state.status, state.stop_reason = "running", ""


def _plain(row: Row) -> dict[str, Any]:
    """JSON knows no NaN and no infinity: such a number is text."""
    return {name: x if math.isfinite(x) else str(x) for name, x in row.items()}


def _numbers(row: dict[str, Any]) -> Row:
    return {name: float(x) if isinstance(x, str) else x for name, x in row.items()}
