"""From real numbers to integers with f fraction bits, and nothing else: floats end here (CAPC-PARAM-040)."""

from __future__ import annotations

import math
from collections.abc import Sequence

from capc.foundation.errors import InputError


def quantise(values: Sequence[float], fraction_bits: int) -> list[int]:
    """Each value times 2^f, rounded to the nearest integer, halves to the even one.

    The error is at most 2^-(f+1). Scaling by a power of two and rounding are exact, so the result does not depend
    on the machine.

    Args:
        values: finite numbers.
        fraction_bits: f.

    Raises:
        InputError: a value is NaN or infinite; the message names its position, not the value, which may be private.
    """
    for position, value in enumerate(values):
        if not math.isfinite(value):
            raise InputError(f"value {position} of {len(values)} is not a finite number: clean the data first")
    return [_nearest(value, fraction_bits) for value in values]


def _nearest(value: float, fraction_bits: int) -> int:
    # From 2^53 on a float is an integer, and scaling it as a float could overflow.
    return round(math.ldexp(value, fraction_bits)) if abs(value) < 1 << 53 else int(value) << fraction_bits
