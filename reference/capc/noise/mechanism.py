"""Noise mechanisms: the object that samples is the object that is charged (CAPC-ACCT-003).

A mechanism has a standard deviation in votes and a grid: votes are scaled by 2^g and samples are integers in grid
units, so that one grid unit is 2^-g votes. Costs are exact rationals, added up over everything released.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import ClassVar, Protocol

from capc.foundation.errors import InputError
from capc.foundation.randomness import RandomSource
from capc.noise.discrete_gaussian import discrete_gaussian
from capc.noise.gaussian import round_gaussian
from capc.noise.grid_noise import GridNoise, check_order
from capc.noise.sensitivity import Sensitivity
from capc.noise.skellam import skellam, skellam_renyi
from capc.session.parameters import NoiseName, ReleasePolicy


class CostUnit(StrEnum):
    """What a cost counts. Costs of different units are never added."""

    MU_SQUARED = "mu_squared"
    """mu^2 of mu-Gaussian DP (Dong, Roth and Su). mu^2 adds up under composition."""
    RHO = "rho"
    """rho of rho-zero-concentrated DP (Bun and Steinke 2016). rho adds up under composition."""
    RENYI = "renyi"
    """The Renyi divergence at one order that is fixed beforehand (Mironov 2017). It adds up under composition."""
    QUERIES = "queries"
    """Queries of one policy, of which it says how many keep its epsilon and delta together (CAPC-ACCT-130)."""


class Mechanism(Protocol):
    """Additive noise of one law: how it is drawn, and what one release under it costs."""

    @property
    def name(self) -> NoiseName:
        """The law, as parameters and wire name it."""

    @property
    def unit(self) -> CostUnit:
        """The unit of :meth:`cost`."""

    def sample(self, source: RandomSource, count: int) -> list[int]:
        """``count`` independent draws, in grid units."""

    def cost(self, squared_sensitivity: Fraction) -> Fraction:
        """The cost of releasing a vector to which this noise was added, one draw per entry.

        Args:
            squared_sensitivity: D^2 in votes^2, the largest squared Euclidean distance of the un-noised vectors
                of two neighbouring inputs.

        Raises:
            InputError: the law has a cost at a Renyi order only.
        """

    def rdp_cost(self, order: Fraction, sensitivity: Sensitivity) -> Fraction:
        """The Renyi divergence of that order, or an upper bound of it.

        Args:
            order: a.
            sensitivity: of the vector.

        Raises:
            InputError: the order is not above 1.
        """


@dataclass(frozen=True)
class RoundedGaussian(GridNoise):
    """A continuous Gaussian, rounded to the grid; charged by Gaussian DP: mu^2 = D^2 / sigma^2.

    Votes are whole multiples of the grid unit, so rounding the noise and then adding it equals adding it and then
    rounding: the release is post-processing of the continuous Gaussian mechanism, and its exact cost holds.

    Its deviation is that before rounding. Spec: CAPC-NOISE-001, CAPC-ACCT-003.
    """

    name: ClassVar = NoiseName.ROUNDED_GAUSSIAN
    unit: ClassVar = CostUnit.MU_SQUARED

    def _draw(self, source: RandomSource) -> int:
        return round_gaussian(source, self.sigma_votes * (1 << self.grid_bits))

    def cost(self, squared_sensitivity: Fraction) -> Fraction:
        """mu^2 = D^2 / sigma^2, exactly. ``squared_sensitivity`` is D^2 in votes^2."""
        return Fraction(squared_sensitivity, self.sigma_votes**2)

    def rdp_cost(self, order: Fraction, sensitivity: Sensitivity) -> Fraction:
        """A D^2 / (2 sigma^2), that of the continuous Gaussian."""
        check_order(order)
        return Fraction(order * self.cost(sensitivity.squared), 2)


@dataclass(frozen=True)
class DiscreteGaussian(GridNoise):
    """The discrete Gaussian on the grid; charged by zCDP: rho = D^2 / (2 sigma^2).

    Source: Canonne, Kamath and Steinke 2020 (arXiv 2004.00010) for the cost of integer shifts.
    Spec: CAPC-NOISE-002, CAPC-ACCT-003.
    """

    name: ClassVar = NoiseName.DISCRETE_GAUSSIAN
    unit: ClassVar = CostUnit.RHO

    def _draw(self, source: RandomSource) -> int:
        return discrete_gaussian(source, self.variance)

    def cost(self, squared_sensitivity: Fraction) -> Fraction:
        """Rho = D^2 / (2 sigma^2), exactly. ``squared_sensitivity`` is D^2 in votes^2."""
        return Fraction(squared_sensitivity, 2 * self.sigma_votes**2)

    def rdp_cost(self, order: Fraction, sensitivity: Sensitivity) -> Fraction:
        """A rho."""
        check_order(order)
        return order * self.cost(sensitivity.squared)


@dataclass(frozen=True)
class Skellam(GridNoise):
    """Skellam noise on the grid; charged at a Renyi order only. The time of a draw grows with sigma^2.

    Spec: CAPC-NOISE-005, CAPC-ACCT-003.
    """

    name: ClassVar = NoiseName.SKELLAM
    unit: ClassVar = CostUnit.RENYI

    def _draw(self, source: RandomSource) -> int:
        return skellam(source, self.variance)

    def cost(self, squared_sensitivity: Fraction) -> Fraction:
        """Refused: neither mu^2 nor rho bounds it.

        Raises:
            InputError: always.
        """
        raise InputError(f"skellam noise has no cost for D^2 = {squared_sensitivity} alone: charge it at a Renyi order")

    def rdp_cost(self, order: Fraction, sensitivity: Sensitivity) -> Fraction:
        """The bound of :func:`~capc.noise.skellam.skellam_renyi`."""
        check_order(order)
        unit = 1 << self.grid_bits
        return skellam_renyi(order, self.variance, sensitivity.squared * unit**2, sensitivity.absolute * unit)


_MECHANISMS = {mechanism.name: mechanism for mechanism in (RoundedGaussian, DiscreteGaussian, Skellam)}


def mechanism_for(name: NoiseName, sigma_votes: Fraction, grid_bits: int) -> Mechanism:
    """The mechanism of that name.

    Args:
        name: the law.
        sigma_votes: the standard deviation in votes.
        grid_bits: g.

    Raises:
        InputError: the name, sigma or g cannot be used.
    """
    if name not in _MECHANISMS:
        raise InputError(f"noise mechanism {name!r} is unknown: choose one of {', '.join(_MECHANISMS)}")
    return _MECHANISMS[name](sigma_votes, grid_bits)


@dataclass(frozen=True)
class ReleaseMechanisms:
    """The mechanisms of one release: the privacy guardian samples from them, the account charges them.

    Attributes:
        answer: the noise on each class's votes.
        threshold: the noise on each class's votes in a check with draws of its own, or None without one. In realised
            mode the querying party adds draws of its own; either party's alone protect against the other party, so
            the cost is that of one draw per class.
    """

    answer: Mechanism
    threshold: Mechanism | None


def release_mechanisms(policy: ReleasePolicy, grid_bits: int) -> ReleaseMechanisms:
    """The mechanisms that a policy names, on the grid 2^-g."""
    threshold = None
    if policy.threshold_sigma is not None:
        threshold = mechanism_for(policy.mechanism, policy.threshold_sigma, grid_bits)
    return ReleaseMechanisms(mechanism_for(policy.mechanism, policy.sigma, grid_bits), threshold)
