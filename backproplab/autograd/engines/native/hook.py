"""The build hook: builds the player into a wheel, and beside its source for an editable install.

The build back end loads this file by its path; nothing else imports it. Without a compiler the
wheel is one for every platform, and the calls are made by Python.
"""

from __future__ import annotations

import re
import sysconfig
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

HERE = Path(__file__).parent


class PlayerHook(BuildHookInterface):  # type: ignore[misc]  # hatchling is there while building only
    """Adds the library to a wheel, which then is one for this platform."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        building = _building()
        if reason := building.build():
            self.app.display_warning(f"without the player, steps are slower: {reason}")
            return
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{re.sub('[-.]', '_', sysconfig.get_platform())}"
        build_data["artifacts"].append(building.LIBRARY.relative_to(self.root).as_posix())


def _building() -> Any:
    """building.py without its package, which cannot be imported before it is installed."""
    spec = spec_from_file_location("building", HERE / "building.py")
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
