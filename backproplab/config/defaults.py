"""What a config sets to something else than the default."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from backproplab.config.brief import as_spec, exact
from backproplab.config.experiment import Experiment
from backproplab.config.loading import read, tree_of


def differing(path: Path) -> str:
    """A line ``key  value`` for each setting that is not the default of a config with this data.

    Raises ConfigError if the file is no config.
    """
    experiment, _ = read(path)
    tree = tree_of(experiment)
    given = (
        {"data": {"name": experiment.data.name}}
        if _is_plain(experiment)
        else {"data": tree["data"]}
    )
    with_optimizer = {"optimizer": experiment.optimizer.name} if "optimizer" in tree else {}
    try:
        default = tree_of(Experiment.model_validate({**given, **with_optimizer}))
    except ValueError:
        default = tree_of(Experiment.model_validate(given))
    plain = tree_of(Experiment.model_validate(given))
    found = {
        "data": _text(tree["data"], default["data"]),
        **{
            key: _text(value, default.get(key))
            for key, value in tree.items()
            if key not in ("name", "data")
            and (value != default.get(key) or value != plain.get(key))
        },
    }
    width = max(map(len, found))
    return "\n".join(f"{key:<{width}}  {text}" for key, text in found.items())


def _is_plain(experiment: Experiment) -> bool:
    """Whether the data set needs no settings."""
    try:
        Experiment.model_validate({"data": experiment.data.name})
    except ValueError:
        return False
    return True


def _text(value: Any, default: Any) -> str:
    """A spec as its name and the fields that are not the default's."""
    spec, other = as_spec(value), as_spec(default)
    if not isinstance(value, dict):
        return exact(value)
    name, fields = spec if spec and "name" in value else ("", value)
    same = default if isinstance(default, dict) else {}
    if other and "name" in same and other[0] != name:
        same = {}
    texts = [f"{key} {_text(v, same.get(key))}" for key, v in fields.items() if v != same.get(key)]
    return ", ".join([*([name] if name else []), *texts])
