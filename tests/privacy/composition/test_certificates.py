"""Certificates: written whole, read again, and refused when anything about them is not as it should be."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capc.foundation.errors import InputError
from capc.noise.mechanism import RoundedGaussian
from capc.privacy.accountants.argmax.composition import Keeping, composition_queries
from capc.privacy.accountants.unit import ProtectedUnit, Relation
from capc.privacy.composition import kept, recursion
from capc.privacy.composition.certificate import decode, encode, name_of
from capc.privacy.composition.family import Family
from capc.privacy.composition.recursion import BLOCK, Composed, Wanted, blocks_hold, compose
from support.sizes import some

NOISE = RoundedGaussian(Fraction(5), 0)
WANTED = Wanted(Family(NOISE, 1, moves=False), Fraction(5), Fraction(1, 900), None)


@pytest.fixture(scope="module")
def found() -> Composed:
    return compose(WANTED)


def with_digest(body: bytes) -> bytes:
    return body + hashlib.sha256(body).digest()


@pytest.mark.slow
def test_a_certificate_is_read_as_it_was_written(found: Composed) -> None:
    assert found.labels > 2 * BLOCK
    assert found.labels % BLOCK
    again = decode(encode(found), WANTED)
    assert (again.labels, again.delta, len(again.curves)) == (found.labels, found.delta, len(found.curves))
    assert all((a.slopes == b.slopes).all() for a, b in zip(again.curves, found.curves, strict=True))
    assert blocks_hold(again, range(len(again.curves)))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sigma", "shift", "moves", "epsilon"), some([(3, 1, True, 10), (4, 2, True, 10), (2, 2, False, 8)], ordinary=2)
)
def test_what_was_computed_holds_when_its_steps_are_taken_again(
    sigma: int, shift: int, moves: bool, epsilon: int
) -> None:
    """Also where slopes are 1, which nothing raises."""
    family = Family(RoundedGaussian(Fraction(sigma), 0), shift, moves)
    composed = compose(Wanted(family, Fraction(epsilon), Fraction(1, 100_000), None))
    assert composed.labels > 0
    assert composed.curves[-1].slopes[-1] == 1.0
    assert blocks_hold(composed, range(len(composed.curves)))


def lower_a_curve(found: Composed) -> Composed:
    curve = found.curves[1]
    lower = recursion.Curve(curve.grid, np.minimum(curve.slopes, found.curves[0].slopes))
    return Composed(found.wanted, found.labels, found.delta, (found.curves[0], lower, *found.curves[2:]))


def lower_the_end(found: Composed) -> Composed:
    end = found.curves[-2]
    delta = recursion.delta_of(end, WANTED.epsilon)
    return Composed(found.wanted, found.labels, delta, (*found.curves[:-1], end))


@pytest.mark.req("CAPC-ACCT-144")
@pytest.mark.parametrize("forge", [lower_a_curve, lower_the_end])
def test_a_forged_curve_is_seen_when_its_steps_are_taken_again(
    found: Composed, tmp_path: Path, forge: Callable[[Composed], Composed]
) -> None:
    file = tmp_path / name_of(WANTED)
    file.write_bytes(encode(forge(found)))
    with pytest.raises(InputError, match="a step of it does not hold: remove it"):
        kept.composed(WANTED, tmp_path, recheck=True)


def more_labels(head: dict[str, object]) -> dict[str, object]:
    return {**head, "found": int(str(head["found"])) + 1}


def fewer_blocks(head: dict[str, object]) -> dict[str, object]:
    return {**head, "found": BLOCK}


@pytest.mark.req("CAPC-ACCT-144")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda head: {**head, "version": 0}, "another question"),
        (lambda head: {**head, "sigma_votes": "6"}, "another question"),
        (lambda head: {**head, "adjacency": "replace_one"}, "another question"),
        (lambda head: {**head, "delta": "1/100"}, "another question"),
        (lambda head: {**head, "found": -1}, "out of range"),
        (lambda head: {**head, "found": True}, "out of range"),
        (lambda head: {**head, "found": 1 << 40}, "out of range"),
        (fewer_blocks, "another length"),
        (lambda head: {**head, "found_delta": "0x1p-40"}, "not that of its last curve"),
        (lambda head: {**head, "found_delta": "nan"}, "not that of its last curve"),
        (lambda head: {**head, "found_delta": 3}, "no certificate"),
        (lambda head: {"found": 1}, "no certificate"),
        (lambda head: [], "no certificate"),
    ],
)
def test_a_certificate_with_a_good_digest_but_another_claim_is_refused(
    found: Composed, change: Callable[[dict[str, object]], object], message: str
) -> None:
    line, _, packed = encode(found)[:-32].partition(b"\n")
    with pytest.raises(InputError, match=message):
        decode(with_digest(json.dumps(change(json.loads(line))).encode() + b"\n" + packed), WANTED)


def test_more_labels_than_the_curves_show_are_seen_in_the_last_block(found: Composed) -> None:
    line, _, packed = encode(found)[:-32].partition(b"\n")
    content = with_digest(json.dumps(more_labels(json.loads(line))).encode() + b"\n" + packed)
    claimed = decode(content, WANTED)
    assert claimed.labels == found.labels + 1
    assert not blocks_hold(claimed, range(len(claimed.curves)))


@pytest.mark.parametrize("slopes", [np.nan, 2.0, -1.0])
def test_numbers_that_are_no_slopes_are_refused(found: Composed, slopes: float) -> None:
    line = encode(found).partition(b"\n")[0]
    spoilt = np.array([curve.slopes for curve in found.curves])
    spoilt[0, 5] = slopes
    with pytest.raises(InputError, match="not convex"):
        decode(with_digest(line + b"\n" + zlib.compress(spoilt.astype("<f8").tobytes())), WANTED)


@pytest.mark.req("CAPC-ACCT-144")
@given(st.data())
def test_damage_anywhere_is_refused(found: Composed, data: st.DataObject) -> None:
    content = encode(found)
    if data.draw(st.booleans()):
        damaged = content[: data.draw(st.integers(0, len(content) - 1))]
    else:
        place = data.draw(st.integers(0, len(content) - 1))
        damaged = content[:place] + bytes([content[place] ^ data.draw(st.integers(1, 255))]) + content[place + 1 :]
    with pytest.raises(InputError, match="damaged"):
        decode(damaged, WANTED)


@pytest.mark.slow
def test_a_bomb_is_not_unpacked(found: Composed) -> None:
    line = encode(found).partition(b"\n")[0]
    with pytest.raises(InputError, match="another length"):
        decode(with_digest(line + b"\n" + zlib.compress(bytes(1 << 26), 9)), WANTED)


@pytest.mark.slow
def test_a_folder_keeps_what_was_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unit, budget = ProtectedUnit(Relation.NULL_VOTE), (WANTED.epsilon, Fraction(1, 900))
    first = composition_queries(NOISE, unit, *budget, Keeping(tmp_path))
    assert [file.name for file in tmp_path.iterdir()] == [name_of(WANTED)]
    kept._REMEMBERED.clear()
    monkeypatch.setattr(kept, "compose", lambda *_: pytest.fail("computed again"))
    assert composition_queries(NOISE, unit, *budget, Keeping(tmp_path)) == first
    kept._REMEMBERED.clear()
    assert composition_queries(NOISE, unit, *budget, Keeping(tmp_path, recheck=True)) == first
    (tmp_path / name_of(WANTED)).write_bytes(b"")
    kept._REMEMBERED.clear()
    with pytest.raises(InputError, match=f"{name_of(WANTED)}: .* it is damaged: remove it"):
        composition_queries(NOISE, unit, *budget, Keeping(tmp_path))


@pytest.mark.req("CAPC-ACCT-144")
@pytest.mark.parametrize("recheck", [False, True])
def test_that_not_even_one_label_fits_is_kept_too(tmp_path: Path, recheck: bool) -> None:
    unit, budget = ProtectedUnit(Relation.NULL_VOTE), (Fraction(1, 100), Fraction(1, 10**6))
    for _ in range(2):
        assert composition_queries(NOISE, unit, *budget, Keeping(tmp_path, recheck=recheck)) == 0
        assert len([*tmp_path.iterdir()]) == 1
        kept._REMEMBERED.clear()


@pytest.mark.parametrize("code", sorted(kept._NOT_WRITABLE))
def test_a_disk_that_cannot_be_written_to_is_no_obstacle(
    code: int, found: Composed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(code, "no")

    monkeypatch.setattr(kept, "replace_bytes", refuse)
    monkeypatch.setattr(kept, "compose", lambda *_: found)
    assert kept.composed(WANTED, tmp_path).labels == found.labels
    assert list(tmp_path.iterdir()) == []
    kept._REMEMBERED.clear()
    monkeypatch.setattr(kept, "replace_bytes", lambda *_: (_ for _ in ()).throw(OSError(5, "input/output")))
    with pytest.raises(OSError, match="input/output"):
        kept.composed(WANTED, tmp_path)
