"""Labels that cost a set part of their counts, found and checked at once: for tests of what is made of their costs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

import pytest

from capc.noise.mechanism import CostUnit
from capc.privacy.accountants import policies
from capc.privacy.accountants.argmax import fitting
from capc.privacy.accountants.argmax.composition import Keeping
from capc.privacy.accountants.argmax.cost import Adversary
from capc.privacy.accountants.conversion import epsilon_upper
from capc.privacy.accountants.policies import certify
from capc.privacy.accountants.steps import Noise
from capc.privacy.accountants.unit import ProtectedUnit
from capc.privacy.figures import composed_labels, labels


def set_label_costs(monkeypatch: pytest.MonkeyPatch) -> list[Fraction]:
    """Returns the part, which a test may set; about what it is. Against a cheating querying party a quarter more."""
    part = [Fraction(16, 25)]

    def cost(
        noise: Noise, order: Fraction, unit: ProtectedUnit, adversary: Adversary = Adversary.SEMI_HONEST
    ) -> Fraction:
        whole: Fraction = noise.rdp_cost(order, unit.histogram)  # type: ignore[union-attr]
        return part[0] * whole if adversary is Adversary.SEMI_HONEST else min(1, 5 * part[0] / 4) * whole

    for module in (policies, labels):
        monkeypatch.setattr(module, "argmax_cost", cost)
    for module in (policies, fitting):
        monkeypatch.setattr(module, "argmax_cost_holds", lambda *case: case[-1] >= cost(*case[:-1]))
    certify.cache_clear()
    return part


def set_compositions(monkeypatch: pytest.MonkeyPatch) -> None:
    """So many labels cost a part of what their counts do by the Gaussian's curve, found at once."""

    def curve(
        noise: Noise,
        unit: ProtectedUnit,
        counts: Sequence[int],
        delta: Fraction,
        keeping: Keeping,
        adversary: Adversary = Adversary.SEMI_HONEST,
        around: Fraction | None = None,
    ) -> list[Fraction]:
        part = Fraction(13, 20) if adversary is Adversary.SEMI_HONEST else Fraction(4, 5)
        one = part * unit.histogram.squared / noise.sigma_votes**2  # type: ignore[union-attr]
        return [epsilon_upper(CostUnit.MU_SQUARED, count * one, delta) for count in counts]

    monkeypatch.setattr(composed_labels, "composition_curve", curve)


def unless_real(request: pytest.FixtureRequest) -> Iterator[None]:
    """For folders of tests which make plans: finding a label's cost for each of them would take minutes.

    A test that asks for ``real_label_costs`` has the real ones.
    """
    if "real_label_costs" in request.fixturenames:
        yield
        return
    with pytest.MonkeyPatch.context() as patch:
        set_label_costs(patch)
        yield
    certify.cache_clear()
