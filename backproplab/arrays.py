"""Array: NumPy's array of any shape and type, as annotations call it."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
