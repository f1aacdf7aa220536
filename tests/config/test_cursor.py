"""pydantic's locations, found again in the file, in every spelling of a family's member."""

from typing import Annotated, Any

import pytest
from pydantic import Field

from backproplab.config.cursor import Cursor
from backproplab.spec import Count, Family, Spec


class Layer(Family):
    pass


class Dense(Layer, name="dense"):
    units: Count = 1


class Stack(Layer, name="stack"):
    layers: tuple[Layer, ...] = ()


class Net(Spec):
    layer: Layer = Dense()
    sizes: Annotated[tuple[Count, ...], Field(strict=False)] | None = None


@pytest.mark.parametrize(
    ("tree", "location", "path"),
    [
        ({"layer": "dense"}, ("layer", "units"), ("layer", "units")),
        ({"layer": {"name": "dense", "units": 0}}, ("layer", "units"), ("layer", "units")),
        ({"layer": {"dense": {"units": 0}}}, ("layer", "units"), ("layer", "dense", "units")),
        ({"layer": {"dense": 0}}, ("layer", "units"), ("layer", "dense")),
        ({"layer": {"dense": None}}, ("layer", "units"), ("layer", "dense", "units")),
        ({}, ("layer", "units"), ("layer",)),
        ({"sizes": [1, 0]}, ("sizes", 1), ("sizes", 1)),
        ({"sizes": 3}, ("sizes", "a label of a union"), ("sizes",)),
        (
            {"layer": {"stack": [{"dense": 0}]}},
            ("layer", "layers", 0, "units"),
            ("layer", "stack", 0, "dense"),
        ),
    ],
)
def test_a_location_is_found_in_the_file(tree: Any, location: Any, path: Any) -> None:
    assert Cursor((), tree, Net).follow(location).path == path


def test_constraints_come_along() -> None:
    cursor = Cursor((), {"sizes": [0]}, Net).follow(("sizes", 0))
    assert cursor.annotation is int
    assert [getattr(c, "ge", None) for c in cursor.constraints if hasattr(c, "ge")] == [1]
