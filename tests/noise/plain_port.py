"""The samplers a second time: what a port makes of the byte rules' text."""

from __future__ import annotations

from fractions import Fraction


class PlainPort:
    """The byte rules of capc.noise, written a second time from their text, without any of its code.

    Probabilities are compared as fractions, series are written out, and the rounding compares rationals.
    """

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def byte(self) -> int:
        self.at += 1
        return self.data[self.at - 1]

    def below(self, bound: int) -> int:
        width = len(f"{bound - 1:b}") if bound > 1 else 0
        while True:
            value = 0
            for place in range(-(-width // 8)):
                value += self.byte() * 256**place
            value %= 2**width
            if value < bound:
                return value

    def exp_minus(self, a: int, b: int) -> bool:
        while a > b or (a == b and a > 0):
            n = 1
            while self.below(n) == 0:
                n += 1
            if n % 2 == 0:
                return False
            a -= b
        n = 1
        while self.below(b * n) < a:
            n += 1
        return n % 2 == 1

    def is_below(self, digits: list[int]) -> bool:
        place = 0
        while True:
            fresh = self.byte()
            if place == len(digits):
                digits.append(self.byte())
            if fresh != digits[place]:
                return fresh < digits[place]
            place += 1

    def accept(self, k: int, digits: list[int]) -> bool:
        for _ in range(k + 1):
            n = 1
            while self.below(n) == 0 and self.is_below(digits):
                case = self.below(2 * k + 2)
                if case == 2 * k + 1 or (case == 2 * k and not self.is_below(digits)):
                    break
                n += 1
            if n % 2 == 0:
                return False
        return True

    def rounded(self, sigma: Fraction) -> int:
        while True:
            k = 0
            while self.exp_minus(1, 2):
                k += 1
            digits: list[int] = []
            if self.exp_minus(k * (k - 1) // 2, 1) and self.accept(k, digits):
                break
        sign = (1, -1)[self.byte() % 2]
        known = 0
        while True:
            while len(digits) < known:
                digits.append(self.byte())
            low = k + sum(Fraction(digit, 256 ** (i + 1)) for i, digit in enumerate(digits[:known]))
            nearest = int(sigma * low + Fraction(1, 2))
            if sigma * (low + Fraction(1, 256**known)) <= nearest + Fraction(1, 2):
                return sign * nearest
            known += 1

    def discrete(self, variance: Fraction) -> int:
        t = 1
        while t * t <= variance:
            t += 1
        while True:
            u = self.below(t)
            share = Fraction(u, t)
            if not self.exp_minus(share.numerator, share.denominator):
                continue
            v = 0
            while self.exp_minus(1, 1):
                v += 1
            y = u + t * v
            negative = self.byte() % 2
            if negative and y == 0:
                continue
            gamma = (y - variance / t) ** 2 / (2 * variance)
            if self.exp_minus(gamma.numerator, gamma.denominator):
                return -y if negative else y

    def poisson(self, mean: Fraction) -> int:
        parts = 1
        while mean / parts > Fraction(1, 2):
            parts += 1
        q2 = 2 * mean / parts
        total = 0
        for _ in range(parts):
            while True:
                n = 0
                while self.byte() % 2:
                    n += 1
                i = 1
                while i <= n and self.below(q2.denominator * i) < q2.numerator:
                    i += 1
                if i > n:
                    break
            total += n
        return total
