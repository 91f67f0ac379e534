"""The trees' check: every path of a tree, every sum that an evaluator may spoil, every check that it may send."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from capc.foundation.errors import InvalidPayloadError, StateReuseError
from capc.foundation.randomness import Seed, XofSource
from capc.two_party.garbling.transfers import ggm_tree, tree_check
from capc.two_party.garbling.transfers.base_ot import ChosenSeeds, base_ot_choose, base_ot_finish, base_ot_offer
from capc.two_party.garbling.transfers.extension_check import receive_checked, send_checked
from capc.two_party.garbling.transfers.ot_extension import EvaluatorKey, GarblerKey
from capc.two_party.garbling.transfers.ot_messages import OtTrees, TreeCheck

CONTEXT = b"where"
SOURCE = XofSource(Seed(bytes(32)), b"one tree")
PAIRS = tuple((Seed(SOURCE.read(32)), Seed(SOURCE.read(32))) for _ in range(ggm_tree.TREE_BITS))
(NODES,), SUMS = ggm_tree.grow(PAIRS, SOURCE)
PATHS = range(ggm_tree.LEAVES)


def nodes_of(alpha: int, message: ggm_tree.Sums = SUMS) -> tuple[bytes | None, ...]:
    """What a garbler with this path has."""
    seeds = [pair[alpha >> i & 1] for i, pair in enumerate(PAIRS)]
    (nodes,) = ggm_tree.grow_all_but_one(alpha, seeds, message)
    return nodes


def tags(nodes: tuple[bytes | None, ...]) -> tree_check.Tags:
    return tree_check.tags_and_leaves(CONTEXT, 5, nodes)[0]


def check(nodes: tuple[bytes | None, ...]) -> TreeCheck:
    return tree_check.check_of([tag for tag in tags(nodes) if tag is not None])


def passing(message: ggm_tree.Sums, sent: TreeCheck) -> list[int]:
    return [alpha for alpha in PATHS if tree_check.all_hold([tags(nodes_of(alpha, message))], [sent])]


def test_honest_trees_pass_and_give_the_same_leaves() -> None:
    assert passing(SUMS, check(NODES)) == list(PATHS)
    leaves = tree_check.tags_and_leaves(CONTEXT, 5, NODES)[1]
    for alpha in PATHS:
        mine = tree_check.tags_and_leaves(CONTEXT, 5, nodes_of(alpha))[1]
        assert mine == tuple(None if place == alpha else leaf for place, leaf in enumerate(leaves))


@pytest.mark.req("CAPC-OT-012", kind="enumeration")
@pytest.mark.parametrize("level", range(ggm_tree.TREE_BITS))
@pytest.mark.parametrize("bit", [0, 1])
def test_a_false_sum_passes_for_half_of_all_paths_at_most(level: int, bit: int) -> None:
    """The sum under the seed of ``bit`` is used by the 8 paths with this bit at its level.

    The cheat may send the check of any tree that some path sees, with any value for the node that is missing.
    """
    sums = list(SUMS)
    sums[2 * level + bit] = bytes(a ^ 0x5A for a in sums[2 * level + bit])
    false = tuple(sums)
    others = [alpha for alpha in PATHS if alpha >> ggm_tree.TREE_BITS - 1 - level & 1 != bit]
    assert passing(false, check(NODES)) == others
    for guess in PATHS:
        seen = tuple(NODES[guess] if node is None else node for node in nodes_of(guess, false))
        passed = passing(false, check(seen))
        assert guess in passed
        assert len(passed) <= 8
        for alpha in passed:
            mine = nodes_of(alpha, false)
            assert mine == tuple(None if place == alpha else node for place, node in enumerate(seen))


@pytest.mark.parametrize("place", PATHS)
def test_every_tag_is_bound_by_total_and_digest(place: int) -> None:
    """A wrong tag passes for the path that misses it, if the total makes up for it, and else for none."""
    wrong = tuple(bytes(16) if y == place else node for y, node in enumerate(NODES))
    assert passing(SUMS, check(wrong)) == [place]
    honest, false = check(NODES), check(wrong)
    assert passing(SUMS, TreeCheck(honest.total, false.digest)) == []
    assert passing(SUMS, TreeCheck(false.total, honest.digest)) == []


def test_all_trees_must_hold() -> None:
    good, bad = check(NODES), check((bytes(16), *NODES[1:]))
    seen = tags(nodes_of(3))
    assert tree_check.all_hold([seen, seen], [good, good])
    assert not tree_check.all_hold([seen, seen], [good, bad])
    assert not tree_check.all_hold([seen, seen], [bad, good])


def test_context_tree_and_place_enter_every_tag_and_leaf() -> None:
    same = [bytes(16)] * 16
    made = {
        part
        for context, tree in ((b"", 0), (b"a", 0), (b"", 1))
        for parts in tree_check.tags_and_leaves(context, tree, same)
        for part in parts
    }
    assert len(made) == 3 * 16 * 2


def test_check_of_a_tree_comes_back_from_its_bytes() -> None:
    sent = check(NODES)
    assert TreeCheck.from_bytes(sent.to_bytes()) == sent
    assert len(sent.to_bytes()) * 32 == 2048
    with pytest.raises(ValueError, match="16"):
        tree_check.check_of([hashlib.sha256(b"").digest()] * 15)


# All trees of a set-up.


@pytest.fixture(name="ends")
def set_up() -> tuple[ChosenSeeds, EvaluatorKey, bytes]:
    source = XofSource(Seed(bytes(32)), b"set-up")
    sender, offer = base_ot_offer(source)
    chosen, choice = base_ot_choose(offer, CONTEXT, source)
    assert chosen.said == offer.to_bytes() + choice.to_bytes()
    pairs = base_ot_finish(sender, choice, CONTEXT)
    key, message = tree_check.grow_checked(pairs, CONTEXT, chosen.said, source)
    return chosen, key, message.to_bytes()


def take(chosen: ChosenSeeds, payload: bytes) -> GarblerKey:
    return tree_check.take_checked(chosen, OtTrees.from_bytes(payload))


def test_garbler_has_every_leaf_but_that_of_its_path(ends: tuple[ChosenSeeds, EvaluatorKey, bytes]) -> None:
    chosen, evaluator, payload = ends
    garbler = take(chosen, payload)
    assert len(payload) == OtTrees.byte_length() == 6144
    for tree, leaves in enumerate(evaluator.leaves):
        alpha = chosen.delta >> 4 * tree & 15
        assert garbler.leaves[tree] == tuple(None if y == alpha else leaf for y, leaf in enumerate(leaves))
    bits, labels, rows = receive_checked(evaluator, 0, 10)
    zeros = send_checked(garbler, 0, 10, rows)
    assert labels == [zero ^ (bits >> i & 1) * garbler.delta for i, zero in enumerate(zeros)]


@pytest.mark.parametrize("at", [4096, 4096 + 33, 6143])
@pytest.mark.req("CAPC-OT-008", "CAPC-ROLE-020")
def test_false_trees_destroy_the_chosen_seeds(ends: tuple[ChosenSeeds, EvaluatorKey, bytes], at: int) -> None:
    chosen, _, payload = ends
    for wrong in (payload[:-1], payload + b"\0"):
        with pytest.raises(InvalidPayloadError, match="malformed_length"):
            take(chosen, wrong)
    with pytest.raises(InvalidPayloadError, match="inconsistent_transfers"):
        take(chosen, payload[:at] + bytes([payload[at] ^ 1]) + payload[at + 1 :])
    with pytest.raises(StateReuseError, match="destroyed"):
        take(chosen, payload)


def test_trees_of_another_context_are_refused(ends: tuple[ChosenSeeds, EvaluatorKey, bytes]) -> None:
    chosen, _, payload = ends
    with pytest.raises(InvalidPayloadError, match="inconsistent_transfers"):
        take(replace(chosen, context=CONTEXT + b"!"), payload)


@pytest.mark.parametrize("tree", [0, 17, 31])
@pytest.mark.parametrize("place", range(8))
def test_a_false_sum_is_refused_iff_delta_uses_it(
    ends: tuple[ChosenSeeds, EvaluatorKey, bytes], tree: int, place: int
) -> None:
    chosen, _, payload = ends
    at = 16 * (8 * tree + place)
    false = payload[:at] + bytes([payload[at] ^ 1]) + payload[at + 1 :]
    level, bit = divmod(place, 2)
    if chosen.delta >> 4 * tree + 3 - level & 1 == bit:
        with pytest.raises(InvalidPayloadError, match="inconsistent_transfers"):
            take(chosen, false)
    else:
        take(chosen, false)
