"""The second way to check a certificate: it agrees with the first, and sees what is forged."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from capc import cli
from capc.foundation.errors import InputError
from capc.noise.mechanism import DiscreteGaussian, RoundedGaussian
from capc.privacy.composition import kept
from capc.privacy.composition.certificate import asked, decode, encode, name_of
from capc.privacy.composition.checker import dominates
from capc.privacy.composition.family import Family
from capc.privacy.composition.recursion import Composed, Wanted, compose, delta_of
from capc.privacy.composition.value_function import Curve
from support.sizes import examples, some

SMALL = RoundedGaussian(Fraction(3, 2), 0)
CHEATED = Family(RoundedGaussian(Fraction(3), 2), 4, moves=True, offsets=True)
FAMILIES = [
    (Family(SMALL, 1, moves=False), 20),
    (Family(SMALL, 1, moves=True), 5),
    (Family(DiscreteGaussian(Fraction(3, 2), 0), 1, moves=True), 3),
    (CHEATED, 18),
]
IDS = ["null_vote", "replace_one", "discrete", "offsets"]


@pytest.fixture(scope="module", params=some(FAMILIES, ordinary=2), ids=some(IDS, ordinary=2))
def found(request: pytest.FixtureRequest) -> Composed:
    family, labels = request.param
    return compose(Wanted(family, Fraction(3), None, labels))


@pytest.mark.req("CAPC-ACCT-153")
def test_both_ways_agree_on_curves_and_delta(found: Composed) -> None:
    told: list[tuple[int, float]] = []
    assert dominates(found, lambda *of: told.append(of))
    assert [labels for labels, _ in told] == list(range(1, found.labels + 1))
    # Whole points that are next to each other leave no boxes; between thresholds there are some.
    assert told[-1][1] <= found.delta <= told[-1][1] * (1 + 3e-4)


def lower_the_end(found: Composed) -> Composed:
    end = found.curves[-1]
    return _with_end(found, Curve(end.grid, end.slopes * 0.999))


def lower_some_values(found: Composed) -> Composed:
    """A curve that stays convex, and is flat for a while where it bends most."""
    end = found.curves[-1]
    slopes = end.slopes.copy()
    at = int(np.argmax(np.diff(slopes)[12:-1])) + 13
    slopes[at - 12 : at] = slopes[at - 12]
    return _with_end(found, Curve(end.grid, slopes))


def swap_the_mechanism(found: Composed) -> Composed:
    """The curves of more noise."""
    family = found.wanted.family
    noise = type(family.noise)(family.noise.sigma_votes * Fraction(51, 50), family.noise.grid_bits)
    more = compose(replace(found.wanted, family=replace(family, noise=noise)))
    grid = found.curves[0].grid
    curves = tuple(_on_grid(curve, grid) for curve in more.curves)
    return replace(found, curves=curves, delta=delta_of(curves[-1], found.wanted.epsilon))


def fewer_steps(found: Composed) -> Composed:
    """A label less was composed than is said."""
    less = compose(replace(found.wanted, labels=found.labels - 1))
    end = _on_grid(less.curves[-1], found.curves[0].grid)
    return _with_end(found, end)


def _with_end(found: Composed, end: Curve) -> Composed:
    return replace(found, curves=(*found.curves[:-1], end), delta=delta_of(end, found.wanted.epsilon))


def _on_grid(curve: Curve, grid: object) -> Curve:
    """The chords of a curve on another grid."""
    points = grid.points  # type: ignore[attr-defined]
    values = np.interp(points, [0, *curve.grid.points], [0, *curve.values])
    values = np.where(points > curve.grid.points[-1], curve.values[-1] + points - curve.grid.points[-1], values)
    slopes = np.diff([0, *values]) / np.diff([0, *points])
    return Curve(grid, np.minimum(np.maximum.accumulate(slopes), 1.0))  # type: ignore[arg-type]


@pytest.mark.req("CAPC-ACCT-153")
@pytest.mark.parametrize("forge", [lower_the_end, lower_some_values, swap_the_mechanism, fewer_steps])
def test_what_is_forged_is_seen(found: Composed, forge: Callable[[Composed], Composed]) -> None:
    """Each has a good digest, convex curves and the delta of its last one."""
    forged = forge(found)
    assert decode(encode(forged), found.wanted).delta == forged.delta
    assert not dominates(forged)


@pytest.mark.slow
@pytest.mark.req("CAPC-ACCT-153")
def test_the_default_policies_certificates_hold_by_the_second_way() -> None:
    """Of null votes; in the nights also that towards a cheat and that of votes that move, which take minutes."""
    checked = 0
    for file in kept.SHIPPED.iterdir():
        content = file.read_bytes()
        wanted = asked(content)
        if wanted.family.moves and not examples(ordinary=0, nightly=1):
            continue
        assert file.name == name_of(wanted)
        found = decode(content, wanted)
        # That of a deviation which was not enough claims less.
        if found.labels < 20:
            continue
        assert dominates(found)
        checked += 1
    assert checked == examples(ordinary=2, nightly=4)


def test_a_family_with_too_many_points_is_refused() -> None:
    wanted = Wanted(Family(RoundedGaussian(Fraction(40), 4), 16, moves=True), Fraction(1), None, 1)
    curve = compose(Wanted(Family(SMALL, 1, moves=False), Fraction(1), None, 1)).curves
    with pytest.raises(InputError, match=r"^sigma = 40 votes: the family has \d+ points"):
        dominates(Composed(wanted, 1, 1.0, curve))


@pytest.mark.slow
@pytest.mark.req("CAPC-ACCT-153")
def test_the_command_says_what_a_certificate_claims_or_refuses_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = compose(Wanted(*(FAMILIES[0][0], Fraction(3), None, 20)))
    file = tmp_path / name_of(found.wanted)
    file.write_bytes(encode(found))
    assert cli.run(["account", "certificate", str(file), "--json", "-"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["sigma"], told["queries"], told["adversary"]) == ("3/2", 20, "semi_honest")
    assert float(told["delta"]) >= found.delta
    for content, message in (
        (encode(lower_the_end(found)), "its curves are below"),
        (encode(found)[:-40], "it is damaged"),
        (encode(found).replace(b'"3/2"', b'"7/4"'), "it is damaged"),
        (b"{}", "it is no certificate"),
        (b"\x80", "it is no certificate"),
    ):
        file.write_bytes(content)
        assert cli.run(["account", "certificate", str(file)]) == 2
        assert message in capsys.readouterr().err
    assert cli.run(["account", "certificate", str(tmp_path / "none")]) == 2
    assert "cannot be read" in capsys.readouterr().err
