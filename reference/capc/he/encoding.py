"""Vectors and matrices as polynomials, so that one product of polynomials is a product of matrix and vector.

A block of bi inputs and bo outputs, bi * bo <= N, is encoded as

    x(X) = sum_j x_j X^j                W(X) = sum_{o,j} W[o,j] X^(o bi + bi - 1 - j)

and output o is the coefficient of X^(o bi + bi - 1) in x W. Terms above degree N - 1 come back below degree
bi - 1, where no output lives. No rotation is needed.

Source: Huang, Lu, Hong, Ding, USENIX Security 2022 (Cheetah).
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from capc.he.serialisation import Words
from capc.linear import LayerShape


class Tiling(NamedTuple):
    """A layer cut into blocks.

    Attributes:
        shape: the layer.
        degree: N.
        block_inputs: bi, inputs per block; one ciphertext up for each column of blocks.
        block_outputs: bo, outputs per block; one ciphertext down for each row of blocks.
    """

    shape: LayerShape
    degree: int
    block_inputs: int
    block_outputs: int

    @property
    def columns(self) -> list[slice]:
        """The inputs of each ciphertext of a request, in order."""
        return _cut(self.shape.inputs, self.block_inputs)

    @property
    def rows(self) -> list[slice]:
        """The outputs of each ciphertext of a response, in order."""
        return _cut(self.shape.outputs, self.block_outputs)

    def positions(self, row: slice) -> list[int]:
        """The coefficients that carry the outputs of ``row``, in order."""
        count = row.stop - row.start
        return list(range(self.block_inputs - 1, count * self.block_inputs, self.block_inputs))


@lru_cache(maxsize=1024)
def tile(shape: LayerShape, degree: int, request_bytes: int, response_bytes: int) -> Tiling:
    """The tiling with the fewest bytes in both directions; among equals, the one with fewest requests.

    Args:
        shape: the layer, with at least one input and one output.
        degree: N.
        request_bytes: bytes of one ciphertext of a request.
        response_bytes: bytes of one ciphertext of a response, outputs not counted.
    """
    best_cost, best_inputs = None, 0
    for columns in range(_ceil(shape.inputs, degree), shape.inputs + 1):
        if best_cost is not None and columns * request_bytes >= best_cost:
            break
        block_inputs = _ceil(shape.inputs, columns)
        rows = _ceil(shape.outputs, degree // block_inputs)
        cost = columns * request_bytes + rows * response_bytes
        if best_cost is None or cost < best_cost:
            best_cost, best_inputs = cost, block_inputs
    return Tiling(shape, degree, best_inputs, min(shape.outputs, degree // best_inputs))


def encode_vector(tiling: Tiling, vector: Words) -> list[Words]:
    """One polynomial for each column of blocks, from the ``shape.inputs`` elements."""
    polynomials = []
    for column in tiling.columns:
        polynomial = np.zeros(tiling.degree, dtype=np.uint64)
        polynomial[: column.stop - column.start] = vector[column]
        polynomials.append(polynomial)
    return polynomials


def encode_block(tiling: Tiling, weights: Words, row: slice, column: slice) -> Words:
    """The polynomial of one block of the (outputs, inputs) weights."""
    block = weights[row, column]
    polynomial = np.zeros(tiling.degree, dtype=np.uint64)
    grid = polynomial[: tiling.block_outputs * tiling.block_inputs].reshape(-1, tiling.block_inputs)
    grid[: block.shape[0], tiling.block_inputs - block.shape[1] :] = block[:, ::-1]
    return polynomial


def _cut(total: int, step: int) -> list[slice]:
    return [slice(start, min(start + step, total)) for start in range(0, total, step)]


def _ceil(numerator: int, denominator: int) -> int:
    return -(-numerator // denominator)
