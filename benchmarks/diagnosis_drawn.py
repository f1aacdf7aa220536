"""Runs that nobody chose, to try the diagnosis on: healthy ones, and the same with one fault each.

Generator and seeds were committed before any result was looked at. A healthy run is one whose
last validation accuracy (R² of a regression) lies within .03 of the best of five rates, and of
REFERENCE; no rule of the diagnosis uses that measure.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

HEALTHY_SEED, FAULTY_SEED = 1311, 1312
RATES = (0.1, 0.3, 1.0, 3.0, 10.0)  # times the optimizer's usual rate

# validation accuracy or R² that a small network is known to reach on the set
REFERENCE = {
    "digits": 0.96,
    "iris": 0.93,
    "wine": 0.97,
    "breast_cancer": 0.96,
    "circle": 0.98,
    "xor": 0.97,
    "gauss": 0.99,
    "spiral": 0.95,
    "moons": 0.97,
    "sine": 0.97,
    "linear": 0.97,
    "plane": 0.98,
}
BASE = {"sgd": 0.1, "momentum": 0.03, "adam": 0.003, "rmsprop": 0.002, "nadam": 0.003}
EPOCHS = {"digits": 20, "iris": 60, "wine": 40, "breast_cancer": 30, "spiral": 150, "linear": 100}
ACTIVATIONS = {
    "relu": "he_normal",
    "tanh": "glorot_uniform",
    "elu": "he_normal",
    "gelu": "he_normal",
}
DATA: dict[str, dict[str, Any]] = {"linear": {"noise": 0.01}, "sine": {"noise": 0.05}}
DATA |= {"circle": {"noise": 0.02}, "gauss": {"noise": 0.05}, "moons": {"noise": 0.1}}


def drawn(generator: np.random.Generator) -> dict[str, Any]:
    """One config, with the usual rate of its optimizer."""
    name = str(generator.choice(list(REFERENCE)))
    activation = str(generator.choice(list(ACTIVATIONS)))
    depth, width = int(generator.integers(1, 4)), int(generator.choice([16, 24, 32, 64]))
    optimizer = str(generator.choice(list(BASE)))
    return {
        "data": {"name": name, **DATA.get(name, {})},
        "model": {
            "hidden": [width] * depth,
            "activation": activation,
            "initializer": ACTIVATIONS[activation],
        },
        "optimizer": optimizer,
        "learning_rate": BASE[optimizer],
        "batch_size": int(generator.choice([10, 16, 32])),
        "epochs": EPOCHS.get(name, 50),
        "seed": int(generator.integers(1, 10**6)),
    }


def candidates() -> Iterator[tuple[list[dict[str, Any]], int]]:
    """(the config at each of five rates, the number of the one that is drawn), without end."""
    generator = np.random.default_rng(HEALTHY_SEED)
    while True:
        config = drawn(generator)
        trials = [config | {"learning_rate": config["learning_rate"] * rate} for rate in RATES]
        yield trials, int(generator.integers(len(RATES)))


def faulty(count: int) -> Iterator[tuple[str, dict[str, Any], set[str]]]:
    """(fault, config, rules of which one must be named), each fault as often as the others."""
    generator = np.random.default_rng(FAULTY_SEED)
    for number in range(count):
        fault = FAULTS[number % len(FAULTS)]
        yield fault.__name__, *fault(drawn(generator), generator)


Faulty = tuple[dict[str, Any], set[str]]


def crawling(config: dict[str, Any], generator: np.random.Generator) -> Faulty:
    config |= {"optimizer": "sgd", "learning_rate": 10 ** generator.uniform(-5, -3.7)}
    return config, {"D4", "D1"}


def leaping(config: dict[str, Any], generator: np.random.Generator) -> Faulty:
    config |= {"optimizer": "adam", "learning_rate": 10 ** generator.uniform(-0.3, 1)}
    return config, {"D2", "D3", "D4b", "D7", "D8", "D1"}


def exploding_step(config: dict[str, Any], generator: np.random.Generator) -> Faulty:
    config |= {"optimizer": "sgd", "learning_rate": 10 ** generator.uniform(1, 3)}
    return config, {"D2", "D3", "D4b", "D7", "D8", "D1"}


def zeros(config: dict[str, Any], generator: np.random.Generator) -> Faulty:
    config["model"]["initializer"] = "zeros"
    return config, {"D16"}


def vanishing(config: dict[str, Any], generator: np.random.Generator) -> Faulty:
    config["model"] = {"hidden": [32] * int(generator.integers(5, 8)), "activation": "sigmoid"}
    config |= {"optimizer": "sgd", "learning_rate": 0.1}
    return config, {"D5"}


def tiny_weights(config: dict[str, Any], generator: np.random.Generator) -> Faulty:
    initializer = {"name": "normal", "stddev": 10 ** generator.uniform(-3, -2)}
    config["model"] = {"hidden": [32] * 4, "activation": "tanh", "initializer": initializer}
    config |= {"optimizer": "sgd", "learning_rate": 0.1}
    return config, {"D5", "D16"}


def huge_weights(config: dict[str, Any], generator: np.random.Generator) -> Faulty:
    initializer = {"name": "normal", "stddev": generator.uniform(0.7, 2)}
    config["model"] = {"hidden": [64] * 4, "activation": "relu", "initializer": initializer}
    return config, {"D6", "D2"}


def saturated(config: dict[str, Any], generator: np.random.Generator) -> Faulty:
    initializer = {"name": "normal", "stddev": generator.uniform(2, 4)}
    config["data"] = {"name": str(generator.choice(["digits", "breast_cancer", "wine"]))}
    config["model"] = {"hidden": [64, 64], "activation": "tanh", "initializer": initializer}
    return config, {"D8", "D6"}


def unscaled(config: dict[str, Any], generator: np.random.Generator) -> Faulty:
    name = str(generator.choice(["wine", "breast_cancer"]))
    config["data"] = {"name": name, "standardize": False}
    return config, {"D11"}


def raw_targets(config: dict[str, Any], generator: np.random.Generator) -> Faulty:
    config["data"] = {"name": "diabetes"}
    return config, {"D11", "D2"}


def endless_warmup(config: dict[str, Any], generator: np.random.Generator) -> Faulty:
    config["schedule"] = {"cosine": {"warmup_steps": int(generator.integers(50_000, 500_000))}}
    return config, {"D17"}


def dying_rate(config: dict[str, Any], generator: np.random.Generator) -> Faulty:
    decay = {"decay_steps": int(generator.integers(2, 6)), "rate": 0.3}
    config |= {"optimizer": "sgd", "learning_rate": 0.05, "schedule": {"exponential": decay}}
    config["data"] = {"name": str(generator.choice(["digits", "spiral", "xor"]))}
    return config, {"D18"}


def shrinking(config: dict[str, Any], generator: np.random.Generator) -> Faulty:
    config |= {"optimizer": {"name": "sgd", "l2": generator.uniform(0.5, 2)}, "learning_rate": 0.1}
    return config, {"C1", "D1"}


def forgetting(config: dict[str, Any], generator: np.random.Generator) -> Faulty:
    rate = generator.uniform(0.9, 0.97)
    block = [{"dense": 32}, "relu", {"dropout": rate}]
    config["data"] = {"name": "digits"}
    config["model"] = {"layers": [*block, *block, {"dense": 10}]}
    return config, {"C2", "D18", "D1"}


def memorizing(config: dict[str, Any], generator: np.random.Generator) -> Faulty:
    config["data"] = {"name": "moons", "samples": 120, "noise": 0.4, "validation_split": 0.5}
    config["model"] = {"hidden": [128, 128], "activation": "relu", "initializer": "he_normal"}
    config |= {"optimizer": "adam", "learning_rate": 0.005, "epochs": 200}
    return config, {"D9", "D19"}


def too_simple(config: dict[str, Any], generator: np.random.Generator) -> Faulty:
    config["data"] = {"name": str(generator.choice(["spiral", "xor", "circle"]))}
    config["model"] = {"hidden": []}
    config |= {"optimizer": "adam", "learning_rate": 0.01, "epochs": 100}
    return config, {"D10", "D1"}


def few_judges(config: dict[str, Any], generator: np.random.Generator) -> Faulty:
    config["data"] = {
        "name": "iris",
        "validation_split": float(generator.choice([0.04, 0.06, 0.1])),
    }
    return config, {"D14"}


FAULTS = (
    crawling, leaping, exploding_step, zeros, vanishing, tiny_weights, huge_weights, saturated,
    unscaled, raw_targets, endless_warmup, dying_rate, shrinking, forgetting, memorizing,
    too_simple, few_judges,
)  # fmt: skip
