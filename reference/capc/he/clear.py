"""Operators in the clear on arrays of words: arithmetic modulo 2^64, of which arithmetic modulo 2^l is a part."""

from __future__ import annotations

import numpy as np

from capc.he.serialisation import Words
from capc.he.tiling import as_convolution
from capc.operators import Operator


def multiply_words(operator: Operator, weights: Words, values: Words) -> Words:
    """The operator's flattened outputs modulo 2^64: a product of matrices for each tap of the kernel.

    Args:
        operator: the shape.
        weights: (rows, columns).
        values: the flattened inputs.
    """
    convolution = as_convolution(operator)
    grid, groups = convolution.grid, convolution.groups
    (tall, wide), (down, right) = grid.padding, grid.stride
    padded = np.zeros((groups, grid.channels // groups, grid.height + 2 * tall, grid.width + 2 * wide), np.uint64)
    image = values.reshape(*padded.shape[:2], grid.height, grid.width)
    padded[:, :, tall : tall + grid.height, wide : wide + grid.width] = image
    kernels = weights.reshape(groups, convolution.out_channels // groups, padded.shape[1], *grid.kernel)
    total = np.zeros((*kernels.shape[:2], grid.positions), dtype=np.uint64)
    for u, v in np.ndindex(*grid.kernel):
        top, left = u * grid.dilation[0], v * grid.dilation[1]
        rows = slice(top, top + (grid.out_height - 1) * down + 1, down)
        columns = slice(left, left + (grid.out_width - 1) * right + 1, right)
        total += kernels[..., u, v] @ padded[:, :, rows, columns].reshape(*padded.shape[:2], -1)
    return total.ravel()
