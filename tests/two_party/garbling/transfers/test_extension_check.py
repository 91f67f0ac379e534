"""The universal hash by polynomials, and the extension's check: enumerated on small fields, tried on real rows."""

from __future__ import annotations

import copy
import itertools
from dataclasses import replace
from functools import reduce

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capc.foundation.errors import ErrorCode, InvalidPayloadError, StateReuseError
from capc.foundation.primitives import linear_hashes
from capc.two_party.garbling.transfers import extension_check as check
from capc.two_party.garbling.transfers import ot_extension as ot
from capc.two_party.garbling.transfers.ot_messages import (
    CheckedExtension,
    ExtensionCheck,
    OtExtension,
    checked_transfers,
)
from capc.two_party.garbling.transfers.universal_hash import Field, column_hashes
from capc.two_party.vectorised import extension as arrays
from capc.two_party.vectorised.labels import to_numbers
from support.computations import readable_keys
from support.oracles import aes_block
from support.sizes import some

KEYS = st.binary(min_size=16, max_size=16)
SMALL = Field(4, 0b1100)
"""x^4 = x + 1, the coefficient of 1 first."""


def reflected(number: int, bits: int) -> int:
    return int(format(number, f"0{bits}b")[::-1], 2)


def polynomial_product(a: int, b: int, modulus: int) -> int:
    """Long multiplication, then long division; bit i is the coefficient of x^i."""
    product = reduce(lambda total, i: total ^ (a << i if b >> i & 1 else 0), range(b.bit_length()), 0)
    while product.bit_length() >= modulus.bit_length():
        product ^= modulus << product.bit_length() - modulus.bit_length()
    return product


def hash_by_polynomials(key: bytes, column: bytes) -> bytes:
    modulus = 1 << 128 | 0b10000111
    point = reflected(int.from_bytes(aes_block(key, bytes(16)), "big"), 128)
    blocks = [reflected(int.from_bytes(column[i : i + 16], "big"), 128) for i in range(0, len(column), 16)]
    total = 0
    for exponent, block in zip(range(len(blocks) + 1, 1, -1), blocks, strict=True):
        power = reduce(lambda a, b: polynomial_product(a, b, modulus), [point] * exponent)
        total ^= polynomial_product(block, power, modulus)
    return reflected(total, 128).to_bytes(16, "big")


@settings(max_examples=25)
@given(KEYS, st.integers(1, 6).flatmap(lambda n: st.lists(st.binary(min_size=16 * n, max_size=16 * n), max_size=3)))
def test_hash_is_a_polynomial_at_a_point(key: bytes, columns: list[bytes]) -> None:
    """Both implementations against long multiplication and long division."""
    expected = [hash_by_polynomials(key, column) for column in columns]
    assert column_hashes(key, columns) == expected
    assert linear_hashes(key, columns) == expected


def xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))


@given(KEYS, st.integers(1, 40).flatmap(lambda n: st.lists(st.binary(min_size=16 * n, max_size=16 * n), min_size=2)))
def test_hash_is_linear_and_both_ways_to_it_agree(key: bytes, columns: list[bytes]) -> None:
    hashes = linear_hashes(key, [*columns, reduce(xor, columns)])
    assert hashes == column_hashes(key, [*columns, reduce(xor, columns)])
    assert hashes[-1] == reduce(xor, hashes[:-1])


@pytest.mark.slow
@pytest.mark.req("CAPC-OT-012")
def test_few_points_send_an_error_to_zero_and_a_last_block_gives_every_hash() -> None:
    """All points of a field of 16 elements and all columns of 3 blocks: at most n + 1 points, 0 among them."""
    points = [SMALL.multiples(point) for point in range(16)]
    for error in itertools.product(range(16), repeat=3):
        zeros = [number for number, multiples in enumerate(points) if SMALL.hash(error, multiples) == 0]
        assert 0 in zeros
        assert len(zeros) <= 4 or not any(error)
    for multiples in points[1:]:
        for start in itertools.product(range(16), repeat=2):
            assert {SMALL.hash([*start, last], multiples) for last in range(16)} == set(range(16))


def test_128_transfers_that_begin_within_a_block_do_not_hide_the_others() -> None:
    """Why the sacrificed block is a whole one: for some points what 4 transfers across two blocks add is not all."""
    hidden = []
    for point in range(1, 16):
        multiples = SMALL.multiples(point)
        across = {SMALL.hash([last >> 2, (last & 3) << 2], multiples) for last in range(16)}
        hidden.append(len(across))
    assert min(hidden) < 16


# The check. A tree has 2 bits of Delta here, and three trees make 6 columns; hashes are elements of GF(4).

ELEMENTS = [bytes([value]) for value in range(4)]
DELTAS = range(64)


def received(delta: int, columns: list[bytes], bits: bytes, errors: tuple[bytes, ...]) -> list[bytes]:
    """h(q_c): of column c, in tree c / 2, with the hashed error of this tree's row."""
    return [xor(column, xor(bits, errors[c // 2])) if delta >> c & 1 else column for c, column in enumerate(columns)]


@pytest.mark.req("CAPC-OT-012", kind="enumeration")
@pytest.mark.parametrize("bits", some(ELEMENTS, ordinary=2))
@pytest.mark.parametrize("errors", [*itertools.product(ELEMENTS, repeat=2)])
def test_an_answer_passes_for_the_guessed_deltas_alone(bits: bytes, errors: tuple[bytes, bytes]) -> None:
    """Every Delta, every pair of errors, every claim: the best cheat has 4^-(trees that it must guess).

    Tree 0 has no row, and so no error. With a claim h(x) + d, every tree whose error is not d must be guessed.
    """
    columns = [ELEMENTS[c * 7 % 4] for c in range(6)]
    all_errors = (ELEMENTS[0], *errors)
    views = {delta: received(delta, columns, bits, all_errors) for delta in DELTAS}
    best = 0
    for shift in ELEMENTS:
        claim = xor(bits, shift)
        guessed = sum(error != shift for error in all_errors)
        for guess in DELTAS:
            wanted = [xor(q, claim) if guess >> c & 1 else q for c, q in enumerate(views[guess])]
            sent = check.answer(claim, wanted)
            passing = [delta for delta in DELTAS if check.holds(delta, views[delta], sent)]
            same = [
                delta
                for delta in DELTAS
                if all(error == shift or not (delta ^ guess) >> 2 * j & 3 for j, error in enumerate(all_errors))
            ]
            assert passing == same
            assert len(passing) == 4 ** (3 - guessed)
            best = max(best, len(passing))
    honest = check.answer(bits, columns)
    assert [delta for delta in DELTAS if check.holds(delta, views[delta], honest)] == [
        delta for delta in DELTAS if all(not any(e) or not delta >> 2 * j & 3 for j, e in enumerate(all_errors))
    ]
    assert (best == 64) == (not any(map(any, errors)))


# Real rows.


def cheated(nonce: int, transfers: int, tree: int, place: int, guess: int) -> bytes:
    """The payload of a cheat that flips one bit of a row and bets on the 4 bits of Delta of this tree."""
    _, evaluator = readable_keys()
    made = checked_transfers(transfers)
    bits, labels, message = ot.extend_receive(evaluator, nonce, made)
    rows = list(message.rows)
    rows[tree - 1] ^= 1 << place
    labels[place] ^= guess << 4 * tree
    sent = OtExtension(tuple(rows), made)
    columns = [column.to_bytes(made // 8, "little") for column in (bits, *ot.transpose(labels, 128))]
    hashed_bits, *hashed = linear_hashes(check.challenge(evaluator.set_up, nonce, sent.to_bytes()), columns)
    return CheckedExtension(sent, check.answer(hashed_bits, hashed)).to_bytes()


def a_key(set_up: bytes | None = None) -> ot.GarblerKey:
    """The garbler's key, as nobody has cheated it yet."""
    garbler, _ = readable_keys()
    return ot.GarblerKey(garbler.delta, garbler.leaves, set_up or garbler.set_up)


def honest(nonce: int, transfers: int = 200) -> bytes:
    return check.receive_checked(readable_keys()[1], nonce, transfers)[2].to_bytes()


def send(engine: str, key: ot.GarblerKey, nonce: int, payload: bytes) -> None:
    """200 transfers, by the readable room or on arrays."""
    if engine == "readable":
        check.send_checked(key, nonce, 200, CheckedExtension.from_bytes(payload, 200))
    else:
        arrays.send_checked(arrays.GarblerKey(key), nonce, 200, payload)


def accepted(engine: str, nonce: int, payload: bytes, set_up: bytes | None = None) -> bool:
    """Whether a garbler takes the payload."""
    try:
        send(engine, a_key(set_up), nonce, payload)
    except InvalidPayloadError as refusal:
        if refusal.code is not ErrorCode.INCONSISTENT_TRANSFERS:
            raise
        return False
    return True


@pytest.mark.req("CAPC-OT-001", "CAPC-OT-009", "CAPC-GC-009")
@pytest.mark.parametrize("transfers", some([0, 1, 127, 128, 129, 300, arrays.SPAN - 128, arrays.SPAN + 1], ordinary=4))
def test_honest_rows_pass_and_both_engines_agree(transfers: int) -> None:
    """The last two: a sacrificed block that fills a span, and labels of two spans."""
    garbler, evaluator = readable_keys()
    bits, labels, message = check.receive_checked(evaluator, transfers, transfers)
    zeros = check.send_checked(garbler, transfers, transfers, message)
    payload = message.to_bytes()
    assert labels == [zero ^ (bits >> i & 1) * garbler.delta for i, zero in enumerate(zeros)]
    assert len(payload) == CheckedExtension.byte_length(transfers) == 31 * 16 * (-(-transfers // 128) + 1) + 48
    theirs, received, fast = arrays.receive_checked(arrays.EvaluatorKey(evaluator), transfers, transfers)
    assert fast == payload
    assert theirs.tolist() == [bits >> i & 1 for i in range(transfers)]
    assert to_numbers(received.all()[None]) == [labels]
    sent = arrays.send_checked(arrays.GarblerKey(garbler), transfers, transfers, payload)
    assert to_numbers(sent[None]) == [zeros]


@pytest.mark.req("CAPC-OT-011")
@pytest.mark.parametrize("engine", ["readable", "arrays"])
@pytest.mark.parametrize(("tree", "place"), [(1, 0), (9, 3), (31, 255), (17, 383)])
def test_a_wrong_bit_passes_for_one_guess_of_sixteen(engine: str, tree: int, place: int) -> None:
    """Wherever it stands, in the sacrificed block too."""
    garbler, _ = readable_keys()
    passing = [guess for guess in range(16) if accepted(engine, 1000, cheated(1000, 200, tree, place, guess))]
    assert passing == [garbler.delta >> 4 * tree & 15]


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["readable", "arrays"])
@settings(max_examples=20)
@given(bit=st.integers(0, 8 * CheckedExtension.byte_length(200) - 1))
def test_no_bit_of_a_payload_can_be_changed(engine: str, bit: int) -> None:
    """A row, h(x) or the digest, at any bit; another position or set-up is refused with any rows."""
    payload = honest(7)
    changed = int.from_bytes(payload, "little") ^ 1 << bit
    assert not accepted(engine, 7, changed.to_bytes(len(payload), "little"))
    assert accepted(engine, 7, payload)
    assert not accepted(engine, 8, payload)
    assert not accepted(engine, 7, payload, bytes(32))


@pytest.mark.req("CAPC-ROLE-020")
@pytest.mark.parametrize("engine", ["readable", "arrays"])
def test_one_failed_check_ends_every_retry(engine: str) -> None:
    """266 refused messages gave 124 bits of Delta while the key stayed: now the first ends it, for every copy."""
    key = a_key()
    copies = [key, copy.copy(key), copy.deepcopy(key), replace(key, delta=key.delta)]
    tree, right = 9, key.delta >> 36 & 15
    send(engine, key, 1, cheated(1, 200, tree, 0, right))
    with pytest.raises(InvalidPayloadError, match="inconsistent_transfers"):
        send(engine, key, 2, cheated(2, 200, tree, 0, right ^ 1))
    for one in copies:
        for payload in (cheated(3, 200, tree, 0, right), honest(3)):
            with pytest.raises(StateReuseError, match="destroyed"):
                send(engine, one, 3, payload)


@pytest.mark.parametrize("engine", ["readable", "arrays"])
def test_a_wrong_length_costs_nothing(engine: str) -> None:
    key, payload = a_key(), honest(3)
    for wrong in (payload[:-1], payload + b"\0", b""):
        with pytest.raises(InvalidPayloadError, match="malformed_length"):
            send(engine, key, 3, wrong)
    send(engine, key, 3, payload)


@pytest.mark.req("CAPC-OT-009")
def test_challenge_depends_on_all_that_was_said_before() -> None:
    parts = [b"context", bytes(32), bytes(64)]
    others = [[part[:-1] + b"\1" if i == n else part for i, part in enumerate(parts)] for n in range(3)]
    digests = {check.set_up_digest(*said) for said in [parts, *others]}
    assert len(digests) == 4
    keys = {check.challenge(set_up, nonce, rows) for set_up in digests for nonce in (0, 1) for rows in (b"", b"\0")}
    assert len(keys) == 16


def test_check_comes_back_from_its_bytes() -> None:
    sent = check.answer(bytes(range(16)), [bytes(16)] * 128)
    assert ExtensionCheck.from_bytes(sent.to_bytes()) == sent


@pytest.mark.req("CAPC-OT-009")
@given(st.integers(0, 1 << 40))
def test_the_sacrificed_block_is_a_whole_one(transfers: int) -> None:
    """It holds no transfer that is used, and no block between is wasted."""
    made = checked_transfers(transfers)
    assert made % 128 == 0
    assert 0 <= made - 128 - transfers < 128
