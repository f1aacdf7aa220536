"""``init_from``: the run whose weights a run begins with."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, GetJsonSchemaHandler, model_validator
from pydantic_core import CoreSchema, PydanticCustomError

from backproplab.arrays import Array
from backproplab.data import Preparation
from backproplab.errors import ConfigError, Problem, RunError, did_you_mean
from backproplab.files import parse_object
from backproplab.journal.saved import Saved, read_saved, saved
from backproplab.nn import Network
from backproplab.spec import PathText, Spec, absolute


class InitFrom(Spec):
    """The first weights are those of the best epoch of another run.

    run: its folder.
    layers: those that get its weights, by their names in both networks; by default all.
    preprocessing: ``own`` is fitted on these data; ``keep`` takes the run's means, deviations and
        categories.
    sha256: of the weights and the preprocessing; found where it is not given, and required where
        it is.
    """

    run: PathText
    layers: Annotated[tuple[str, ...], Field(strict=False, min_length=1)] | None = None
    preprocessing: Literal["own", "keep"] = "own"
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]

    @model_validator(mode="before")
    @classmethod
    def _pinned(cls, fields: Any) -> Any:
        if not isinstance(fields, dict) or not isinstance(fields.get("run"), str):
            return fields
        if isinstance(fields.get("sha256"), str):
            return fields
        run = Path(absolute(fields["run"]))
        try:
            if not os.path.isdir(run):  # noqa: PTH112  # Path's raises on NUL
                raise RunError(f"{run}: no such folder of a run")
            return {**fields, "sha256": read_saved(run).sha256}
        except RunError as error:
            raise PydanticCustomError("init_from", "{text}", {"text": str(error)}) from error

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        found = handler(schema)
        return found | {"required": ["run"]}

    def saved(self) -> Saved:
        """Raises RunError where the run has other weights than it had."""
        return saved(Path(self.run), self.sha256)

    def kept(self) -> Preparation | None:
        """How inputs and targets are prepared, if that is the run's. Raises ConfigError."""
        if self.preprocessing == "own":
            return None
        content = self.saved().preparation
        try:
            return _preparation(content)
        except (LookupError, TypeError, ValueError):
            what = f"init_from.preprocessing: {self.run} did not keep how its data were prepared"
            raise ConfigError(Problem("", what, "set it to own")) from None

    def chosen(self, network: Network) -> tuple[Mapping[str, Array], list[Problem]]:
        """The arrays that the network begins with, and what does not fit."""
        found = self.saved().weights
        names = [place.name for place in network.places]
        problems = [
            Problem("", f"init_from.layers: there is no layer '{name}'",
                    did_you_mean(name, names) or f"the layers are {', '.join(names)}")
            for name in self.layers or () if name not in names
        ]  # fmt: skip
        wanted = {
            name: weight.shape
            for name, weight in network.weights.items()
            if self.layers is None or name.partition("/")[0] in self.layers
        }
        problems += self._unfit(found, wanted)
        return {name: found[name] for name in wanted if name in found}, problems

    def _unfit(
        self, found: Mapping[str, Array], wanted: Mapping[str, tuple[int, ...]]
    ) -> Iterator[Problem]:
        """One problem for all arrays that the run lacks or has in another shape."""
        texts = []
        for name, shape in wanted.items():
            there = found[name].shape if name in found else None
            if there != shape:
                has = f"is {_shape(there)} there" if there is not None else "is not there"
                texts.append(f"{name} {has}, {_shape(shape)} here")
        if texts:
            fit = dict.fromkeys(
                n.partition("/")[0] for n, s in wanted.items() if n in found and found[n].shape == s
            )
            unfit = {text.partition("/")[0] for text in texts}
            own = [name for name in fit if name not in unfit]
            hint = f"take what fits: init_from.layers: [{', '.join(own)}]" if own else ""
            yield Problem("", f"init_from.run: {'; '.join(texts)}", hint)


@lru_cache(maxsize=16)  # equal ones are one object, by which loaded data are known
def _preparation(content: bytes) -> Preparation:
    return Preparation.read(parse_object(content))


def _shape(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape)) or "one number"
