"""Runs drawn at random by a fixed seed: ``drawn(number)`` is always the same one. Not a test."""

import random

import yaml

OPTIMIZERS = ["sgd", "momentum", "nesterov", "adam", "amsgrad", "adamw", "adamax", "nadam", "lion", "adagrad", "adadelta", "rmsprop"]  # fmt: skip
ACTIVATIONS = ["relu", "tanh", "sigmoid", "elu", "gelu", "silu", "softsign"]
SCHEDULES = [
    "constant",
    "step",
    "exponential",
    "inverse_time",
    "polynomial",
    "cosine",
    "cosine_restarts",
    "one_cycle",
    "piecewise",
    "reduce_on_plateau",
    "reduce_on_plateau",
]
DATA = {  # features, classes; 0 for regression
    "moons": (2, 2),
    "circle": (2, 2),
    "spiral": (2, 2),
    "iris": (4, 3),
    "wine": (13, 3),
    "sine": (1, 0),
    "plane": (2, 0),
    "diabetes": (10, 0),
    "digits": (64, 10),
}
SAMPLED = ("moons", "circle", "spiral", "sine", "plane")
UPDATES = 700  # about, of a run


def drawn(number):
    """The config of run ``number``, as a tree."""
    chance = random.Random(f"storm {number}")
    name = chance.choice(list(DATA))
    data = {"name": name, "validation_split": chance.choice([0.0, 0.2, 0.3])}
    data["test_split"] = chance.choice([0.0, 0.2])
    if name in SAMPLED:
        data["samples"] = chance.randint(60, 200)
    mode = chance.choice(["minibatch", "minibatch", "minibatch", "batch", "stochastic"])
    rows = {"iris": 150, "wine": 178, "diabetes": 442, "digits": 1797}.get(name) or data["samples"]
    if mode == "stochastic" and rows > 200:
        mode = "minibatch"
    config = {
        "seed": chance.randint(0, 10**6),
        "dtype": chance.choice(["float32", "float64"]),
        "data": data,
        "model": {"layers": layers(chance, name, mode)},
        "batch_mode": mode,
        "engine": chance.choice(["auto", "auto", "eager"]),
        "tensorboard": {"histograms": chance.choice([0, 1, 3])},
        "threads": 1,
    }
    config["optimizer"] = chance.choice(OPTIMIZERS + ["lbfgs"] * 2 * (mode == "batch"))
    config["learning_rate"] = chance.choice([0.003, 0.01, 0.03])
    each = {"batch": 1, "stochastic": rows}.get(mode, 0)
    if mode == "minibatch":
        size = config["batch_size"] = chance.choice([7, 16, 25])
        config["accumulate"] = chance.choice([1, 1, 2, 3])
        each = rows / size / config["accumulate"]
    config["epochs"] = max(round(UPDATES / max(each, 1) / (3 if name == "digits" else 1)), 3)
    if mode == "batch":
        config["epochs"] = min(config["epochs"], 250)
    config["schedule"] = schedule(chance, data["validation_split"], each)
    if chance.random() < 0.3:
        config["clipping"] = {chance.choice(["global_norm", "value", "norm"]): 0.5}
    if chance.random() < 0.5:
        config["early_stopping"] = {
            "monitor": "val_loss" if data["validation_split"] else "loss",
            "patience": chance.randint(2, max(config["epochs"] // 2, 3)),
            "restore_best_weights": chance.random() < 0.8,
            "min_delta": chance.choice([0.0, 0.01]),
            "start_from_epoch": chance.choice([0, 2]),
        }
    config["evaluate_every"] = chance.choice([None, "log", 5])
    config["tensorboard"]["update_freq"] = chance.choice(["epoch", "batch", 7])
    config["trajectory"] = chance.choice([None, 1, 3])
    return config


def layers(chance, name, mode):
    """A network that ends with what the data need."""
    found = []
    if name == "digits" and chance.random() < 0.5:
        found += [{"reshape": [8, 8, 1]}, {"conv2d": {"filters": 2, "kernel": 3}}, "relu", {"max_pool": 2}, "flatten"]  # fmt: skip
    for _ in range(chance.randint(1, 3)):
        found.append({"dense": chance.randint(3, 12)})
        if mode != "stochastic" and chance.random() < 0.5:
            found.append({"batch_norm": {"momentum": chance.choice([0.9, 0.99])}})
        elif chance.random() < 0.3:
            found.append("layer_norm")
        found.append(chance.choice(ACTIVATIONS))
        if chance.random() < 0.5:
            found.append({"dropout": chance.choice([0.1, 0.5])})
    outputs = DATA[name][1]
    return [*found, {"dense": {0: 1, 2: 1}.get(outputs, outputs)}]


def schedule(chance, validation, each):
    name = chance.choice(SCHEDULES)
    fields = {
        "step": {"every": 20},
        "exponential": {"rate": 0.5},
        "inverse_time": {"rate": 1.0},
        "cosine": {"warmup_steps": 5},
        "cosine_restarts": {"first_decay_steps": 30},
        "piecewise": {"boundaries": [20, 60], "factors": [1.0, 0.3, 0.1]},
        "reduce_on_plateau": {
            "monitor": "val_loss" if validation else "loss",
            "patience": 2,
            "factor": 0.7,
            "cooldown": 1,
        },
    }.get(name, {})
    return {name: fields} if fields else name


def write(number, folder, **more):
    """Its config as a file, with other values in it."""
    file = folder / "run.yaml"
    file.write_text(yaml.safe_dump(drawn(number) | more, sort_keys=False))
    return file
