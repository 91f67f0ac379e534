"""The one module that uses a library, against affine curve arithmetic and single AES blocks."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capc.foundation import primitives
from capc.foundation.errors import ErrorCode, InvalidPayloadError
from capc.foundation.primitives import Permutation, Point, Scalar
from capc.foundation.randomness import BytesSource
from support import oracles
from support.refusals import refused

SCALARS = st.integers(1, oracles.L - 1)


def scalar_of(number: int) -> Scalar:
    return Scalar(number.to_bytes(32, "little"))


@settings(max_examples=10)
@given(SCALARS, SCALARS)
def test_group_operations_are_those_of_the_curve(a: int, b: int) -> None:
    left, right = oracles.curve_multiply(a, oracles.BASE), oracles.curve_multiply(b, oracles.BASE)
    p, q = primitives.base_multiply(scalar_of(a)), primitives.base_multiply(scalar_of(b))
    assert (p, q) == (oracles.curve_encode(left), oracles.curve_encode(right))
    assert primitives.add(p, q) == oracles.curve_encode(oracles.curve_add(left, right))
    assert primitives.subtract(p, q) == oracles.curve_encode(oracles.curve_add(left, oracles.curve_negate(right)))
    assert primitives.multiply(scalar_of(a), q) == oracles.curve_encode(oracles.curve_multiply(a, right))
    assert primitives.read_point(p) == p


@pytest.mark.req("CAPC-NAME-007")
@given(st.binary(min_size=64, max_size=64))
def test_a_scalar_is_64_bytes_modulo_the_order(data: bytes) -> None:
    expected = int.from_bytes(data, "little") % oracles.L
    if expected:
        assert primitives.random_scalar(BytesSource(data)) == scalar_of(expected)


def test_a_zero_scalar_is_drawn_again() -> None:
    source = BytesSource(bytes(64) + oracles.L.to_bytes(64, "little") + (5).to_bytes(64, "little"))
    assert primitives.random_scalar(source) == scalar_of(5)


TORSION = [oracles.curve_encode(point) for point in oracles.torsion_points()]
MIXED = [
    oracles.curve_encode(oracles.curve_add(oracles.BASE, point))
    for point in oracles.torsion_points()
    if point != oracles.NEUTRAL
]
OFF_CURVE = [bytes([2]) + bytes(31), b"\xff" * 32]
NOT_CANONICAL = [(oracles.P + 1).to_bytes(32, "little"), ((oracles.P + 3) | 1 << 255).to_bytes(32, "little")]


@pytest.mark.req("CAPC-WIRE-005")
@pytest.mark.parametrize(
    "data",
    [*TORSION, *MIXED, *OFF_CURVE, *NOT_CANONICAL, b"", bytes(31), bytes(33)],
    ids=lambda data: f"{len(data)}:{data.hex()[:8]}..{data.hex()[-4:]}",
)
def test_points_outside_the_prime_order_group_are_refused(data: bytes) -> None:
    """Small order, small-order part (also the part of order 2 alone), off the curve, not reduced, wrong length."""
    with refused(ErrorCode.INVALID_POINT):
        primitives.read_point(data)


@given(st.binary(min_size=32, max_size=32))
def test_arbitrary_bytes_are_a_point_of_the_group_or_refused(data: bytes) -> None:
    try:
        point = primitives.read_point(data)
    except InvalidPayloadError:
        return
    decoded = oracles.curve_decode(data)
    assert oracles.curve_encode(decoded) == point
    assert oracles.curve_multiply(oracles.L, decoded) == oracles.NEUTRAL != decoded


def test_base_point_has_the_published_encoding() -> None:
    assert primitives.base_multiply(scalar_of(1)) == Point(bytes.fromhex("58" + "66" * 31))


@given(st.binary(min_size=16, max_size=16), st.lists(st.binary(min_size=16, max_size=16), min_size=1, max_size=4))
def test_permutation_is_aes_on_each_block(key: bytes, blocks: list[bytes]) -> None:
    permutation = Permutation(key)
    for _ in range(2):
        assert permutation.apply(b"".join(blocks)) == b"".join(oracles.aes_block(key, block) for block in blocks)


def test_permutation_has_the_published_value() -> None:
    """FIPS 197, appendix C.1."""
    block = Permutation(bytes(range(16))).apply(bytes.fromhex("00112233445566778899aabbccddeeff"))
    assert block.hex() == "69c4e0d86a7b0430d8cdb78070b4c55a"
