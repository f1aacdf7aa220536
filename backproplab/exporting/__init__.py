"""A trained run for other programs. This room must not know the terminal, nor how to train."""

from backproplab.exporting.numpy_file import is_numpy_file, numpy_file
from backproplab.exporting.onnx_file import is_onnx_file, onnx_file

__all__ = ["is_numpy_file", "is_onnx_file", "numpy_file", "onnx_file"]
