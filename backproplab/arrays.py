"""Array: a NumPy array of any shape and type, as annotations name it."""

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
