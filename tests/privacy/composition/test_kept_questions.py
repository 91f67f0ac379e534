"""A kept composition, as it is read ordinarily: one block is taken again, and it has to be about this very question."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from capc.foundation.errors import InputError
from capc.noise.mechanism import DiscreteGaussian, RoundedGaussian
from capc.privacy.composition import kept
from capc.privacy.composition.certificate import decode, encode, name_of
from capc.privacy.composition.family import Family
from capc.privacy.composition.recursion import Composed, Curve, Wanted, compose

NOISE = RoundedGaussian(Fraction(5), 0)
WANTED = Wanted(Family(NOISE, 1, moves=False), Fraction(5), Fraction(1, 900), None)
SMALL = Wanted(Family(NOISE, 1, moves=True), Fraction(5), Fraction(1, 900), None)


@pytest.fixture(scope="module")
def found() -> Composed:
    return compose(WANTED)


@pytest.mark.slow
@pytest.mark.req("CAPC-ACCT-144")
def test_the_block_that_is_drawn_is_taken_again(
    found: Composed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second of its curves is too low, which only the second block shows."""
    first, second, *others = found.curves
    lower = Curve(second.grid, np.minimum(first.slopes, second.slopes))
    (tmp_path / name_of(WANTED)).write_bytes(encode(replace(found, curves=(first, lower, *others))))
    drawn = []

    def draw(most: int) -> int:
        drawn.append(most)
        return 1

    monkeypatch.setattr(kept.secrets, "randbelow", draw)
    with pytest.raises(InputError, match="a step of it does not hold: remove it"):
        kept.composed(WANTED, tmp_path)
    assert drawn == [len(found.curves)]


def other(**changes: Any) -> tuple[Wanted, Wanted]:
    return SMALL, replace(SMALL, family=replace(SMALL.family, **changes))


PAIRS = {
    "mechanism": other(noise=DiscreteGaussian(Fraction(5), 0)),
    "sigma_votes": other(noise=RoundedGaussian(Fraction(6), 0)),
    "grid_bits": other(noise=RoundedGaussian(Fraction(5), 1)),
    "shift": other(shift=2),
    "adjacency": other(moves=False),
    "offsets": other(offsets=True),
    "epsilon": (SMALL, replace(SMALL, epsilon=Fraction(4))),
    "delta": (SMALL, replace(SMALL, delta=Fraction(1, 1000))),
    "queries": (replace(SMALL, delta=None, labels=16), replace(SMALL, delta=None, labels=17)),
}
"""Questions that differ in one thing, by its name in a certificate."""


@pytest.mark.req("CAPC-ACCT-144")
@pytest.mark.parametrize("name", PAIRS)
def test_what_answers_a_question_that_differs_in_one_thing_is_refused(name: str) -> None:
    """Both ways: that no label at all fits is an answer too, and needs no curve."""
    one, two = PAIRS[name]
    for kept_for, wanted in ((one, two), (two, one)):
        content = encode(Composed(kept_for, 0, 0.0, ()))
        with pytest.raises(InputError, match="it answers another question"):
            decode(content, wanted)
        if kept_for.labels is None:
            assert decode(content, kept_for).labels == 0
