"""Certified numbers: rationals to balls, balls to decimals rounded in a stated direction.

A ball (python-flint's `arb`) is an interval that provably contains the exact value.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction

from flint import arb, ctx, fmpq

from capc.foundation.errors import InputError

DIGITS = 12
"""Decimal digits of a rounded figure."""
SIGMA_GRID = 64
"""Calibrated deviations are multiples of 1/64 votes."""
MAX_SIGMA = 1 << 20
LARGEST_EXPONENT = 9
LARGEST = 10**LARGEST_EXPONENT
"""No cost and no epsilon is larger."""

_START_PRECISION = 128
_ACCURACY_BITS = 64
_END_PRECISION = 512
_END_EXPONENT = 4096
_MAX_PRECISION = 1 << 14
_SMALLEST_EXPONENT = -30
_SHOWN_BITS = 128


def ball(value: Fraction | int) -> arb:
    """The smallest ball around a rational at the working precision."""
    exact = Fraction(value)
    return arb(fmpq(exact.numerator, exact.denominator))


def refined(formula: Callable[[], arb], negligible: Fraction) -> arb:
    """The formula's ball, once its radius is at most 2^-64 of its size, or of ``negligible`` if that is larger.

    Raises:
        InputError: no admitted precision is enough.
    """
    precision = _START_PRECISION
    while precision <= _MAX_PRECISION:
        with ctx.workprec(precision):
            found = formula()
            error = found.rad() * (1 << _ACCURACY_BITS)
            if found.is_finite() and (error <= abs(found) or error <= ball(negligible)):
                return found
        precision *= 2
    raise InputError("a privacy figure cannot be certified: give less extreme arguments")


def exact_upper(value: arb) -> Fraction:
    """The upper end of a ball as a dyadic rational, rounded up; one between 0 and 2^-4096 becomes 2^-4096.

    Raises:
        InputError: the ball is not finite, or ends above 2^4096.
    """
    if not value.is_finite():
        raise InputError("a privacy figure is not finite: give less extreme arguments")
    with ctx.workprec(_END_PRECISION):
        end = value.upper()
        smallest = arb(2) ** -_END_EXPONENT
        if end > 1 / smallest:
            raise InputError("a privacy figure is too large: give less extreme arguments")
        if abs(end) < smallest:
            # An exact rational would take as many bits as its exponent says.
            return Fraction(1, 1 << _END_EXPONENT) if end > 0 else Fraction(0)
    mantissa, exponent = (int(part) for part in end.man_exp())
    return mantissa * Fraction(2) ** exponent


def exact_lower(value: arb) -> Fraction:
    """The lower end of a ball as a dyadic rational, rounded down."""
    return -exact_upper(-value)


def decimal_upper(value: arb) -> Fraction:
    """The smallest decimal of 12 digits at or above the ball; 0 for a ball that ends below 0."""
    return round_up(max(Fraction(0), exact_upper(value)))


def round_up(value: Fraction) -> Fraction:
    """The smallest decimal of 12 digits that is at least ``value`` >= 0."""
    if value == 0:
        return Fraction(0)
    unit = Fraction(10) ** (decimal_exponent(value) - DIGITS + 1)
    return -(-value // unit) * unit


def round_down(value: Fraction) -> Fraction:
    """The largest decimal of 12 digits that is at most ``value`` > 0."""
    unit = Fraction(10) ** (decimal_exponent(value) - DIGITS + 1)
    return value // unit * unit


def decimal_exponent(value: Fraction) -> int:
    """The largest n with 10^n <= value, for a value above 0."""
    # Very long numbers have no text in Python, so their bits are counted; log10(2) is a little below 0.30103.
    exponent = (value.numerator.bit_length() - value.denominator.bit_length()) * 30103 // 100000
    while value < Fraction(10) ** exponent:
        exponent -= 1
    while value >= Fraction(10) ** (exponent + 1):
        exponent += 1
    return exponent


def decimal_step(
    holds: Callable[[Fraction], bool], largest_exponent: int = LARGEST_EXPONENT
) -> tuple[Fraction, Fraction]:
    """Neighbours (low, high) on a grid of 12 decimal digits, where ``holds`` changes from False to True.

    ``holds`` was evaluated at both ends, so both are certified; between them the search relies on monotonicity
    only for tightness.

    Raises:
        InputError: there is no change between 1e-30 and the largest value.
    """
    decade = 0
    while decade > _SMALLEST_EXPONENT and holds(Fraction(10) ** (decade - 1)):
        decade -= 1
    while decade <= largest_exponent and not holds(Fraction(10) ** decade):
        decade += 1
    if not _SMALLEST_EXPONENT < decade <= largest_exponent:
        raise InputError("a privacy conversion leaves the range 1e-30 .. 1e9: give less extreme arguments")
    unit = Fraction(10) ** (decade - DIGITS)
    found = first_place(lambda place: holds(place * unit), 10 ** (DIGITS - 1), 10**DIGITS)
    return (found - 1) * unit, found * unit


def first_place(holds: Callable[[int], bool], below: int, above: int) -> int:
    """The place in (below, above] where ``holds`` changes from False to True.

    The caller knows that it is False at ``below`` and True at ``above``.
    """
    while above - below > 1:
        middle = (below + above) // 2
        below, above = (below, middle) if holds(middle) else (middle, above)
    return above


def first_place_near(holds: Callable[[int], bool], near: int, most: int) -> int | None:
    """The place from 1 to ``most`` where ``holds`` changes from False to True, 1 if it is True there; None without one.

    Args:
        holds: asked of few places, the fewer the nearer the search begins.
        near: at least 1, where it begins; the answer does not depend on it.
        most: the last place.
    """
    here, stride = min(near, most), 1
    if holds(here):
        while here > stride and holds(here - stride):
            here, stride = here - stride, 2 * stride
        return first_place(holds, max(0, here - stride), here)
    while not holds(min(here + stride, most)):
        here, stride = here + stride, 2 * stride
        if here >= most:
            return None
    return first_place(holds, here, min(here + stride, most))


def smallest_sigma(
    enough: Callable[[Fraction], bool], epsilon: Fraction, near: Fraction = Fraction(1, SIGMA_GRID)
) -> Fraction:
    """The smallest deviation on a grid of 1/64 votes that is enough, where more is enough too.

    Args:
        enough: whether a deviation is.
        epsilon: the budget, for a message.
        near: a deviation on the grid where the search begins; the answer does not depend on it.

    Raises:
        InputError: none up to 2^20 votes is enough; the message names the budget epsilon.
    """
    found = first_place_near(
        lambda steps: enough(Fraction(steps, SIGMA_GRID)), int(near * SIGMA_GRID), MAX_SIGMA * SIGMA_GRID
    )
    if found is None:
        remedy = f"no sigma up to {MAX_SIGMA} votes is enough: give a larger budget"
        raise InputError(f"epsilon = {shown(epsilon)}: {remedy}")
    return Fraction(found, SIGMA_GRID)


def decimal_text(value: Fraction) -> str:
    """A decimal of 6 significant digits that is at least ``value`` >= 0: below 1e-6 and from 1e6 on as 1.00604e6."""
    if value == 0:
        return "0"
    shift = decimal_exponent(value) - 5
    digits = int(-(-value // Fraction(10) ** shift))
    # Rounding up may have made it a digit longer.
    exponent = shift + len(str(digits)) - 1
    if -6 <= exponent < 6:
        return f"{Decimal(digits).scaleb(shift).normalize():f}"
    first, rest = str(digits)[0], str(digits)[1:].rstrip("0")
    return f"{first}{'.' if rest else ''}{rest}e{exponent}"


def normal_cdf(z: arb) -> arb:
    """Phi(z)."""
    return (-z / arb(2).sqrt()).erfc() / 2


def shown(value: object) -> str:
    """A value for a message: long rationals as about so much, since a line must stay one."""
    if not isinstance(value, Fraction | int) or max(map(int.bit_length, value.as_integer_ratio())) <= _SHOWN_BITS:
        return str(value)
    return ("about -" if value < 0 else "about ") + decimal_text(abs(Fraction(value)))


def require(holds: bool, name: str, value: object, remedy: str) -> None:
    """Refuses a caller's value in one line."""
    if not holds:
        raise InputError(f"{name} = {shown(value)}: {remedy}")
