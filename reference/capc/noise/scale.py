"""What every object that draws noise checks of its arguments."""

from __future__ import annotations

from fractions import Fraction

from capc.foundation.errors import InputError


def check_scale(sigma_votes: Fraction, grid_bits: int) -> None:
    """Checks a deviation in votes and the grid 2^-g.

    Raises:
        InputError: the deviation is not a Fraction above 0, or g is negative.
    """
    # A float would arrive here silently rounded: only an exact rational is the deviation that is charged.
    if not isinstance(sigma_votes, Fraction) or sigma_votes <= 0:
        raise InputError(f"sigma_votes = {sigma_votes!r}: give a Fraction above 0 votes")
    if grid_bits < 0:
        raise InputError(f"grid_bits = {grid_bits}: give 0 or more")


def check_order(order: Fraction) -> None:
    """Checks a Renyi order.

    Raises:
        InputError: it is not above 1.
    """
    if order <= 1:
        raise InputError(f"renyi_order = {order}: give an order above 1")


def check_count(count: int) -> None:
    """Checks a number of draws.

    Raises:
        InputError: it is negative.
    """
    if count < 0:
        raise InputError(f"sample: count = {count}: give 0 or more draws")
