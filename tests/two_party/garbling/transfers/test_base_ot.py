"""Base transfers against hand-made curve arithmetic."""

from __future__ import annotations

import hashlib
from functools import lru_cache

import pytest

from capc.foundation.randomness import BytesSource, Seed, XofSource
from capc.two_party.garbling.transfers import base_ot as ot
from capc.two_party.garbling.transfers.ot_messages import BaseOtChoice, BaseOtOffer
from support import oracles

CONTEXT = b"a context"
SeedPairs = tuple[tuple[Seed, Seed], ...]


@lru_cache
def base_transfers(
    number: int = 0, context: bytes = CONTEXT
) -> tuple[ot.ChosenSeeds, SeedPairs, BaseOtOffer, BaseOtChoice]:
    seed = Seed(bytes([number]) * 32)
    sender, offer = ot.base_ot_offer(XofSource(seed, b"offer"))
    chosen_seeds, choice = ot.base_ot_choose(offer, context, XofSource(seed, b"choice"))
    return chosen_seeds, ot.base_ot_finish(sender, choice, context), offer, choice


@pytest.mark.req("CAPC-OT-001")
@pytest.mark.parametrize("number", range(4))
def test_chosen_seed_is_exactly_one_of_the_pair_by_deltas_bit(number: int) -> None:
    chosen_seeds, pairs, _, _ = base_transfers(number)
    assert chosen_seeds.delta & 1 == 1
    assert chosen_seeds.delta >> 128 == 0
    assert len(pairs) == len(chosen_seeds.seeds) == 128
    for position, (pair, chosen) in enumerate(zip(pairs, chosen_seeds.seeds, strict=True)):
        bit = chosen_seeds.delta >> position & 1
        assert chosen == pair[bit]
        assert chosen != pair[1 - bit]


@pytest.mark.req("CAPC-NAME-008")
@pytest.mark.parametrize("first", [bytes(range(16)), b"\xfe" + b"\xff" * 15, bytes(16), b"\x01" + bytes(14) + b"\x80"])
def test_delta_is_the_first_128_bits_of_its_stream_with_the_lowest_set(first: bytes) -> None:
    _, offer = ot.base_ot_offer(BytesSource(bytes([7]) * 64))
    chosen_seeds, _ = ot.base_ot_choose(offer, CONTEXT, BytesSource(first + bytes([7]) * 64 * 128))
    assert chosen_seeds.delta == int.from_bytes(first, "little") | 1


def test_all_seeds_differ_and_so_do_deltas() -> None:
    every = [seed for number in range(4) for pair in base_transfers(number)[1] for seed in pair]
    assert len(set(every)) == len(every) == 4 * 256
    assert len({base_transfers(number)[0].delta for number in range(4)}) == 4


@pytest.mark.slow
@pytest.mark.req("CAPC-OT-002")
def test_base_transfers_by_hand() -> None:
    """From the same stream: scalars are 64 bytes mod L, B_j = b_j G + c_j A, seeds hash b_j A and a(B_j - A)."""
    chosen_seeds, pairs, offer, choice = base_transfers()
    prefix = b"CaPC/0.1/xof\x20" + bytes(32)
    a = int.from_bytes(hashlib.shake_256(prefix + b"offer").digest(64), "little") % oracles.L
    point_a = oracles.curve_multiply(a, oracles.BASE)
    assert offer.point == oracles.curve_encode(point_a)
    stream = hashlib.shake_256(prefix + b"choice").digest(16 + 64 * 128)
    assert chosen_seeds.delta == int.from_bytes(stream[:16], "little") | 1
    for position in (0, 1, 2, 3, 126, 127):
        start = 16 + 64 * position
        b = int.from_bytes(stream[start : start + 64], "little") % oracles.L
        bit = chosen_seeds.delta >> position & 1
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
        assert pairs[position] == pair


def test_another_context_gives_other_seeds() -> None:
    here, there = base_transfers(0, b"a"), base_transfers(0, b"b")
    assert here[3] == there[3]
    assert not set(here[0].seeds) & set(there[0].seeds)
    assert not {s for pair in here[1] for s in pair} & {s for pair in there[1] for s in pair}


@pytest.mark.req("CAPC-ROLE-013")
def test_keys_show_nothing() -> None:
    chosen_seeds, _, _, _ = base_transfers()
    sender, _ = ot.base_ot_offer(XofSource(Seed(bytes(32)), b""))
    assert [repr(entry) for entry in (chosen_seeds, sender)] == [
        "<ChosenSeeds>",
        "<BaseOtSender>",
    ]
