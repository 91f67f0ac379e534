"""All seeds but one: from four base oblivious transfers, a tree of 16 leaves of which the garbler misses one.

The evaluator expands a random root into a binary tree; four transfers give the garbler, for each level, the sum of
all nodes on the side where its path does not go. It computes every leaf but that of its own path alpha, whose bits are
its choice bits. The evaluator does not learn alpha.

Nodes at the lowest level are hashed before they are used: :mod:`.tree_check`.

Source: Goldreich, Goldwasser, Micali 1986; the transfer of all but one leaf, as in Roy, "SoftSpokenOT" (CRYPTO 2022),
section 5. Spec: CAPC-OT-006.
"""

from __future__ import annotations

from collections.abc import Sequence

from capc.foundation.aes_ctr import KEY_BYTES, counter_blocks
from capc.foundation.randomness import RandomSource, Seed

TREE_BITS = 4
"""k of SoftSpokenOT: base transfers per tree. Larger trees send less and compute more; 4 costs 4 bytes a transfer."""
LEAVES = 1 << TREE_BITS
_NODE_STREAM = 0


Sums = tuple[bytes, ...]


def grow(pairs: Sequence[tuple[Seed, Seed]], source: RandomSource) -> tuple[tuple[tuple[bytes, ...], ...], Sums]:
    """Evaluator: the lowest nodes of every tree, and sums that let the garbler find all but one of each.

    For tree j and level t (0 at the root) let S_b be the XOR of the level's nodes that are b-children. Sent are
    S_1 under the seed that choice bit 0 gives, and S_0 under that of choice bit 1.

    Args:
        pairs: 128 pairs of seeds; tree j uses pairs 4j to 4j + 3, pair 4j + 3 at its root.
        source: 16 bytes are read from it for each root.
    """
    trees, sums = [], []
    for first in range(0, len(pairs), TREE_BITS):
        nodes = [source.read(KEY_BYTES)]
        for level in range(TREE_BITS):
            nodes = [child for node in nodes for child in _children(node)]
            zero_seed, one_seed = pairs[first + TREE_BITS - 1 - level]
            sums.append(xor(_sum(nodes[1::2]), zero_seed[:KEY_BYTES]))
            sums.append(xor(_sum(nodes[0::2]), one_seed[:KEY_BYTES]))
        trees.append(tuple(nodes))
    return tuple(trees), tuple(sums)


def grow_all_but_one(delta: int, seeds: Sequence[Seed], sums: Sums) -> tuple[tuple[bytes | None, ...], ...]:
    """Garbler: the lowest nodes of every tree, None at alpha_j, which is bits 4j to 4j + 3 of Delta."""
    trees: list[tuple[bytes | None, ...]] = []
    for first in range(0, len(seeds), TREE_BITS):
        nodes: list[bytes | None] = [None]
        path = 0
        for level in range(TREE_BITS):
            pair = first + TREE_BITS - 1 - level
            bit = delta >> pair & 1
            nodes = [child for node in nodes for child in (_children(node) if node else (None, None))]
            sibling = 2 * path + 1 - bit
            sent = sums[2 * (first + level) + bit]
            others = [node for node in nodes[1 - bit :: 2] if node is not None]
            nodes[sibling] = _sum([*others, xor(sent, seeds[pair][:KEY_BYTES])])
            path = 2 * path + bit
        trees.append(tuple(nodes))
    return tuple(trees)


def _children(node: bytes) -> tuple[bytes, bytes]:
    blocks = counter_blocks(node, range(2), _NODE_STREAM)
    return blocks[:KEY_BYTES], blocks[KEY_BYTES:]


def _sum(nodes: Sequence[bytes]) -> bytes:
    total = bytes(KEY_BYTES)
    for node in nodes:
        total = xor(total, node)
    return total


def xor(left: bytes, right: bytes) -> bytes:
    """Byte by byte, of equal lengths."""
    return bytes(a ^ b for a, b in zip(left, right, strict=True))
