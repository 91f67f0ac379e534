"""Value functions that are expected, by which meshes are cut: they decide how tight a bound is, never whether it holds.

After labels whose costs add up to mu^2, the value is about that of one Gaussian mechanism,
W(z) = z Phi(ln z / mu + mu / 2) - Phi(ln z / mu - mu / 2). Plain doubles are enough here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from capc.privacy.composition.noise_tables import Floats

_KNOTS = np.linspace(-38.0, 38.0, 7601)
_LOG_CDF = np.log([math.erfc(-x / math.sqrt(2)) / 2 for x in _KNOTS])
_SHARES = (1, 3 / 4, 1 / 2, 1 / 4, 1 / 16, 1 / 64)


@dataclass(frozen=True)
class Fineness:
    """How finely meshes are cut.

    Attributes:
        expected: value functions around which the bound is to be tight.
        tolerance: relative, of what one label adds there.
        largest: ratio that is told apart from larger ones.
        negligible: what may be charged for larger ratios, per label.
    """

    expected: tuple[Reference, ...]
    tolerance: float
    largest: float
    negligible: float


@dataclass(frozen=True)
class Reference:
    """The value function of a Gaussian mechanism, seen from a point and less its tangent there.

    Attributes:
        log_z: of the point.
        mu: above 0.
        slack: by how much more may be lost here, since few labels are near it.
    """

    log_z: float
    mu: float
    slack: float

    def slope(self, y: Floats) -> Floats:
        """The slope at z y, less that at z."""
        here = np.array(self.log_z)
        return _cdf((here + np.log(y)) / self.mu + self.mu / 2) - _cdf(here / self.mu + self.mu / 2)

    def value(self, y: Floats) -> Floats:
        """The value at z y, less that of the tangent at z, over z."""
        here = np.array(self.log_z)
        return self._over_z(y) - self._over_z(np.ones(1)) - (y - 1) * _cdf(here / self.mu + self.mu / 2)

    def _over_z(self, y: Floats) -> Floats:
        place = (self.log_z + np.log(y)) / self.mu
        return y * _cdf(place + self.mu / 2) - _cdf(place - self.mu / 2) / math.exp(self.log_z)


def references(epsilon: float, mu: float, one: float) -> Iterator[Reference]:
    """Around the line on which what is left of epsilon shrinks together with what is left of mu^2.

    Args:
        epsilon: that is wanted.
        mu: about that of all labels.
        one: about that of one label.
    """
    for share in _SHARES:
        spread = max(mu * math.sqrt(share), one)
        slack = max(1.0, (share * 4) ** -0.5)
        for off in (-2.0, -1.0, 0.0, 1.0):
            yield Reference(min(0.0, -epsilon * share + off * spread), spread, 2 * slack if off == -2 else slack)
        yield Reference(0.0, spread, slack)


def gaussian_mu(epsilon: float, delta: float) -> float:
    """The mu of a Gaussian mechanism that has about this delta at epsilon."""
    low, high = 1e-6, 40.0
    for _ in range(60):
        mu = math.sqrt(low * high)
        low, high = (low, mu) if gaussian_delta(epsilon, mu) > delta else (mu, high)
    return low


def gaussian_delta(epsilon: float, mu: float) -> float:
    """About the delta of a Gaussian mechanism."""
    place = np.array(-epsilon / mu)
    return max(0.0, float(_cdf(place + mu / 2) - math.exp(epsilon) * _cdf(place - mu / 2)))


def _cdf(x: Floats) -> Floats:
    found: Floats = np.exp(np.interp(x, _KNOTS, _LOG_CDF))
    return found
