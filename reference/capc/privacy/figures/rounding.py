"""How upper bounds are written down: never below what is certified. Spec: CAPC-ACCT-004."""

from __future__ import annotations

from fractions import Fraction
from math import inf, nextafter

from capc.privacy.accountants.ball_arithmetic import decimal_text


def rounded_up(value: Fraction) -> float:
    """The nearest float, or the next one if that is smaller; the decimal that a user gave comes back as it was."""
    nearest = float(value)
    # A decimal and its nearest float print the same: moving it up would show digits that nobody gave.
    if Fraction(repr(nearest)) >= value:
        return nearest
    return nextafter(nearest, inf)


def upwards(bound: float) -> str:
    """A float of :func:`rounded_up` in six digits, rounded up again; a decimal of fewer digits as it is."""
    return decimal_text(Fraction(repr(bound)))
