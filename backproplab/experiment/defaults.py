"""What a config sets to something else than the default."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from backproplab.config import Experiment, Role, keys, read, tree_of
from backproplab.config.brief import as_spec, exact
from backproplab.config.cursor import Cursor, is_family
from backproplab.experiment.limits import BATCH_SIZE


def differing(path: Path) -> list[tuple[str, str]]:
    """(key, its value in short) of the data and each setting that is not the default.

    Raises ConfigError if the file is no config.
    """
    experiment, _ = read(path)
    tree = tree_of(experiment)
    subject = "objective" if experiment.objective else "data"
    data = tree[subject]
    plain = _default({subject: data})
    # the rate of the chosen optimizer is no default of the optimizer that is chosen by default
    near = _default({subject: data, "optimizer": experiment.optimizer.name}) | {"optimizer": None}
    hidden = {subject, "threads", *keys(Role.NO_NUMBER)}
    found = {subject: _text(subject, data, None)}
    for key, value in tree.items():
        default = near.get(key) if key == "learning_rate" else plain.get(key)
        resolved = key == "batch_size" and value == BATCH_SIZE
        if key not in hidden and value != default and not resolved:
            found[key] = _text(key, value, default)
    return list(found.items())


def _default(given: dict[str, Any]) -> dict[str, Any]:
    """The config with these keys only; empty if they are not enough."""
    try:
        return tree_of(Experiment.model_validate(given))
    except ValueError:
        return {}


def _text(key: str, value: Any, default: Any) -> str:
    """A spec as its name and the fields that are not its defaults; layers as ``dense 8``."""
    if isinstance(value, list):
        return f"[{', '.join(_item(item) for item in value)}]"
    if not isinstance(value, dict):
        return exact(value)
    spec = as_spec(value) if "name" in value else None
    name, fields = spec or ("", value)
    same = _own_defaults(key, name) if name else default if isinstance(default, dict) else {}
    texts = [
        f"{inner} {_text('', v, same.get(inner))}"
        for inner, v in fields.items()
        if v != same.get(inner)
    ]
    return ", ".join([*([name] if name else []), *texts])


def _item(value: Any) -> str:
    """A layer as its name and its first field, such as its layers."""
    spec = as_spec(value)
    if spec is None or "name" not in value:
        return exact(value)
    name, fields = spec
    return " ".join([name, *(_text("", field, None) for field in list(fields.values())[:1])])


def _own_defaults(key: str, name: str) -> dict[str, Any]:
    """The fields of the member of this name at a key of the config, at their defaults.

    A field that must be given has none.
    """
    family = Cursor((), {}, Experiment).follow([key]).annotation if key else None
    member = family.members.get(name) if is_family(family) else None
    if member is None:
        return {}
    return member.model_construct().model_dump(mode="json", exclude_none=True)
