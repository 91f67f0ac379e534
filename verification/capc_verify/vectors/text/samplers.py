"""Section 13: the samplers of noise as the text tells them, draw by draw, and what they draw in an example."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import isqrt
from typing import NamedTuple

from capc.foundation.randomness import BytesSource, Seed, XofSource
from capc.noise.discrete_gaussian import discrete_gaussian
from capc.noise.gaussian import round_gaussian
from capc.noise.skellam import skellam
from capc_verify.vectors.build import GenerationError
from capc_verify.vectors.text.labels import SEED
from capc_verify.vectors.text.writing import table


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


def discrete(tracer: Tracer, variance: Fraction) -> int:
    """D1 to D6."""
    t = isqrt(int(variance)) + 1
    while True:
        u = tracer.below("D1", t)
        if not trial(tracer, "D2", Fraction(u, t)):
            continue
        v = 0
        while trial(tracer, "D3", Fraction(1)):
            v += 1
        y = u + t * v
        negative = tracer.bits("D4", 1)
        if negative and y == 0:
            continue
        if trial(tracer, "D5", (y - variance / t) ** 2 / (2 * variance)):
            return -y if negative else y


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


def rounded_trace() -> str:
    """A number whose draws go through most of the steps."""
    return _trace(rounded, round_gaussian, Fraction(40), "rounded/476")


def discrete_trace() -> str:
    """Likewise."""
    return _trace(discrete, discrete_gaussian, Fraction(25, 4), "discrete/80")


def skellam_trace() -> str:
    """Likewise."""
    return _trace(difference, skellam, Fraction(3, 2), "skellam")


def _trace(
    told: Callable[[Tracer, Fraction], int],
    sampler: Callable[[BytesSource, Fraction], int],
    scale: Fraction,
    label: str,
) -> str:
    """One number from the stream of the example's seed under the label."""
    data = XofSource(Seed(SEED), label.encode("ascii")).read(256)
    tracer, source = Tracer(data), BytesSource(data)
    value = told(tracer, scale)
    if (value, tracer.consumed) != (sampler(source, scale), source.consumed):
        raise GenerationError(f"{label}: the text and the sampler disagree")
    rows: list[tuple[object, ...]] = [
        (each.step, each.call, each.taken.hex() or "-", each.value) for each in tracer.draws
    ]
    rows.append(("result", "", f"{tracer.consumed} in all", value))
    return table("step | draw | bytes | value", rows)
