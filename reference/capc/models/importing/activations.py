"""Activations, the same for every framework: ReLUs with bounds on both sides or a leak, and what is made of these.

All of them are one form: a value between two constants, of which either may be missing, or a leak of slope 2^-s.
ReLU6 and a hard tangent are that; the largest or smallest of a value and a constant have one bound, and a hard sigmoid
is one with constants around it. What multiplies two values of the network is none of them.
"""

from __future__ import annotations

from math import frexp, inf

import numpy as np

from capc.models.architecture import MOST_LEAK_BITS
from capc.models.importing import arithmetic
from capc.models.importing.arithmetic import Operand, Place
from capc.models.importing.graph import Clamp, Identity, LeakyRelu, Relu, UnsupportedError


def clamped(place: Place, value: str, low: float = -inf, high: float = inf) -> str:
    """max(low, min(x, high)).

    Raises:
        UnsupportedError: the bounds leave nothing between them.
    """
    if (low, high) == (0, inf):
        return place.add(Relu(), value)
    if (low, high) == (-inf, inf):
        return place.add(Identity(), value)
    if not low < high:
        raise UnsupportedError(f"nothing lies between its bounds {low:g} and {high:g}", "give it two bounds, in order")
    return place.add(Clamp(low, high), value)


def leaking(place: Place, value: str, slope: float) -> str:
    """x where it is not negative, else slope x.

    Raises:
        UnsupportedError: the slope is no power of two from 2^-32 to 1/2.
    """
    if slope in {0, 1}:
        return place.add(Relu() if slope == 0 else Identity(), value)
    mantissa, exponent = frexp(slope)
    bits = 1 - exponent
    if mantissa != 0.5 or not 1 <= bits <= MOST_LEAK_BITS:
        # Of two neighbours the nearer on the scale of factors; 0.01 becomes 2^-7.
        near = min(max(round(-np.log2(slope)) if slope > 0 else 7, 1), 10)
        raise UnsupportedError(
            f"its slope {slope:.6g} is no power of two below 1",
            f"use 2**-{near}, which is {2.0**-near:g}, and train it again",
        )
    return place.add(LeakyRelu(bits), value)


def hard_sigmoid(place: Place, value: str, slope: float, shift: float) -> str:
    """max(0, min(slope x + shift, 1)): a value between 0 and 1 / slope, times the slope.

    Raises:
        UnsupportedError: the slope is not above 0.
    """
    if not slope > 0:
        raise UnsupportedError(f"its slope is {slope:g}", "use one above 0")
    moved = arithmetic.plus(place, value, np.array(shift / slope))
    return arithmetic.times(place, clamped(place, moved, 0, 1 / slope), np.array(slope))


def largest(place: Place, *operands: Operand) -> str:
    """The largest of one value of the network and constants."""
    value, constant = _with_constants(operands, np.maximum)
    return clamped(place, value, low=constant)


def smallest(place: Place, *operands: Operand) -> str:
    """The smallest, likewise."""
    value, constant = _with_constants(operands, np.minimum)
    return clamped(place, value, high=constant)


def _with_constants(operands: tuple[Operand, ...], of_two: np.ufunc) -> tuple[str, float]:
    """The value, and what the constants come to."""
    values = [operand for operand in operands if isinstance(operand, str)]
    if len(set(values)) != 1:
        remedy = "values of the network must join by addition or concatenation; or compare with a constant"
        raise UnsupportedError("it compares two values of the network", remedy)
    constants = [one_number(operand) for operand in operands if not isinstance(operand, str)]
    return values[0], float(of_two.reduce(constants)) if constants else float(-inf if of_two is np.maximum else inf)


def one_number(constants: Operand) -> float:
    """The number that all these constants are.

    Raises:
        UnsupportedError: they differ, or depend on the query.
    """
    if isinstance(constants, str):
        raise UnsupportedError("a bound of it depends on the query", "use a constant")
    numbers = np.unique(np.asarray(constants, dtype=np.float64))
    if len(numbers) != 1 or np.isnan(numbers).any():
        raise UnsupportedError("its constants differ from entry to entry", "use one number for all")
    return float(numbers[0])
