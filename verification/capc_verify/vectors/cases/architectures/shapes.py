"""The architectures of the vectors."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from capc.models.architecture import Activation, Architecture, StageShape, dense_architecture
from capc.models.operators import Convolution, Dense, Grid, SumPool


def _max_pooled() -> Architecture:
    """A convolution, a ReLU with padded overlapping windows, a vote."""
    first = Convolution(Grid(2, 4, 4, (3, 3), padding=(1, 1)), 3)
    pool = Grid(3, 4, 4, (3, 3), (2, 2), (1, 1))
    return Architecture(
        (
            StageShape(first, 0, Activation.RELU_MAX_POOL, max_pool=pool),
            StageShape(Dense(12, 3), 1, Activation.VOTE),
        )
    )


def _residual() -> Architecture:
    """Two branches from value 1: one is left as sums, and the other adds it, and value 1 itself."""
    grid = Grid(2, 3, 3, (3, 3), padding=(1, 1))
    pointwise = Convolution(Grid(2, 3, 3, (1, 1)), 2, groups=2)
    return Architecture(
        (
            StageShape(Convolution(Grid(1, 3, 3, (3, 3), padding=(1, 1)), 2), 0, Activation.RELU),
            StageShape(pointwise, 1, Activation.NONE),
            StageShape(Convolution(grid, 2), 1, Activation.RELU, (1, 2)),
            StageShape(Dense(2, 3), 3, Activation.VOTE, sum_pool=SumPool(Grid(2, 3, 3, (3, 3)))),
        )
    )


def _sum_pooled() -> Architecture:
    """Sums over padded windows before the first operator and before the vote."""
    return Architecture(
        (
            StageShape(
                Convolution(Grid(2, 2, 2, (2, 2), padding=(1, 0)), 2),
                0,
                Activation.RELU,
                sum_pool=SumPool(Grid(2, 4, 3, (3, 2), (2, 1), (1, 0))),
            ),
            StageShape(Dense(4, 2), 1, Activation.VOTE, sum_pool=SumPool(Grid(2, 3, 1, (2, 1)))),
        )
    )


def _query_skipped() -> Architecture:
    """The query is added to sums, twice in one stage, and to the logits."""
    return Architecture(
        (
            StageShape(Dense(3, 3), 0, Activation.RELU, (0, 0)),
            StageShape(Dense(3, 3), 0, Activation.NONE),
            StageShape(Dense(3, 3), 1, Activation.VOTE, (0, 1, 2)),
        )
    )


_POOLED = StageShape(
    Convolution(Grid(2, 4, 4, (3, 3), padding=(1, 1)), 2),
    0,
    Activation.RELU_MAX_POOL,
    max_pool=Grid(2, 4, 4, (2, 2), (2, 2)),
)
"""The first stage where kinds of ReLUs are told apart."""


def _capped() -> Architecture:
    """Caps with and without a pool; weights of more and of fewer fraction bits, on both sides of a skip of sums."""
    return Architecture(
        (
            replace(_POOLED, cap_bits=3, weight_bits=3),
            StageShape(Dense(8, 8), 1, Activation.NONE, weight_bits=1),
            StageShape(Dense(8, 8), 1, Activation.RELU, (1, 2), cap_bits=2, weight_bits=1),
            StageShape(Dense(8, 3), 3, Activation.VOTE, weight_bits=0, sum_bits=9),
        )
    )


def _at_most() -> Architecture:
    """Caps of 3/2 and of 6 with a pool, one of which another cap is above, and one of 5/8 that is rounded to 1/2."""
    return Architecture(
        (
            replace(_POOLED, cap=Fraction(6), weight_bits=1),
            StageShape(Dense(8, 8), 1, Activation.RELU, cap=Fraction(3, 2), cap_bits=4),
            StageShape(Dense(8, 8), 2, Activation.RELU, cap=Fraction(5, 8)),
            StageShape(Dense(8, 3), 3, Activation.VOTE, (), SumPool(Grid(2, 2, 2, (1, 1)))),
        )
    )


def _leaky() -> Architecture:
    """Leaks with and without a pool, caps and skips of signed values, and a sum pool over such a value."""
    return Architecture(
        (
            replace(_POOLED, leak_bits=1, cap_bits=4),
            StageShape(Dense(8, 8), 1, Activation.RELU, (1,), leak_bits=2),
            StageShape(Dense(8, 8), 2, Activation.RELU, (1, 2), leak_bits=5, cap_bits=3, weight_bits=4),
            StageShape(Dense(2, 3), 3, Activation.VOTE, sum_pool=SumPool(Grid(2, 2, 2, (2, 2)))),
        )
    )


SHAPES = {
    "linear": dense_architecture((2, 3)),
    "fully_connected": dense_architecture((3, 4, 5, 2)),
    "max_pooled": _max_pooled(),
    "residual": _residual(),
    "sum_pooled": _sum_pooled(),
    "query_skipped": _query_skipped(),
    "capped": _capped(),
    "at_most": _at_most(),
    "leaky": _leaky(),
}
"""By the names of tests."""
LENGTHS = {
    "linear": [2, 3],
    "fully_connected": [3, 4, 5, 2],
    "max_pooled": [32, 12, 3],
    "residual": [9, 18, 18, 18, 3],
    "sum_pooled": [24, 6, 2],
    "query_skipped": [3, 3, 3, 3],
    "capped": [32, 8, 8, 8, 3],
    "at_most": [32, 8, 8, 8, 3],
    "leaky": [32, 8, 8, 8, 3],
    "most_stages": [2] * 256,
}
"""Counted by hand: the features, and what each stage makes."""
