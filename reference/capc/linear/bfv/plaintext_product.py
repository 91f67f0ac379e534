"""Operators in the clear on arrays of words: arithmetic modulo 2^64, of which arithmetic modulo 2^l is a part."""

from __future__ import annotations

import numpy as np

from capc.linear.bfv.wire.seal_format import Words
from capc.models.operators import Dense, Operator


def multiply_words(operator: Operator, weights: Words, values: Words) -> Words:
    """The flattened outputs of each query modulo 2^64: a product of matrices for each tap of the kernel.

    Args:
        operator: the shape.
        weights: (rows, columns).
        values: the flattened inputs, (queries, inputs).

    Returns:
        (queries, outputs).
    """
    if isinstance(operator, Dense):
        return values @ weights.T
    grid, groups, count = operator.grid, operator.groups, len(values)
    (tall, wide), (down, right) = grid.padding, grid.stride
    size = grid.height + 2 * tall, grid.width + 2 * wide
    padded = np.zeros((count, groups, grid.channels // groups, *size), np.uint64)
    images = values.reshape(*padded.shape[:3], grid.height, grid.width)
    padded[..., tall : tall + grid.height, wide : wide + grid.width] = images
    kernels = weights.reshape(groups, operator.out_channels // groups, padded.shape[2], *grid.kernel)
    total = np.zeros((count, *kernels.shape[:2], grid.positions), dtype=np.uint64)
    for u, v in np.ndindex(*grid.kernel):
        top, left = u * grid.dilation[0], v * grid.dilation[1]
        rows = slice(top, top + (grid.out_height - 1) * down + 1, down)
        columns = slice(left, left + (grid.out_width - 1) * right + 1, right)
        total += kernels[..., u, v] @ padded[..., rows, columns].reshape(*padded.shape[:3], -1)
    return total.reshape(count, -1)
