"""Optuna and PyTorch, as in a usual script: a study over the grid in each process, one per core.

Besides training it computes train and validation loss and accuracy each epoch, as scalars of a
SummaryWriter with one event file per trial; no CSV, no checkpoint, no record. Every process has
its share of the seeds and a study in memory, so that none waits for storage or repeats a trial. A
warm process keeps the others. ``study.optimize(n_jobs=…)`` is slower: its threads share the GIL.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from functools import lru_cache, partial
from itertools import pairwise
from multiprocessing.pool import Pool
from pathlib import Path

import optuna
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.tensorboard import SummaryWriter

from benchmarks.trials import (
    BATCH,
    CLASSES,
    EPOCHS,
    EPSILON,
    HIDDEN,
    RATES,
    SEEDS,
    Data,
    Score,
    read,
    save,
    script,
)

PROCESSES = min(len(os.sched_getaffinity(0)), len(SEEDS))


def sweep(source: Path, out: Path) -> None:
    shares = [SEEDS[i::PROCESSES] for i in range(PROCESSES)]
    found = _pool().map(partial(search, read(source), out), shares)
    save([score for share in found for score in share], out)


@lru_cache(maxsize=1)
def _pool() -> Pool:
    """A pool of forked processes, so that PyTorch is imported once."""
    return multiprocessing.get_context("fork").Pool(PROCESSES, torch.set_num_threads, (1,))


def search(data: dict[int, Data], out: Path, seeds: tuple[int, ...]) -> list[Score]:
    """The scores of every learning rate with these seeds."""

    def objective(trial: optuna.Trial) -> float:
        rate = trial.suggest_categorical("learning_rate", RATES)
        seed = trial.suggest_categorical("seed", seeds)
        loss, accuracy = train(rate, seed, data[seed], out / f"learning_rate-{rate}_seed-{seed}")
        trial.set_user_attr("accuracy", accuracy)
        return loss

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    grid = {"learning_rate": RATES, "seed": seeds}
    study = optuna.create_study(sampler=optuna.samplers.GridSampler(grid))
    study.optimize(objective)
    return [Score(*t.params.values(), t.value, t.user_attrs["accuracy"]) for t in study.trials]


def train(rate: float, seed: int, data: Data, folder: Path) -> tuple[float, float]:
    """The validation loss and accuracy after the last epoch."""
    torch.manual_seed(seed)
    x, y, val_x, val_y = map(torch.from_numpy, data)
    model = _model()
    optimizer = torch.optim.Adam(model.parameters(), rate, eps=EPSILON, fused=True)
    with SummaryWriter(str(folder)) as writer:
        for epoch in range(EPOCHS):
            for rows in torch.randperm(len(x)).split(BATCH):
                optimizer.zero_grad()
                cross_entropy(model(x[rows]), y[rows]).backward()
                optimizer.step()
            _log(writer, epoch, "train", *measure(model, x, y))
            measured = measure(model, val_x, val_y)
            _log(writer, epoch, "validation", *measured)
    return measured


def _model() -> nn.Sequential:
    layers: list[nn.Module] = []
    for inputs, units in pairwise((2, *HIDDEN, CLASSES)):
        layer = nn.Linear(inputs, units)
        nn.init.xavier_uniform_(layer.weight)
        nn.init.zeros_(layer.bias)
        layers += [layer, nn.Tanh()]
    return nn.Sequential(*layers[:-1])


def measure(model: Callable[[Tensor], Tensor], x: Tensor, y: Tensor) -> tuple[float, float]:
    """Loss and accuracy."""
    with torch.no_grad():
        logits = model(x)
        hits = (logits.argmax(1) == y).float()
        return cross_entropy(logits, y).item(), hits.mean().item()


def _log(writer: SummaryWriter, epoch: int, split: str, loss: float, accuracy: float) -> None:
    writer.add_scalar(f"loss/{split}", loss, epoch)
    writer.add_scalar(f"accuracy/{split}", accuracy, epoch)


if __name__ == "__main__":
    script(sweep)
