"""Noise that no single party knows: each of several parties adds a share of its own.

A share has the interface of a mechanism's sampler. What protects is :class:`SharedNoise`, the sum of the shares of
those parties that neither collude nor dropped out: whoever colludes knows its own share and can subtract it, and a
share that was lost was never added.

Spec: CAPC-NOISE-005, CAPC-NOISE-006, CAPC-ACCT-106.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from capc.foundation.errors import InputError
from capc.foundation.randomness import RandomSource
from capc.noise.discrete_gaussian import discrete_gaussian
from capc.noise.grid_noise import GridNoise
from capc.noise.skellam import skellam

MIN_SHARE_DEVIATION = Fraction(3, 2)
"""In grid units. A sum of discrete Gaussians is not discrete Gaussian; from this deviation on, the difference costs at
most 4e-9 for each noised number (Kairouz, Liu and Steinke 2021), and it is charged all the same."""


@dataclass(frozen=True)
class DiscreteGaussianShare(GridNoise):
    """One party's discrete Gaussian share, with its own deviation v. Draws are the party's secret.

    Raises:
        InputError: the deviation is not a Fraction, or below 3/2 grid units; or g is negative.

    Source: Kairouz, Liu and Steinke 2021 (arXiv 2102.06387). Spec: CAPC-NOISE-006.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.sigma_votes * (1 << self.grid_bits) < MIN_SHARE_DEVIATION:
            raise InputError(
                f"share deviation = {self.sigma_votes} votes on a grid of 2^-{self.grid_bits}: "
                f"give at least {Fraction(MIN_SHARE_DEVIATION, 1 << self.grid_bits)} votes (3/2 grid units)"
            )

    def _draw(self, source: RandomSource) -> int:
        return discrete_gaussian(source, self.variance)


@dataclass(frozen=True)
class SkellamShare(GridNoise):
    """One party's Skellam share, with its own deviation; of a single contributor it is the whole noise.

    Source: Agarwal, Kairouz and Liu 2021 (arXiv 2110.04995). Spec: CAPC-NOISE-005.
    """

    def _draw(self, source: RandomSource) -> int:
        return skellam(source, self.variance)


NoiseShare = DiscreteGaussianShare | SkellamShare


@dataclass(frozen=True)
class SharedNoise:
    """The sum of equal, independent shares, as it protects against a coalition.

    Attributes:
        share: what each contributor draws.
        contributors: m, how many parties were to add a share.
        uncounted: c, how many of them collude or dropped out.

    Raises:
        InputError: no share is left that counts.

    Spec: CAPC-ACCT-106.
    """

    share: NoiseShare
    contributors: int
    uncounted: int = 0

    def __post_init__(self) -> None:
        if self.contributors < 1 or not 0 <= self.uncounted < self.contributors:
            raise InputError(
                f"uncounted = {self.uncounted} of contributors = {self.contributors} noise shares collude or are lost: "
                "at least one share must count"
            )

    @property
    def grid_bits(self) -> int:
        """G of every share."""
        return self.share.grid_bits

    @property
    def counted(self) -> int:
        """M - c, the shares that nobody in the coalition knows."""
        return self.contributors - self.uncounted

    @property
    def variance_votes(self) -> Fraction:
        """(m - c) v^2 in votes^2: the variance parameter that protects."""
        return self.counted * self.share.sigma_votes**2
