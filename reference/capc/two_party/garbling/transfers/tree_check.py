"""The check of the trees: all leaves that a garbler may hold, whatever it misses, are leaves of one and the same tree.

A node at the lowest level gives a tag of 32 bytes and the leaf, of 16. Of each tree the evaluator sends the XOR of all
tags and a digest of them. The garbler finds the tag that it misses from the XOR, and compares the digest. A node that
a false sum spoils passes only for those alpha that the evaluator guessed: c bits with probability 2^-c.

Source: Roy, "SoftSpokenOT" (CRYPTO 2022), section 5. The hash stands for its generator, whose first half must have no
collisions.

Spec: CAPC-OT-008, CAPC-OT-011.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from functools import reduce
from operator import xor

from capc.foundation.aes_ctr import KEY_BYTES
from capc.foundation.errors import ErrorCode, InvalidPayloadError
from capc.foundation.randomness import RandomSource, Seed
from capc.foundation.single_use import require_alive
from capc.two_party.garbling.transfers.base_ot import ChosenSeeds
from capc.two_party.garbling.transfers.extension_check import set_up_digest
from capc.two_party.garbling.transfers.ggm_tree import LEAVES, grow, grow_all_but_one
from capc.two_party.garbling.transfers.ot_extension import EvaluatorKey, GarblerKey
from capc.two_party.garbling.transfers.ot_messages import TAG_BYTES, OtTrees, TreeCheck
from capc_spec.registry import TAGS

Tags = tuple[bytes | None, ...]
"""Of the 16 places of a tree; None where the garbler misses the node."""


def tags_and_leaves(context: bytes, tree: int, nodes: Sequence[bytes | None]) -> tuple[Tags, Tags]:
    """The tag and the leaf of each node at the lowest level of a tree; None for a node that is missing."""
    start = TAGS["ot-leaf"] + len(context).to_bytes(2, "little") + context + bytes([tree])
    made = [
        None if node is None else hashlib.shake_256(start + bytes([place]) + node).digest(TAG_BYTES + KEY_BYTES)
        for place, node in enumerate(nodes)
    ]
    return (
        tuple(None if pair is None else pair[:TAG_BYTES] for pair in made),
        tuple(None if pair is None else pair[TAG_BYTES:] for pair in made),
    )


def check_of(tags: Sequence[bytes]) -> TreeCheck:
    """Evaluator: the check of a tree, from all its tags.

    Reveals: nothing of the leaf that the garbler misses; a hash of its node hides it, and the leaf is another part.
    """
    return TreeCheck(_sum(tags), _digest(tags))


def all_hold(trees: Sequence[Tags], checks: Sequence[TreeCheck]) -> bool:
    """Garbler: whether all trees are right. All are looked at, so that all together make one bit."""
    failed = sum(not _holds(tags, check) for tags, check in zip(trees, checks, strict=True))
    return not failed


def grow_checked(
    pairs: Sequence[tuple[Seed, Seed]], context: bytes, said: bytes, source: RandomSource
) -> tuple[EvaluatorKey, OtTrees]:
    """Evaluator: its key, and the message: sums of nodes, and a check for each tree.

    Args:
        pairs: of the base transfers.
        context: of the connection.
        said: offer and choice.
        source: of the roots.
    """
    trees, sums = grow(pairs, source)
    leaves, checks = [], []
    for tree, nodes in enumerate(trees):
        tags, own = tags_and_leaves(context, tree, nodes)
        checks.append(check_of([tag for tag in tags if tag is not None]))
        leaves.append(tuple(leaf for leaf in own if leaf is not None))
    message = OtTrees(sums, tuple(checks))
    return EvaluatorKey(tuple(leaves), set_up_digest(context, said, message.to_bytes())), message


def take_checked(chosen: ChosenSeeds, message: OtTrees) -> GarblerKey:
    """Garbler: its key, none before the check of all trees.

    Raises:
        InvalidPayloadError: trees that are inconsistent (`inconsistent_transfers`), which destroys the chosen seeds.
        StateReuseError: the seeds were destroyed.
    """
    require_alive(chosen.destroyed)
    nodes = grow_all_but_one(chosen.delta, chosen.seeds, message.sums)
    made = [tags_and_leaves(chosen.context, tree, own) for tree, own in enumerate(nodes)]
    if not all_hold([tags for tags, _ in made], message.checks):
        chosen.destroyed.take()
        raise InvalidPayloadError(ErrorCode.INCONSISTENT_TRANSFERS, "trees of seeds that are inconsistent")
    require_alive(chosen.destroyed)
    set_up = set_up_digest(chosen.context, chosen.said, message.to_bytes())
    # One mark for the seeds and all that comes of them.
    return GarblerKey(chosen.delta, tuple(leaves for _, leaves in made), set_up, destroyed=chosen.destroyed)


def _holds(tags: Tags, check: TreeCheck) -> bool:
    missing = _sum([check.total, *(tag for tag in tags if tag is not None)])
    completed = [missing if tag is None else tag for tag in tags]
    return hmac.compare_digest(_digest(completed), check.digest)


def _digest(tags: Sequence[bytes]) -> bytes:
    if len(tags) != LEAVES:
        raise ValueError(f"{len(tags)} tags: a tree has {LEAVES}")
    return hashlib.sha256(TAGS["ot-tags"] + b"".join(tags)).digest()


def _sum(tags: Sequence[bytes]) -> bytes:
    return reduce(xor, (int.from_bytes(tag, "little") for tag in tags)).to_bytes(TAG_BYTES, "little")
