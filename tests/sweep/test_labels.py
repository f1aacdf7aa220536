"""Names of trials: what differs is in them, whatever their length."""

from itertools import product

import pytest

from backproplab.files import is_plain_name
from backproplab.sweep.trials import label, labels, numbered

KEYS = {
    "optimizer.weight_decay": [1e-4, 1e-3], "model.initializer": ["glorot_uniform", "he_normal"],
    "learning_rate": [0.1, 0.01], "early_stopping.patience": [3, 5],
    "model.layers.0.units": [8, 16], "model.layers.2.units": [8, 16], "batch_size": [32, 64],
    "optimizer": ["adam", {"name": "sgd", "nesterov": True}],
}  # fmt: skip


@pytest.mark.parametrize("longest", [40, 50, 60, 70, 80])
@pytest.mark.parametrize("count", range(1, len(KEYS) + 1))
def test_every_key_that_differs_is_in_every_name(count, longest):
    chosen = dict(list(KEYS.items())[:count])
    trials = [dict(zip(chosen, values, strict=True)) for values in product(*chosen.values())]
    found = labels(trials, "sweep", longest)
    assert len({name.casefold() for name in found}) == len(trials)
    assert all(len(name) <= longest and is_plain_name(name) for name in found)
    if longest >= 10 * count:  # else there is no room for so many
        for at, one in enumerate(found):
            numbers = [v for v in trials[at].values() if isinstance(v, int | float)]
            assert all(f"{number:g}" in one for number in numbers)


LAYERS = [
    [{"dense": 8}, {"dense": 3}], [{"dense": 16}, {"dense": 3}],
    [{"name": "dense", "units": 32}, "relu", {"dense": {"units": 3}}],
]  # fmt: skip
DEEP = [[*[{"dense": 64}, "relu"] * 9, {"dense": units}, *["relu"] * 9] for units in (8, 16, 24)]


@pytest.mark.parametrize("values", [LAYERS, DEEP, [{"dense": 8}, {"dense": 16}], ["A", "a"]])
def test_values_that_look_alike_differ_in_their_names(values):
    found = labels([{"model.layers": value} for value in values], "sweep", 60)
    assert len({name.casefold() for name in found}) == len(values)
    assert all(len(name) <= 60 for name in found)
    if values != ["A", "a"]:  # only a number can tell these apart where folders ignore case
        assert not any(name.endswith(f"_{at}") for at, name in enumerate(found))


def test_a_search_s_name_keeps_all_its_keys_and_its_number():
    values = {path: choices[0] for path, choices in KEYS.items()}
    name = numbered(label(values, list(values), 70), 123456, 77)
    assert name.endswith("_123456")
    assert is_plain_name(name)
    assert all(text in name for text in ("0.0001", "0.1", "3", "8", "32", "adam"))
