"""A vote in rounds against a querying party that chooses Delta', even and zero among others: it learns no sign.

Each test fails if p is masked by, or a winner selected with, the lowest bit of a label of the reverse transfers.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import product
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from capc.foundation.cleartext import one_hot_argmax
from capc.linear.ideal import IdealLinear
from capc.session.parameters import VoteVariant
from capc.steps.suite import reference_suite
from capc.two_party.garbling.readable import GarbledTwoParty
from capc.two_party.garbling.transfers import ot_extension
from capc.two_party.garbling.transfers.ggm_tree import LEAVES, TREE_BITS
from capc.two_party.garbling.transfers.ot_messages import OT_ROWS, OtExtension
from capc.two_party.vectorised import VectorisedTwoParty, extension
from capc.two_party.vectorised.labels import to_label
from capc.two_party.vote_rounds import GarblerRound, VoteShape
from support import vote_rounds
from support.builders import make_parameters, make_widths
from support.collaborations import collaborate
from support.computations import stream
from support.reverse_offsets import OFFSETS, Curious, choosing, ends, reverse_keys, true_signs
from support.sizes import examples, some
from support.vote_rounds import ENDS, FAST, Rows, Votes, begin, engine

JOB = Votes.uniform(num_classes=10, logit_bits=20, vote_bits=16, instances=40, chunk=256)
FAR = 45
"""Of 200 fair coins the number of heads lies within 45 of 100 but for a probability of 2e-10."""


def signs_of(rows: Rows) -> list[int]:
    """The signs of the first round, match after match, from the logits."""
    return [int(row[2 * m + 1] > row[2 * m]) for m in range(len(rows[0]) // 2) for row in rows]


@pytest.mark.slow
@pytest.mark.req("CAPC-ROUND-009")
@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("name", OFFSETS)
def test_no_offset_tells_a_sign(name: str, end: str) -> None:
    """Every sum of c, d and a bit of q agrees with the sign of a match as a coin does; and d is uniform beside them."""
    garbler, evaluator, request = ends(JOB, reverse_keys(OFFSETS[name]), end)
    cheat = Curious(JOB.chunk)
    _, answer = vote_rounds.garble(engine(end, JOB.chunk), garbler, request, stream(0, "garble"))
    cheat.read(evaluator, answer)
    signs, colours, masked, zeros = signs_of(JOB.logits), cheat.colours[0], cheat.masked[0], cheat.zeros[0]
    assert len(signs) == len(zeros) == 200
    seen = [0, *(sum((label >> bit & 1) << place for place, label in enumerate(zeros)) for bit in range(128))]
    truth, c, d = (sum(bit << place for place, bit in enumerate(bits)) for bits in (signs, colours, masked))
    for of_c, of_d, other in product((0, c), (0, d), seen):
        assert abs((truth ^ of_c ^ of_d ^ other).bit_count() - 100) < FAR
    cells = Counter(zip(signs, colours, masked, (label & 1 for label in zeros), strict=True))
    # 200 in 16 cells: chi-square with 15 degrees of freedom exceeds 56 with probability 1e-6.
    assert sum((cells[cell] - 12.5) ** 2 / 12.5 for cell in product((0, 1), repeat=4)) < 56


@pytest.mark.slow
@pytest.mark.req("CAPC-ROUND-009")
@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("name", ["zero", "even", "odd"])
def test_rows_of_zeros_read_no_sign_of_any_round(name: str, end: str) -> None:
    """Who plays on with what it takes for the signs is wrong about half of them in each round, and about the votes."""
    job = replace(
        JOB, logits=JOB.logits[:30], errors=JOB.errors[:30], masks=JOB.masks[:30], shape=VoteShape(10, 20, 3, 16, 30)
    )
    garbler, evaluator, request = ends(job, reverse_keys(OFFSETS[name]), end)
    answering, cheat, right = engine(end, job.chunk), Curious(job.chunk), 0
    while not job.shape.is_last(evaluator.number):
        after, answer = vote_rounds.garble(answering, garbler, request, stream(evaluator.number, "garble"))
        garbler = cast(GarblerRound, after)
        following, request = cheat.play_on(evaluator, answer, evaluator.number)
        signs = true_signs(cheat, evaluator, garbler)
        right += sum(a == b for a, b in zip(cheat.signs[-1], signs, strict=True))
        evaluator = following
    assert signs_of(job.logits) != cheat.signs[0]
    assert abs(right - 8 * 30 // 2) < FAR
    theirs, answer = vote_rounds.garble(answering, garbler, request, stream(9, "garble"))
    mine = vote_rounds.evaluate(cheat, evaluator, answer, stream(9, "evaluate"))
    votes = [[(a + b) % 2**16 for a, b in zip(*pair, strict=True)] for pair in zip(theirs, mine, strict=True)]
    assert all(sorted(vote) == [0] * 9 + [1] for vote in votes)
    assert votes != [one_hot_argmax(row) for row in job.logits]


TINY = Votes.uniform(num_classes=5, logit_bits=5, vote_bits=4, instances=2, chunk=2)
"""Six reverse transfers: four matches in round 0 and two in round 1."""


def transfers_of(end: str, bits: int, delta: int) -> Any:
    """An extension whose random bits are given, with labels q XOR u Delta' as it would make them."""
    count = TINY.shape.reverse_transfers
    source = stream(3, "q")
    labels = [source.bits(128) ^ (delta if bits >> place & 1 else 0) for place in range(count)]
    message = OtExtension((0,) * OT_ROWS, count)
    if end != FAST:
        return bits, labels, message
    array = np.array([to_label(label) for label in labels])
    chosen = np.array([bits >> place & 1 for place in range(count)], np.uint8)
    return chosen, SimpleNamespace(all=lambda: array), message.to_bytes()


def request_of_choice(number: int) -> bytes:
    """Of round 1: any rows in range, and any bits."""
    source = stream(number, "request")
    return source.read(16) + bytes(source.bits(8) for _ in range(4)) + source.bits(12).to_bytes(2, "little")


@pytest.mark.slow
@pytest.mark.req("CAPC-ROUND-009", kind="enumeration")
@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("name", some(reversed(OFFSETS), ordinary=3))
def test_masked_bits_are_uniform_for_every_offset_and_request(
    monkeypatch: pytest.MonkeyPatch, name: str, end: str
) -> None:
    """All 64 outcomes of the random bits give the 64 values of d, once each; and change nothing else in round 0."""
    scheme, room = engine(end, TINY.chunk), extension if end == FAST else ot_extension
    for number in range(examples(ordinary=1, nightly=2)):
        job = replace(TINY, logits=[row[number:] + row[:number] for row in TINY.logits])
        masked, others = [], set()
        for bits in range(64):
            state, _, request = begin(end, end, job)
            made = transfers_of(end, bits, OFFSETS[name])
            monkeypatch.setattr(room, "extend_receive", lambda *_, made=made: made)
            after, first = vote_rounds.garble(scheme, state, request, stream(number, "first"))
            _, second = vote_rounds.garble(
                scheme, cast(GarblerRound, after), request_of_choice(number), stream(number, "second")
            )
            monkeypatch.undo()
            masked.append(first[-1] | second[-1] << 4)
            others.add(first[:-1])
        assert sorted(masked) == list(range(64))
        assert len(others) == 1


@pytest.mark.slow
@pytest.mark.req("CAPC-ROUND-009", kind="enumeration")
@pytest.mark.parametrize("name", OFFSETS)
def test_random_bits_are_uniform_beside_the_rows_for_every_offset(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The missing leaf of each tree moves one thing of its own: a row, or, of tree 0, the bits; so all are uniform."""
    count = 3
    key = ot_extension.EvaluatorKey(
        tuple(tuple(bytes([tree, leaf]) for leaf in range(LEAVES)) for tree in range(OT_ROWS + 1)),
        bytes(32),
    )

    def received(flips: dict[bytes, int]) -> tuple[int, ...]:
        def stream_of(leaf: bytes, _nonce: int, bits: int) -> int:
            return stream(int.from_bytes(leaf, "little"), "leaf").bits(bits) ^ flips.get(leaf, 0)

        monkeypatch.setattr(ot_extension, "stream_bits", stream_of)
        bits, _, message = ot_extension.extend_receive(key, 0, count)
        return bits, *message.rows

    base = received({})
    for tree in range(OT_ROWS + 1):
        missing = key.leaves[tree][OFFSETS[name] >> tree * TREE_BITS & (LEAVES - 1)]
        for flip in range(1, 1 << count):
            changed = [new ^ old for new, old in zip(received({missing: flip}), base, strict=True)]
            # Each row is the sum of its tree's streams and the bits, which are the sum of those of tree 0.
            assert changed == ([flip] * len(base) if tree == 0 else [flip * (row == tree) for row in range(len(base))])


@pytest.mark.slow
@pytest.mark.req("CAPC-ROUND-010")
@pytest.mark.parametrize("engine_type", [GarbledTwoParty, VectorisedTwoParty])
@pytest.mark.parametrize("name", OFFSETS)
def test_a_session_with_an_offset_of_choice_gives_the_labels_of_any_other(
    name: str, engine_type: type[GarbledTwoParty]
) -> None:
    """No message of it is refused, and no label tells the offset's parity."""
    played: list[bytes] = []

    parameters = replace(make_parameters(make_widths(12), num_classes=5), vote_variant=VoteVariant.MULTI_ROUND)
    suite = reference_suite(parameters, IdealLinear(12), choosing(engine_type, OFFSETS[name], played))
    session = collaborate(parameters, (1, 4), [(2, 5)] * 2, strength=9, suite=suite)
    results = [*session.label_batch([[0, 0], [1, -1]]), session.label([1, 1])]
    assert len(played) == 2
    assert [result.label for result in results] == [result.ideal_label for result in results]
