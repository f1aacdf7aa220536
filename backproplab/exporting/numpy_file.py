"""A model as one Python file: the code of ``standalone.py``, then the model's numbers."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from textwrap import wrap

import numpy as np

from backproplab.experiment import Model
from backproplab.exporting import standalone
from backproplab.exporting.describing import described

PLACES = ('MODEL: dict[str, Any] = json.loads("{}")', 'WEIGHTS = ""')  # of standalone.py


def numpy_file(model: Model) -> str:
    """The text of the file. Raises RunError, by name, for a layer that has no rule here."""
    description = described(model)
    views = model.parameters.views
    flat = np.concatenate([view.ravel() for view in views.values()]).astype(description["stored"])
    source = Path(standalone.__file__).read_text(encoding="utf-8")
    numbers = (
        f"MODEL: dict[str, Any] = json.loads(\n    {json.dumps(description)!r}\n)",
        '"""'.join(["WEIGHTS = ", _lines(flat.tobytes()), ""]),
    )
    for place, text in zip(PLACES, numbers, strict=True):
        source = source.replace(f"\n{place}\n", f"\n{text}\n", 1)
    return source


def is_numpy_file(content: bytes) -> bool:
    """Whether this is a file that ``numpy_file`` wrote."""
    return b"Written by `backproplab export RUN --numpy" in content[:2000]


def _lines(content: bytes) -> str:
    return "\n".join(wrap(base64.b64encode(content).decode(), 76))
