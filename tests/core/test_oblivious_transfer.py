"""Base transfers against hand-made curve arithmetic, the extension against numpy over hashlib."""

from __future__ import annotations

import hashlib
import itertools
from functools import lru_cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capc import oblivious_transfer as ot
from capc.messages import BaseOtChoice, BaseOtOffer
from capc.randomness import Seed, XofSource
from support import oracles

CONTEXT = b"a context"
BITS = st.lists(st.integers(0, 1), min_size=1, max_size=40)


@lru_cache
def base_transfers(
    number: int = 0, context: bytes = CONTEXT
) -> tuple[ot.GarblerKey, ot.EvaluatorKey, BaseOtOffer, BaseOtChoice]:
    seed = Seed(bytes([number]) * 32)
    sender, offer = ot.base_ot_offer(XofSource(seed, b"offer"))
    garbler_key, choice = ot.base_ot_choose(offer, context, XofSource(seed, b"choice"))
    return garbler_key, ot.base_ot_finish(sender, choice, context), offer, choice


@pytest.mark.req("CAPC-OT-001")
@pytest.mark.parametrize("number", range(4))
def test_chosen_seed_is_exactly_one_of_the_pair_by_deltas_bit(number: int) -> None:
    garbler_key, evaluator_key, _, _ = base_transfers(number)
    assert garbler_key.delta & 1 == 1
    assert garbler_key.delta >> 128 == 0
    assert len(evaluator_key.seed_pairs) == len(garbler_key.seeds) == 128
    for position, (pair, chosen) in enumerate(zip(evaluator_key.seed_pairs, garbler_key.seeds, strict=True)):
        bit = garbler_key.delta >> position & 1
        assert chosen == pair[bit]
        assert chosen != pair[1 - bit]


def test_all_seeds_differ_and_so_do_deltas() -> None:
    every = [seed for number in range(4) for pair in base_transfers(number)[1].seed_pairs for seed in pair]
    assert len(set(every)) == len(every) == 4 * 256
    assert len({base_transfers(number)[0].delta for number in range(4)}) == 4


@pytest.mark.req("CAPC-OT-002")
def test_base_transfers_by_hand() -> None:
    """From the same stream: scalars are 64 bytes mod L, B_j = b_j G + c_j A, seeds hash b_j A and a(B_j - A)."""
    garbler_key, evaluator_key, offer, choice = base_transfers()
    prefix = b"CaPC/0.1/xof\x20" + bytes(32)
    a = int.from_bytes(hashlib.shake_256(prefix + b"offer").digest(64), "little") % oracles.L
    point_a = oracles.curve_multiply(a, oracles.BASE)
    assert offer.point == oracles.curve_encode(point_a)
    stream = hashlib.shake_256(prefix + b"choice").digest(16 + 64 * 128)
    assert garbler_key.delta == int.from_bytes(stream[:16], "little") | 1
    for position in (0, 1, 2, 3, 126, 127):
        start = 16 + 64 * position
        b = int.from_bytes(stream[start : start + 64], "little") % oracles.L
        bit = garbler_key.delta >> position & 1
        point = oracles.curve_multiply(b, oracles.BASE)
        if bit:
            point = oracles.curve_add(point, point_a)
        assert choice.points[position] == oracles.curve_encode(point)
        shares = [
            oracles.curve_multiply(a, point),
            oracles.curve_multiply(a, oracles.curve_add(point, oracles.curve_negate(point_a))),
        ]
        where = len(CONTEXT).to_bytes(2, "little") + CONTEXT + position.to_bytes(2, "little")
        transcript = offer.point + oracles.curve_encode(point)
        pair = tuple(
            hashlib.sha256(b"CaPC/0.1/base-ot" + where + transcript + oracles.curve_encode(share)).digest()
            for share in shares
        )
        assert evaluator_key.seed_pairs[position] == pair


def test_another_context_gives_other_seeds() -> None:
    here, there = base_transfers(0, b"a"), base_transfers(0, b"b")
    assert here[3] == there[3]
    assert not set(here[0].seeds) & set(there[0].seeds)
    assert not {s for pair in here[1].seed_pairs for s in pair} & {s for pair in there[1].seed_pairs for s in pair}


@pytest.mark.req("CAPC-OT-001")
@given(BITS, st.binary(max_size=20), st.integers(0, 3))
def test_evaluator_gets_the_label_of_its_bit(choices: list[int], context: bytes, number: int) -> None:
    garbler_key, evaluator_key, _, _ = base_transfers(number)
    labels, columns = ot.extend_receive(evaluator_key, context, choices)
    zeros = ot.extend_send(garbler_key, context, columns)
    assert labels == [zero ^ bit * garbler_key.delta for zero, bit in zip(zeros, choices, strict=True)]


def column_bits(seed: Seed, context: bytes, count: int) -> np.ndarray:
    stream = hashlib.shake_256(b"CaPC/0.1/xof\x20" + seed + context).digest(-(-count // 8))
    return np.unpackbits(np.frombuffer(stream, np.uint8), bitorder="little")[:count]


@pytest.mark.req("CAPC-OT-004")
@given(BITS, st.binary(max_size=20))
def test_extension_by_numpy(choices: list[int], context: bytes) -> None:
    garbler_key, evaluator_key, _, _ = base_transfers()
    count = len(choices)
    t0 = np.stack([column_bits(pair[0], context, count) for pair in evaluator_key.seed_pairs])
    t1 = np.stack([column_bits(pair[1], context, count) for pair in evaluator_key.seed_pairs])
    corrections = t0 ^ t1 ^ np.array(choices, np.uint8)
    labels, columns = ot.extend_receive(evaluator_key, context, choices)
    rows = np.packbits(t0.T, axis=1, bitorder="little")
    assert [label.to_bytes(16, "little") for label in labels] == [row.tobytes() for row in rows]
    assert columns.to_bytes() == np.packbits(corrections, axis=1, bitorder="little").tobytes()
    delta = np.array([garbler_key.delta >> j & 1 for j in range(128)], np.uint8)
    chosen = np.stack([column_bits(seed, context, count) for seed in garbler_key.seeds])
    zero_rows = np.packbits((chosen ^ corrections * delta[:, None]).T, axis=1, bitorder="little")
    zeros = ot.extend_send(garbler_key, context, columns)
    assert [zero.to_bytes(16, "little") for zero in zeros] == [row.tobytes() for row in zero_rows]


@pytest.mark.req("CAPC-OT-003", "CAPC-OT-005")
@settings(max_examples=25)
@given(st.lists(st.integers(0, 1), min_size=64, max_size=64), st.sets(st.binary(max_size=8), min_size=2, max_size=5))
def test_fresh_contexts_give_fresh_columns_for_equal_choices(choices: list[int], contexts: set[bytes]) -> None:
    """128 x 64 bits of columns under two contexts differ in about half of all places (41 sigma from either end)."""
    _, evaluator_key, _, _ = base_transfers()
    sent = [ot.extend_receive(evaluator_key, context, choices)[1] for context in sorted(contexts)]
    for first, second in itertools.pairwise(sent):
        distance = sum((a ^ b).bit_count() for a, b in zip(first.columns, second.columns, strict=True))
        assert 3800 < distance < 4400
        assert not set(first.columns) & set(second.columns)


def test_a_repeated_context_would_show_the_difference_of_the_choices() -> None:
    """Documentation: why a context must occur once per key."""
    _, evaluator_key, _, _ = base_transfers()
    first = ot.extend_receive(evaluator_key, b"same", [0, 1, 1, 0])[1]
    second = ot.extend_receive(evaluator_key, b"same", [1, 1, 0, 0])[1]
    assert {a ^ b for a, b in zip(first.columns, second.columns, strict=True)} == {0b0101}


@given(st.integers(1, 70), st.integers(1, 130), st.randoms(use_true_random=False))
def test_transposition_is_numpys(rows: int, count: int, rng: object) -> None:
    columns = [rng.getrandbits(rows) for _ in range(count)]  # type: ignore[attr-defined]
    matrix = np.array([[column >> i & 1 for column in columns] for i in range(rows)], dtype=object)
    expected = [sum(int(bit) << j for j, bit in enumerate(row)) for row in matrix]
    assert ot.transpose(columns, rows) == expected


@pytest.mark.req("CAPC-ROLE-013")
def test_keys_show_nothing() -> None:
    garbler_key, evaluator_key, _, _ = base_transfers()
    sender, _ = ot.base_ot_offer(XofSource(Seed(bytes(32)), b""))
    assert [repr(entry) for entry in (garbler_key, evaluator_key, sender)] == [
        "<GarblerKey>",
        "<EvaluatorKey>",
        "<BaseOtSender>",
    ]
