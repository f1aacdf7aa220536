"""PyTorch: eager and torch.compile, with a fused optimizer.

torch.channels_last: eager, with the memory format in which convolutions are faster on a CPU.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import islice
from os import environ

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from benchmarks.workloads import (
    Array,
    Side,
    Workload,
    examples,
    first_weights,
    minibatches,
)

TRAINED = nn.Linear | nn.Conv2d | nn.BatchNorm2d
torch.set_num_threads(int(environ["OMP_NUM_THREADS"]))


def prepare(work: Workload, compiled: bool = False, channels_last: bool = False) -> Side:
    layout = torch.channels_last if channels_last else torch.contiguous_format
    model = _model(work).to(memory_format=layout)
    layers = [layer for layer in model if isinstance(layer, TRAINED)]
    _set(layers, work)
    inputs, labels = (torch.from_numpy(array) for array in examples(work.inputs, work.dtype))
    inputs = inputs.reshape(-1, 1, 28, 28) if work.filters else inputs
    optimizer = OPTIMIZERS[work.optimizer](model.parameters(), work.rate)
    loss_of = torch.compile(_loss) if compiled else _loss
    batches = minibatches(work)

    def step(k: int) -> None:
        for rows in islice(batches, k):
            optimizer.zero_grad()
            loss_of(model, inputs[rows], labels[rows]).backward()
            optimizer.step()

    return Side(step, lambda: _weights(layers, work))


def _loss(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return cross_entropy(model(x), y)


def _model(work: Workload) -> nn.Sequential:
    layers: list[nn.Module] = []
    for shape in work.kernels[: len(work.filters)]:
        layers += [nn.Conv2d(*shape[2:], 3, padding="same")]
        layers += [nn.BatchNorm2d(shape[-1])] if work.batch_norm else []
        layers += [nn.MaxPool2d(2), nn.ReLU()]
    layers += [nn.Flatten()] if work.filters else []
    *hidden, last = work.kernels[len(work.filters) :]
    for shape in hidden:
        layers += [nn.Linear(*shape), nn.Tanh() if work.activation == "tanh" else nn.ReLU()]
        layers += [nn.Dropout(work.dropout)] if work.dropout else []
    return nn.Sequential(*layers, nn.Linear(*last)).to(getattr(torch, work.dtype))


def _set(layers: list[nn.Module], work: Workload) -> None:
    first = first_weights(work)
    with torch.no_grad():
        for layer, kernel, bias in zip(layers, first[::2], first[1::2], strict=True):
            layer.weight.copy_(torch.from_numpy(_to_torch(kernel, work)))
            layer.bias.copy_(torch.from_numpy(bias))


def _weights(layers: list[nn.Module], work: Workload) -> list[Array]:
    pairs = [
        (_from_torch(layer.weight.detach().numpy(), work), layer.bias.detach().numpy())
        for layer in layers
    ]
    return [weight for pair in pairs for weight in pair]


def _to_torch(kernel: Array, work: Workload) -> Array:
    """(3, 3, channels, filters) to (filters, channels, 3, 3); (inputs, units) to (units, inputs).

    After a convolution PyTorch flattens channels first, we flatten them last.
    """
    if kernel.ndim == 1:
        return kernel
    if kernel.ndim == 4:
        return kernel.transpose(3, 2, 0, 1)
    if work.filters:
        side, units = 28 >> len(work.filters), kernel.shape[-1]
        kernel = kernel.reshape(side, side, -1, units).transpose(2, 0, 1, 3).reshape(-1, units)
    return kernel.T


def _from_torch(weight: Array, work: Workload) -> Array:
    if weight.ndim == 1:
        return weight
    if weight.ndim == 4:
        return weight.transpose(2, 3, 1, 0)
    if work.filters:
        side, units = 28 >> len(work.filters), len(weight)
        weight = weight.reshape(units, -1, side, side).transpose(0, 2, 3, 1).reshape(units, -1)
    return weight.T


OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "sgd": partial(torch.optim.SGD, fused=True),
    "momentum": partial(torch.optim.SGD, momentum=0.9, fused=True),
    "adam": partial(torch.optim.Adam, fused=True, eps=1e-7),
}
SIDES = {
    "torch": prepare,
    "torch.compile": partial(prepare, compiled=True),
    "torch.channels_last": partial(prepare, channels_last=True),
}
