"""Config keys that were typed as options: ``--learning_rate 0.1`` is ``learning_rate=0.1``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

TAKE_KEYS = ("train", "sweep", "check", "find-lr", "explain", "config")  # commands with overrides
OPTION = re.compile(r"--?([A-Za-z][\w.-]+)(?:=(.*))?")


def hints(words: Sequence[str]) -> Iterator[str]:
    """What to write instead of each option that means a key of a config."""
    if not words or words[0] not in TAKE_KEYS:
        return

    from backproplab.config import Experiment, habits
    from backproplab.config.cursor import Cursor

    for place, word in enumerate(words):
        if not (found := OPTION.fullmatch(word)):
            continue
        key, value = found[1].replace("-", "_"), found[2]
        after = words[place + 1] if place + 1 < len(words) else ""
        value = value or ("" if after.startswith("-") or after == "" else after) or "VALUE"
        first, _, rest = key.partition(".")
        if first not in Experiment.model_fields:
            hint = habits.of_key(first, Cursor((), {}, Experiment), Experiment)
            first = hint.split("'")[1] if "'" in hint else ""
        if first and first not in ("name", "seed", "epochs"):  # options of their own
            setting = f"{'.'.join(filter(None, (first, rest)))}={value}"
            yield f"{word} is no option; keys of a config are written {setting}"
