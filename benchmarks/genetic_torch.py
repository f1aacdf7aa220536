"""The genetic algorithm in PyTorch: a batched product with bias, `baddbmm`, over the members."""

from __future__ import annotations

from os import environ

import numpy as np
import torch

from benchmarks.genetic import PARENTS, POPULATION, SIGMA, Row, examples, shapes
from benchmarks.workloads import Array, Side

torch.set_num_threads(int(environ["OMP_NUM_THREADS"]))
torch.set_grad_enabled(False)


def baddbmm(row: Row, first: Array) -> Side:
    x, y = (torch.from_numpy(array) for array in examples(row))
    inputs = x.expand(POPULATION, -1, -1)
    sizes = [int(np.prod(shape)) for shape in shapes(row)]
    members, found = torch.from_numpy(first.copy()), torch.empty(0)

    def losses() -> torch.Tensor:
        k1, b1, k2, b2 = members.split(sizes, dim=1)
        k1, k2 = (
            k.reshape(POPULATION, *shape)
            for k, shape in zip((k1, k2), shapes(row)[::2], strict=True)
        )
        hidden = torch.baddbmm(b1[:, None], inputs, k1).tanh_()
        outputs = torch.baddbmm(b2[:, None], hidden, k2)
        if row.outputs == 1:
            return (outputs - y).square_().mean(dim=(1, 2))
        flat = outputs.reshape(-1, row.outputs)
        each = torch.nn.functional.cross_entropy(flat, y.repeat(POPULATION), reduction="none")
        return each.reshape(POPULATION, -1).mean(dim=1)

    def step(k: int) -> None:
        nonlocal members, found
        for _ in range(k):
            if len(found):
                children = torch.randn(POPULATION - 1, members.shape[1]).mul_(float(SIGMA))
                children += members[torch.randint(PARENTS, (POPULATION - 1,))]
                members = torch.cat([members[:1], children])
            found, order = losses().sort(stable=True)
            members = members[order]

    return Side(step, lambda: [found.numpy()])
