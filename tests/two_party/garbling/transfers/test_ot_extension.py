"""Trees and extension against plain numpy over single AES blocks."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capc.foundation.aes_ctr import counter_blocks
from capc.foundation.randomness import Seed, XofSource
from capc.two_party.garbling.transfers import ggm_tree
from capc.two_party.garbling.transfers import ot_extension as ot
from capc.two_party.garbling.transfers.base_ot import base_ot_choose, base_ot_finish, base_ot_offer
from support.computations import readable_keys
from support.oracles import aes_block

POSITIONS = st.integers(0, (1 << 64) - 1)


def children(node: bytes) -> list[bytes]:
    return [aes_block(node, bytes([side]) + bytes(15)) for side in (0, 1)]


@pytest.mark.req("CAPC-OT-006")
@pytest.mark.parametrize("number", range(3))
def test_garbler_has_every_leaf_but_that_of_its_path(number: int) -> None:
    garbler, evaluator = readable_keys(str(number))
    assert len(garbler.leaves) == len(evaluator.leaves) == 32
    for tree, (mine, theirs) in enumerate(zip(garbler.leaves, evaluator.leaves, strict=True)):
        alpha = garbler.delta >> 4 * tree & 15
        assert mine == tuple(None if y == alpha else leaf for y, leaf in enumerate(theirs))
    every = [leaf for leaves in evaluator.leaves for leaf in leaves]
    assert len(set(every)) == len(every) == 512


@pytest.mark.req("CAPC-OT-006")
def test_trees_by_hand() -> None:
    """From the root down, node by node; and each sum under the seed that belongs to the other side."""
    seed = Seed(bytes(32))
    sender, offer = base_ot_offer(XofSource(seed, b"offer"))
    _, choice = base_ot_choose(offer, b"", XofSource(seed, b"choice"))
    pairs = base_ot_finish(sender, choice, b"")
    nodes_of_trees, sums = ggm_tree.grow(pairs, XofSource(seed, b"trees"))
    roots = XofSource(seed, b"trees").read(16 * 32)
    for tree in range(32):
        nodes = [roots[16 * tree : 16 * tree + 16]]
        for level in range(4):
            nodes = [child for node in nodes for child in children(node)]
            for bit in (0, 1):
                total = np.frombuffer(pairs[4 * tree + 3 - level][bit][:16], np.uint8)
                for node in nodes[1 - bit :: 2]:
                    total = total ^ np.frombuffer(node, np.uint8)
                assert sums[8 * tree + 2 * level + bit] == total.tobytes()
        assert nodes_of_trees[tree] == tuple(nodes)


@pytest.mark.slow
@pytest.mark.req("CAPC-OT-001")
@given(st.integers(1, 300), POSITIONS, st.integers(0, 2))
def test_evaluator_gets_the_label_of_its_bit(count: int, nonce: int, number: int) -> None:
    garbler, evaluator = readable_keys(str(number))
    bits, labels, message = ot.extend_receive(evaluator, nonce, count)
    zeros = ot.extend_send(garbler, nonce, message)
    assert labels == [zero ^ (bits >> i & 1) * garbler.delta for i, zero in enumerate(zeros)]
    assert bits >> count == 0


def stream(leaf: bytes, nonce: int, count: int) -> np.ndarray:
    blocks = [
        aes_block(leaf, low.to_bytes(8, "little") + nonce.to_bytes(8, "little")) for low in range(-(-count // 128))
    ]
    return np.unpackbits(np.frombuffer(b"".join(blocks), np.uint8), bitorder="little")[:count]


@pytest.mark.slow
@pytest.mark.req("CAPC-OT-004")
@settings(max_examples=25)
@given(st.integers(1, 200), POSITIONS)
def test_extension_by_numpy(count: int, nonce: int) -> None:
    garbler, evaluator = readable_keys()
    streams = np.array([[stream(leaf, nonce, count) for leaf in leaves] for leaves in evaluator.leaves])
    sums = np.bitwise_xor.reduce(streams, axis=1)
    columns = np.array(
        [np.bitwise_xor.reduce(tree[[y for y in range(16) if y >> i & 1]]) for tree in streams for i in range(4)]
    )
    bits, labels, message = ot.extend_receive(evaluator, nonce, count)
    rows = np.packbits(columns.T, axis=1, bitorder="little")
    assert [label.to_bytes(16, "little") for label in labels] == [row.tobytes() for row in rows]
    assert [bits >> i & 1 for i in range(count)] == sums[0].tolist()
    assert message.to_bytes() == np.packbits(sums[1:] ^ sums[0], axis=1, bitorder="little").tobytes()
    delta = np.array([garbler.delta >> j & 1 for j in range(128)], np.uint8)
    zero_rows = np.packbits((columns ^ np.outer(delta, sums[0])).T, axis=1, bitorder="little")
    zeros = ot.extend_send(garbler, nonce, message)
    assert [zero.to_bytes(16, "little") for zero in zeros] == [row.tobytes() for row in zero_rows]


@pytest.mark.slow
@pytest.mark.req("CAPC-OT-003", "CAPC-OT-005")
@settings(max_examples=25)
@given(st.sets(POSITIONS, min_size=2, max_size=4))
def test_other_positions_give_other_rows_and_bits(nonces: set[int]) -> None:
    """31 x 256 bits of rows at two nonces differ in about half of all places (40 sigma from either end)."""
    _, evaluator = readable_keys()
    sent = [ot.extend_receive(evaluator, nonce, 256) for nonce in sorted(nonces)]
    for first, second in itertools.combinations(sent, 2):
        distance = sum((a ^ b).bit_count() for a, b in zip(first[2].rows, second[2].rows, strict=True))
        assert 2100 < distance < 5800
        assert first[0] != second[0]
        assert not set(first[1]) & set(second[1])


@pytest.mark.req("CAPC-OT-004")
def test_rows_hide_the_bits_from_who_misses_one_leaf() -> None:
    """The random bits are the sum of what the garbler knows and the stream of the one leaf that it misses."""
    garbler, evaluator = readable_keys()
    bits, _, _ = ot.extend_receive(evaluator, 7, 128)
    known = 0
    for leaf in garbler.leaves[0]:
        if leaf is not None:
            known ^= int.from_bytes(counter_blocks(leaf, range(1), 7), "little")
    assert known != bits
    missing = evaluator.leaves[0][garbler.delta & 15]
    assert known ^ int.from_bytes(counter_blocks(missing, range(1), 7), "little") == bits


@given(st.integers(1, 70), st.integers(1, 130), st.randoms(use_true_random=False))
def test_transposition_is_numpys(rows: int, count: int, rng: object) -> None:
    columns = [rng.getrandbits(rows) for _ in range(count)]
    matrix = np.array([[column >> i & 1 for column in columns] for i in range(rows)], dtype=object)
    expected = [sum(int(bit) << j for j, bit in enumerate(row)) for row in matrix]
    assert ot.transpose(columns, rows) == expected


@pytest.mark.req("CAPC-ROLE-013")
def test_keys_show_nothing() -> None:
    assert [repr(key) for key in readable_keys()] == ["<GarblerKey>", "<EvaluatorKey>"]
