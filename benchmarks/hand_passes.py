"""Forward and backward passes written in NumPy by hand, all arrays allocated beforehand."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy import add, divide, equal, exp, greater, logical_or, matmul, maximum, multiply, subtract
from numpy.lib.stride_tricks import as_strided

from benchmarks.workloads import Array

Pass = Callable[[Array, Array], None]  # (inputs, labels): fills the gradients


def _softmax(batch: int, units: int) -> Callable[[Array, Array, Array], None]:
    """δ = (softmax(z) - onehot(y)) / batch, into ``delta``; z is overwritten."""
    peak, total = np.empty((batch, 1), np.float32), np.empty((batch, 1), np.float32)
    at, share = np.arange(batch), np.float32(1 / batch)

    def differentiate(z: Array, y: Array, delta: Array) -> None:
        maximum.reduce(z, axis=1, keepdims=True, out=peak)
        subtract(z, peak, out=z)
        exp(z, out=delta)
        add.reduce(delta, axis=1, keepdims=True, out=total)
        divide(delta, total, out=delta)
        delta[at, y] -= 1
        multiply(delta, share, out=delta)

    return differentiate


def dense(batch: int, weights: list[Array], gradients: list[Array]) -> Pass:
    kernels, biases, d_kernels, d_biases = (
        weights[::2], weights[1::2], gradients[::2], gradients[1::2]
    )  # fmt: skip
    outputs, deltas, masks = (
        [np.empty((batch, kernel.shape[1]), dtype) for kernel in kernels]
        for dtype in (np.float32, np.float32, bool)
    )
    ones = np.ones(batch, np.float32)
    last = len(kernels) - 1
    outer = multiply if batch == 1 else matmul  # column times row: BLAS is slower
    softmax = _softmax(batch, kernels[-1].shape[1])

    def differentiate(x: Array, y: Array) -> None:
        a = x
        for i, z in enumerate(outputs):
            matmul(a, kernels[i], out=z)
            add(z, biases[i], out=z)
            if i < last:
                maximum(z, 0, out=z)
            a = z
        softmax(a, y, deltas[last])
        for i in range(last, -1, -1):
            delta = deltas[i]
            a = outputs[i - 1] if i else x
            outer(a.T, delta, out=d_kernels[i])
            matmul(ones, delta, out=d_biases[i])
            if i:
                matmul(delta, kernels[i].T, out=deltas[i - 1])
                greater(a, 0, out=masks[i - 1])
                multiply(deltas[i - 1], masks[i - 1], out=deltas[i - 1])

    return differentiate


class _ConvolutionPoolRelu:
    """3×3 convolution (same) as one product over gathered windows, 2×2 max pool, relu; NHWC."""

    def __init__(self, batch: int, side: int, parts: list[Array]) -> None:
        self.kernel, self.bias, self.d_kernel, self.d_bias = parts
        channels, filters = self.kernel.shape[2:]
        self.batch, self.side, self.channels = batch, side, channels
        half, pixels = side // 2, batch * side * side
        self.flat_kernel = self.kernel.reshape(-1, filters)
        self.padded = np.zeros((batch, side + 2, side + 2, channels), np.float32)
        self.d_padded = np.zeros_like(self.padded)
        self.inside = self.padded[:, 1:-1, 1:-1]
        self.d_inside = self.d_padded[:, 1:-1, 1:-1]
        self.windows = np.empty((pixels, 9 * channels), np.float32)
        self.d_windows = np.empty_like(self.windows)
        self.z, self.d_z = (np.empty((pixels, filters), np.float32) for _ in range(2))
        self.pooled, self.d_pooled = (
            np.empty((batch, half, half, filters), np.float32) for _ in range(2)
        )
        self.mask, self.taken = (np.empty(self.pooled.shape, bool) for _ in range(2))
        self.ones = np.ones(pixels, np.float32)

    def forward(self, out: Array) -> None:
        n, s, c = self.batch, self.side, self.channels
        rows = self.windows.reshape(n, s, s, 3, 3 * c)
        for i in range(3):  # a row of a window is contiguous: three pixels and their channels
            strips = as_strided(self.padded[:, i:], (n, s, s, 3 * c), self.padded.strides)
            np.copyto(rows[:, :, :, i], strips)
        matmul(self.windows, self.flat_kernel, out=self.z)
        add(self.z, self.bias, out=self.z)
        corners = list(self._corners(self.z))
        maximum(corners[0], corners[1], out=self.pooled)
        maximum(self.pooled, corners[2], out=self.pooled)
        maximum(self.pooled, corners[3], out=self.pooled)
        maximum(self.pooled, 0, out=out)

    def backward(self, d_out: Array, inputs: bool) -> None:
        """At a tie the first entry gets the gradient."""
        self.taken.fill(False)
        greater(self.pooled, 0, out=self.mask)
        multiply(d_out, self.mask, out=self.d_pooled)
        for z, d_z in zip(self._corners(self.z), self._corners(self.d_z), strict=True):
            equal(z, self.pooled, out=self.mask)
            greater(self.mask, self.taken, out=self.mask)
            logical_or(self.taken, self.mask, out=self.taken)
            multiply(self.mask, self.d_pooled, out=d_z)
        matmul(self.windows.T, self.d_z, out=self.d_kernel.reshape(self.flat_kernel.shape))
        matmul(self.ones, self.d_z, out=self.d_bias)
        if inputs:
            self._scatter()

    def _scatter(self) -> None:
        """Add up the gradients of the windows where they overlap."""
        n, s, c = self.batch, self.side, self.channels
        matmul(self.d_z, self.flat_kernel.T, out=self.d_windows)
        self.d_padded.fill(0)
        entries = self.d_windows.reshape(n, s, s, 3, 3, c)
        for i, j in np.ndindex(3, 3):
            target = self.d_padded[:, i : i + s, j : j + s]
            add(target, entries[:, :, :, i, j], out=target)

    def _corners(self, z: Array) -> Iterator[Array]:
        """The four entries of every 2×2 window, each (batch, half, half, filters)."""
        half = self.side // 2
        blocks = z.reshape(self.batch, half, 2, half, 2, -1)
        return (blocks[:, :, i, :, j] for i, j in np.ndindex(2, 2))


def convolutional(batch: int, weights: list[Array], gradients: list[Array]) -> Pass:
    """Two convolutions and a dense layer, on flat images of 28×28."""
    blocks = [
        _ConvolutionPoolRelu(batch, side, weights[i : i + 2] + gradients[i : i + 2])
        for i, side in ((0, 28), (2, 14))
    ]
    first, second = blocks
    (kernel, bias), (d_kernel, d_bias) = weights[4:], gradients[4:]
    features, d_features = (np.empty_like(second.pooled) for _ in range(2))
    flat, d_flat = features.reshape(batch, -1), d_features.reshape(batch, -1)
    z, delta = (np.empty((batch, kernel.shape[1]), np.float32) for _ in range(2))
    ones = np.ones(batch, np.float32)
    softmax = _softmax(batch, kernel.shape[1])

    def differentiate(x: Array, y: Array) -> None:
        np.copyto(first.inside, x.reshape(first.inside.shape))
        first.forward(second.inside)
        second.forward(features)
        matmul(flat, kernel, out=z)
        add(z, bias, out=z)
        softmax(z, y, delta)
        matmul(flat.T, delta, out=d_kernel)
        matmul(ones, delta, out=d_bias)
        matmul(delta, kernel.T, out=d_flat)
        second.backward(d_features, inputs=True)
        first.backward(second.d_inside, inputs=False)

    return differentiate
