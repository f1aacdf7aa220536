"""The settings of a search as text.

This file must not know the search's results.
"""

from __future__ import annotations

from typing import Any

from backproplab.report.differences import shown


def asked(sweep: Any) -> dict[str, str]:
    """The range of each key that a search varies, its method and pruner; empty for a grid.

    sweep: the tree of a sweep file, possibly damaged.
    """
    if not isinstance(sweep, dict) or not isinstance(sweep.get("parameters"), dict):
        return {}
    settings = {key: _range(value) for key, value in sweep["parameters"].items()}
    settings["method"] = f"{shown(sweep.get('method'))}, {shown(sweep.get('num_trials'))} trials"
    if sweep.get("pruner"):
        settings["pruner"] = shown(sweep["pruner"])
    return settings


def _range(parameter: Any) -> str:
    """``0.0001 to 1, log_uniform``, or ``one of relu, tanh``."""
    if not isinstance(parameter, dict):
        return shown(parameter)
    if isinstance(parameter.get("values"), list):
        return f"one of {', '.join(map(shown, parameter['values']))}"
    ends = [shown(parameter.get(end)) for end in ("min", "max")]
    return f"{' to '.join(ends)}, {shown(parameter.get('distribution', 'uniform'))}"
