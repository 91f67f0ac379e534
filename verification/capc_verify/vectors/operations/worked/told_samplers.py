"""The samplers of section 13 as the text tells them: who draws what, draw by draw."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import isqrt
from typing import NamedTuple

from capc.foundation.randomness import BytesSource


class Draw(NamedTuple):
    """One draw: the step of the text, the call, the bytes that it took, and its value."""

    step: str
    call: str
    taken: bytes
    value: int


class Tracer:
    """A stream that writes down who draws what."""

    def __init__(self, data: bytes) -> None:
        self._source, self._data = BytesSource(data), data
        self.draws: list[Draw] = []

    def bits(self, step: str, width: int) -> int:
        """A draw of the text, noted."""
        return self._noted(step, f"bits({width})", lambda: self._source.bits(width))

    def below(self, step: str, bound: int) -> int:
        """Likewise."""
        return self._noted(step, f"below({bound})", lambda: self._source.below(bound))

    @property
    def consumed(self) -> int:
        """Bytes so far."""
        return self._source.consumed

    def _noted(self, step: str, call: str, draw: Callable[[], int]) -> int:
        before = self._source.consumed
        value = draw()
        self.draws.append(Draw(step, call, self._data[before : self._source.consumed], value))
        return value


def series(attempt: Callable[[int], bool]) -> bool:
    """Whether the first n at which an attempt fails is odd."""
    n = 1
    while attempt(n):
        n += 1
    return n % 2 == 1


def trial(tracer: Tracer, step: str, gamma: Fraction) -> bool:
    """E1 and E2."""
    whole, rest = divmod(gamma.numerator, gamma.denominator)
    for _ in range(whole):
        if not series(lambda n: tracer.below(f"{step}, E1", n) == 0):
            return False
    return series(lambda n: tracer.below(f"{step}, E2", gamma.denominator * n) < rest)


def is_below(tracer: Tracer, step: str, digits: list[int]) -> bool:
    """U1 to U3."""
    place = 0
    while True:
        fresh = tracer.bits(f"{step}, U1", 8)
        if place == len(digits):
            digits.append(tracer.bits(f"{step}, U2", 8))
        if fresh != digits[place]:
            return fresh < digits[place]
        place += 1


def rounded(tracer: Tracer, sigma: Fraction) -> int:
    """N1 to N6."""
    while True:
        k = 0
        while trial(tracer, "N1", Fraction(1, 2)):
            k += 1
        if not trial(tracer, "N2", Fraction(k * (k - 1), 2)):
            continue
        digits: list[int] = []
        if _accept(tracer, k, digits):
            break
    negative = tracer.bits("N5", 1)
    count = 0
    while True:
        while len(digits) < count:
            digits.append(tracer.bits("N6", 8))
        low = sigma * (k + Fraction(int.from_bytes(bytes(digits[:count]), "big"), 256**count))
        nearest = int(low + Fraction(1, 2))
        if low + sigma / 256**count <= nearest + Fraction(1, 2):
            return -nearest if negative else nearest
        count += 1


def _accept(tracer: Tracer, k: int, digits: list[int]) -> bool:
    return all(series(lambda n: _attempt(tracer, k, digits, n)) for _ in range(k + 1))


def _attempt(tracer: Tracer, k: int, digits: list[int], n: int) -> bool:
    if tracer.below("N4a", n) != 0 or not is_below(tracer, "N4b", digits):
        return False
    case = tracer.below("N4c", 2 * k + 2)
    return is_below(tracer, "N4d", digits) if case == 2 * k else case < 2 * k


def laplace(tracer: Tracer, t: int) -> int:
    """D1 to D4: y, with its sign."""
    while True:
        u = tracer.below("D1", t)
        if not trial(tracer, "D2", Fraction(u, t)):
            continue
        v = 0
        while trial(tracer, "D3", Fraction(1)):
            v += 1
        y = u + t * v
        negative = tracer.bits("D4", 1)
        if not (negative and y == 0):
            return -y if negative else y


def discrete(tracer: Tracer, variance: Fraction) -> int:
    """D1 to D5."""
    t = isqrt(int(variance)) + 1
    while True:
        y = laplace(tracer, t)
        if trial(tracer, "D5", (abs(y) - variance / t) ** 2 / (2 * variance)):
            return y


def poisson(tracer: Tracer, step: str, mean: Fraction) -> int:
    """P1 to P4."""
    parts = -(-2 * mean // 1)
    ratio = 2 * mean / parts
    total = 0
    for _ in range(int(parts)):
        accepted = False
        while not accepted:
            n = 0
            while tracer.bits(f"{step}, P2", 1) == 1:
                n += 1
            accepted = all(
                tracer.below(f"{step}, P3", ratio.denominator * i) < ratio.numerator for i in range(1, n + 1)
            )
        total += n
    return total


def difference(tracer: Tracer, variance: Fraction) -> int:
    """S1 and S2."""
    first = poisson(tracer, "S1", variance / 2)
    return first - poisson(tracer, "S2", variance / 2)
