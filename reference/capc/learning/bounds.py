"""How large weights may be, by public figures, so that no network that keeps the bound can wrap in the logit ring."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import sqrt

from capc.foundation.errors import InputError

LEAST_BOUND = 1.0
"""A unit that may not even pass on one feature as it is cannot tell anything."""

_SLACK = 1.0 - 2.0**-20
"""For sums of absolute weights that are taken in floats."""


def weight_bound(sizes: Sequence[int], fraction_bits: int, logit_bits: int) -> tuple[float, ...]:
    """For each layer the sum of a unit's absolute weights and of its absolute bias that training may not exceed.

    A network of ReLUs within these bounds passes ``QuantisedModel.check_ranges`` whatever its weights are, after they
    were rounded. A weight that is rounded grows by at most half a unit, and to at most its double; whichever says less
    of a whole row is taken. What the ring holds is shared over the layers by the square roots of their inputs, as
    random initial weights grow; the last layer has what the rounding of the others left.

    Args:
        sizes: features, units of each hidden layer, classes: at least two numbers.
        fraction_bits: f.
        logit_bits: l.

    Raises:
        InputError: some layer's bound would be below 1: so many layers do not fit into this ring.

    Spec: CAPC-RUN-024, CAPC-PARAM-030.
    """
    one, most = 1 << fraction_bits, (1 << (logit_bits - 2)) - 1
    inputs = list(sizes[:-1])
    natural = [sqrt(count) for count in inputs]
    # Ring and rounding say how much is to be shared; what rounding may add is taken from every share alike.
    share = _share(natural, most / one**2)
    for _ in range(_MOST_STEPS):
        found = _bounds(inputs, [value * share for value in natural], fraction_bits, most)
        # A last layer that got less than its share gets some of what hidden ones have.
        if len(inputs) == 1 or found[-1] >= natural[-1] * share:
            break
        share *= _STEP
    if min(found) < LEAST_BOUND:
        raise InputError(
            f"a network of the sizes {'-'.join(map(str, sizes))} does not fit a logit ring of {logit_bits} bits with "
            f"{fraction_bits} fraction bits: choose fewer hidden layers, or a wider ring"
        )
    return tuple(bound * _SLACK for bound in found)


_STEP = 0.98
_MOST_STEPS = 400


def _share(natural: Sequence[float], room: float) -> float:
    product = 1.0
    for value in natural:
        product *= value
    return float((room / product) ** (1 / len(natural)))


def _bounds(inputs: Sequence[int], wanted: Sequence[float], fraction_bits: int, most: int) -> list[float]:
    """The hidden layers' bounds as wanted, and the largest that the last may have after them."""
    reach = 1 << fraction_bits
    for count, bound in zip(inputs[:-1], wanted[:-1], strict=True):
        reach = _largest_sum(Fraction(bound), count, reach, fraction_bits) >> fraction_bits
    unit = Fraction(max(reach, 1 << fraction_bits) << fraction_bits)
    by_halves = most - Fraction(inputs[-1] * reach + 1, 2)
    return [*wanted[:-1], float(max(by_halves, Fraction(most, 2)) / unit)]


def _largest_sum(bound: Fraction, count: int, reach: int, fraction_bits: int) -> int:
    """The largest sum of a unit, with 2f fraction bits, whose ``count`` inputs are at most ``reach``."""
    exact = bound * (max(reach, 1 << fraction_bits) << fraction_bits)
    return int(min(exact + Fraction(count * reach + 1, 2), 2 * exact))
