"""A trained run for other programs. This room must not know the terminal, nor how to train."""

from backproplab.exporting.numpy_file import is_numpy_file, numpy_file

__all__ = ["is_numpy_file", "numpy_file"]
