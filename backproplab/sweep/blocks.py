"""How blocks multiply: grid × rows of zip × branches, counted, listed and checked for clashes.

This file knows paths and where their values are written; it must not know the values, nor the base.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from math import prod

from backproplab.config.experiment import not_swept
from backproplab.config.wording import TreePath
from backproplab.config.yaml_source import Document
from backproplab.errors import Problem
from backproplab.sweep.schema import Block, SweepFile
from backproplab.sweep.trials import steps

Origins = dict[str, TreePath]
"""Path in an experiment -> where its value is in the sweep's document."""

OF_GRIDS = {"grid", "zip", "branches"}
OF_SEARCHES = {"parameters", "num_trials", "search_seed", "pruner"}


def amount(block: Block) -> int:
    """How many trials the block is, without listing them."""
    branches = sum(map(amount, block.branches or ())) or 1
    return prod(map(len, block.grid.values())) * (len(block.rows) or 1) * branches


def points(block: Block, at: TreePath = ()) -> Iterator[Origins]:
    """Every trial of the block; the last of grid, zip, branches changes fastest."""
    factors: list[list[Origins]] = [
        [{path: (*at, "grid", path, index)} for index in range(len(values))]
        for path, values in block.grid.items()
    ]
    if block.rows:
        rows = enumerate(block.rows)
        factors.append([{path: (*at, "zip", i, path) for path in row} for i, row in rows])
    if block.branches:
        branches = enumerate(block.branches)
        factors.append([p for i, branch in branches for p in points(branch, (*at, "branches", i))])
    fixed = {path: (*at, path) for path in block.fixed}
    for parts in product(*factors):
        yield {path: origin for part in (fixed, *parts) for path, origin in part.items()}


def block_problems(file: SweepFile, document: Document) -> Iterator[Problem]:
    """Keys in two blocks, keys that cannot be swept, keys of the other kind of sweep."""
    parameters = {path: ("parameters", path) for path in file.parameters}
    for path, origin in parameters.items():
        yield from _path_problems(path, document.where(origin, key=True))
    yield from _clashes(file, (), {}, document)
    if document.tree.get("method", "grid") != file.method:  # reported already
        return
    search = file.method != "grid"
    for key in sorted((OF_GRIDS if search else OF_SEARCHES) & file.model_fields_set):
        fault = f"{key} does not go with method: {file.method}"
        hint = "write {values: […]} under parameters" if search else "add method: random, or tpe"
        yield Problem(document.where((key,), key=True), fault, hint)
    for key in ("parameters", "num_trials") if search else ():
        if not document.tree.get(key):  # also what is at fault is there
            yield Problem(document.where(("method",)), f"method: {file.method} needs {key}")


def _clashes(
    block: Block, at: TreePath, outer: Mapping[TreePath, TreePath], document: Document
) -> Iterator[Problem]:
    """outer: the paths of the blocks around this one."""
    seen = dict(outer)
    for path, origin in _own_paths(block, at):
        where, place = document.where(origin, key=True), steps(path)
        if place in seen:
            first = document.where(seen[place], key=True)
            yield Problem(where, f"{path}: swept twice, first at {first}", "keep one of them")
        else:
            yield from _path_problems(path, where)
        seen.setdefault(place, origin)
    for index, branch in enumerate(block.branches or ()):
        yield from _clashes(branch, (*at, "branches", index), seen, document)


def _own_paths(block: Block, at: TreePath) -> Iterator[tuple[str, TreePath]]:
    yield from ((path, (*at, path)) for path in block.fixed)
    yield from ((path, (*at, "grid", path)) for path in block.grid)
    yield from ((path, (*at, "zip", 0, path)) for path in (block.rows or [{}])[0])


def _path_problems(path: str, where: str) -> Iterator[Problem]:
    first, *_ = path.split(".")
    if first in (hints := not_swept()):
        yield Problem(where, f"'{path}' cannot be swept", hints[first])
    elif not all(path.split(".")):
        yield Problem(where, f"'{path}' is no path", "write a path such as optimizer.beta_1")
