"""The vote in rounds: its circuits against the clear, its messages, and what stays where."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from capc.foundation import ring
from capc.foundation.aes_ctr import to_labels
from capc.foundation.cleartext import one_hot_argmax
from capc.foundation.errors import ErrorCode, InputError, InvalidPayloadError, StateReuseError
from capc.foundation.guarded import room
from capc.foundation.randomness import Seed, XofSource
from capc.two_party.circuits.builder import Sharing, evaluate
from capc.two_party.circuits.tournament import matches_per_round
from capc.two_party.circuits.vote_rounds import final_circuit, signs_circuit
from capc.two_party.garbling.half_gates import LabelHash
from capc.two_party.garbling.readable_vote_rounds import GarbledVote
from capc.two_party.ideal_vote_rounds import IdealVote
from capc.two_party.transfers import Transfers
from capc.two_party.vote_rounds import GarblerRound, VoteShape
from support import vote_rounds
from support.computations import readable_keys, stream
from support.refusals import refused
from support.sizes import examples
from support.vote_rounds import (
    ENDS,
    FORWARD,
    READABLE,
    REVERSE,
    Votes,
    begin,
    engine,
    opened,
    play,
    votes,
)


@pytest.mark.slow
@pytest.mark.req("CAPC-ROUND-002")
@given(st.integers(2, 40), st.integers(3, 51), st.integers(2, 64))
@settings(max_examples=examples(ordinary=40, nightly=400))
@example(10, 37, 16)
def test_and_counts_and_rounds(classes: int, logit_bits: int, vote_bits: int) -> None:
    shape = VoteShape(classes, logit_bits, 8, vote_bits, 1)
    assert shape.rounds == (classes - 1).bit_length()
    ands = [shape.circuit(number).and_count for number in range(shape.rounds)]
    assert sum(ands) == (classes - 1) * logit_bits + classes - 2
    assert ands[:-1] == [shape.matches(n) * logit_bits for n in range(shape.rounds - 1)]
    assert sum(shape.transfers(n) for n in range(shape.rounds)) == shape.all_transfers
    assert shape.all_transfers == (classes - 1) * (logit_bits + 1)
    assert signs_circuit(3, logit_bits, logit_bits + 8).and_depth == logit_bits
    if (classes, logit_bits) == (10, 37):
        assert sum(ands) == 341


@pytest.mark.slow
@pytest.mark.req("CAPC-GC-010")
@given(st.integers(2, 40), st.integers(3, 51))
def test_products_take_no_kept_sign(classes: int, logit_bits: int) -> None:
    """The lowest bit of a kept label is not the sign, which its holder does not know: no product may have it."""
    shape = VoteShape(classes, logit_bits, 8, 16, 1)
    for number in range(shape.rounds):
        circuit, matches = shape.circuit(number), shape.matches(number)
        (products,) = [stage for stage in circuit.stages if stage.products]
        assert len(products.ands) == matches
        right = products.right
        assert max(right) < 2 * matches * shape.word_bits


@given(st.data(), st.integers(3, 8))
def test_signs_are_those_of_differences(data: st.DataObject, width: int) -> None:
    """Whether the right side is larger, for all differences that fit, whatever bit is dropped."""
    values = data.draw(st.lists(st.integers(-(2 ** (width - 1)) + 1, 2 ** (width - 1) - 1), min_size=1, max_size=4))
    mine = data.draw(st.lists(st.integers(0, 2 ** (width + 1) - 1), min_size=len(values), max_size=len(values)))
    words = [2 * value + data.draw(st.integers(0, 1)) for value in values]
    circuit = signs_circuit(len(values), width, width + 3)
    assert circuit.sharing == Sharing(1, width + 3)
    assert evaluate(circuit, mine, ring.subtract(words, mine, width + 1)) == [int(value < 0) for value in values]


@pytest.mark.req("CAPC-ROUND-001")
@given(st.data(), st.integers(2, 12), st.integers(3, 7))
def test_final_circuit_gives_the_flags(data: st.DataObject, classes: int, width: int) -> None:
    """Against a tournament in the clear, with the last difference in shares."""
    limit = 2 ** (width - 2) - 1
    logits = data.draw(st.lists(st.integers(-limit, limit), min_size=classes, max_size=classes))
    signs, entrants = [], logits
    for matches in matches_per_round(classes):
        pairs = [entrants[2 * n : 2 * n + 2] for n in range(matches)]
        signs += [int(right > left) for left, right in pairs]
        entrants = [max(pair) for pair in pairs] + entrants[2 * matches :]
        if len(entrants) == 2:
            last = entrants[0] - entrants[1]
    if classes == 2:
        last = logits[0] - logits[1]
    mine = data.draw(st.integers(0, 2 ** (width + 1) - 1))
    theirs = ring.to_bits(ring.reduce(2 * last + data.draw(st.integers(0, 1)) - mine, width + 1), width + 1)
    circuit = final_circuit(classes, width, 4)
    assert evaluate(circuit, ring.to_bits(mine, width + 1), theirs + signs[:-1]) == one_hot_argmax(logits)


@pytest.mark.slow
@pytest.mark.req("CAPC-ROUND-001")
@settings(max_examples=examples(ordinary=25, nightly=500))
@given(votes())
@example(
    Votes(
        VoteShape(5, 8, 4, 6, 2),
        [[3] * 5, [-63, 63, 63, -63, 63]],
        [[-3, 0, -2, -1, 0], [0, 3, 0, 3, 1]],
        [[(1 << 12) - 1] * 5, [0] * 5],
        1,
    )
)
def test_shares_add_up_to_the_vote(job: Votes) -> None:
    assert opened(play(READABLE, READABLE, job), job.shape) == job.expected


@pytest.mark.req("CAPC-ROUND-001", "CAPC-ARG-002")
@pytest.mark.parametrize("end", ENDS)
def test_errors_decide_no_tie(end: str) -> None:
    """Equal logits of five classes, with the errors that differ most, in every order of two."""
    most = room(3)
    errors = [[most * (number >> c & 1) - most * (number >> 5) for c in range(5)] for number in range(64)]
    job = Votes(VoteShape(5, 5, 3, 4, 64), [[3] * 5] * 64, errors, Votes.uniform(5, 5, 4, 64, 64).masks, 64)
    assert opened(play(end, end, job), job.shape) == [[1, 0, 0, 0, 0]] * 64


@pytest.mark.req("CAPC-ROUND-001")
@settings(max_examples=examples(ordinary=25, nightly=500))
@given(votes())
def test_the_ideal_vote_does_the_same(job: Votes) -> None:
    scheme, shape = IdealVote(), job.shape
    transfers = [Transfers(job.nonce, shape.all_transfers, None) for _ in range(2)]
    theirs, message = scheme.begin(transfers[0], None, shape, job.rest)
    mine = scheme.await_begin(transfers[1], None, shape, job.masks)
    for number in range(shape.rounds - 1):
        assert len(message) == scheme.request_length(shape, number)
        after, answer = vote_rounds.garble(scheme, mine, message, stream(0, ""))
        assert len(answer) == scheme.answer_length(shape, number)
        result = vote_rounds.evaluate(scheme, theirs, answer, stream(0, ""))
        mine, (theirs, message) = after, result
    shares, answer = vote_rounds.garble(scheme, mine, message, stream(0, ""))
    with pytest.raises(InvalidPayloadError):
        vote_rounds.evaluate(scheme, theirs, b"\xff" * 8, stream(0, ""))
    rest = vote_rounds.evaluate(scheme, theirs, answer, stream(0, ""))
    assert [ring.add(*pair, shape.vote_bits) for pair in zip(shares, rest, strict=True)] == job.expected
    source = stream(0, "")
    assert shares == [ring.uniform(source, shape.num_classes, shape.vote_bits) for _ in job.logits]


JOB = Votes.uniform(4, 9, 6, 3, 2)
"""Two rounds, elements of 12 bits in 2 bytes, bits that fill no byte, a ragged chunk."""


def spoil(payload: bytes, place: int) -> bytes:
    return payload[:place] + b"\xff" + payload[place + 1 :] if place >= 0 else payload[:place] + b"\xff"


@pytest.mark.req("CAPC-ROUND-006")
@pytest.mark.parametrize("end", ENDS)
def test_a_malformed_message_is_refused_and_spends_nothing(end: str) -> None:
    """Length, ring elements and padding, in either direction and round; then the good one is accepted, once."""
    mine, theirs, request = begin(end, end, JOB)
    scheme, shape = engine(end, JOB.chunk), JOB.shape
    for number in range(2):
        # Requests end in padded bits; rows come after a hash key, high bytes last.
        bad = {request[:-1]: ErrorCode.MALFORMED_LENGTH, request + b"\0": ErrorCode.MALFORMED_LENGTH}
        bad[spoil(request, -1)] = ErrorCode.NON_CANONICAL
        if number:
            bad[spoil(request, 17)] = ErrorCode.VALUE_OUT_OF_RANGE
        refuse(bad, lambda message, mine=mine: vote_rounds.garble(scheme, mine, message, stream(1, "bad")))
        after, answer = vote_rounds.garble(scheme, mine, request, stream(number, "garble"))
        with pytest.raises(StateReuseError):
            vote_rounds.garble(scheme, mine, request, stream(number, "garble"))
        bad = {answer[:-1]: ErrorCode.MALFORMED_LENGTH, answer + b"\0": ErrorCode.MALFORMED_LENGTH}
        if number == 0:
            bad[spoil(answer, -1)] = ErrorCode.NON_CANONICAL
            extension = len(answer) - 1
            bad[spoil(answer, extension - 1)] = ErrorCode.NON_CANONICAL
            row = 32 + 2 * 2 * (32 * 9 - 16) + 1
            bad[spoil(answer, row)] = ErrorCode.VALUE_OUT_OF_RANGE
        else:
            bad[spoil(answer, len(answer) - 1)] = ErrorCode.VALUE_OUT_OF_RANGE
        refuse(bad, lambda message, theirs=theirs: vote_rounds.evaluate(scheme, theirs, message, stream(1, "bad")))
        result = vote_rounds.evaluate(scheme, theirs, answer, stream(number, "evaluate"))
        with pytest.raises(StateReuseError):
            vote_rounds.evaluate(scheme, theirs, answer, stream(number, "evaluate"))
        if isinstance(after, GarblerRound) and isinstance(result, tuple):
            mine, (theirs, request) = after, result
    assert [ring.add(*pair, shape.vote_bits) for pair in zip(after, result, strict=True)] == JOB.expected


def refuse(bad: dict[bytes, ErrorCode], step) -> None:
    for message, code in bad.items():
        with refused(code):
            step(message)


@pytest.mark.parametrize("end", ENDS)
def test_transfers_and_shares_fit_the_vote(end: str) -> None:
    scheme, shape = engine(end, 2), JOB.shape
    short = Transfers(0, shape.all_transfers - 1, (1, [0]))
    exact = Transfers(0, shape.all_transfers, (1, [0]))
    for start in (scheme.begin, scheme.await_begin):
        with pytest.raises(InputError, match="transfers for a vote in rounds: make 90"):
            start(short, None, shape, JOB.masks)
        for shares in (JOB.masks[:2], [row[:3] for row in JOB.masks], [[1 << 12] * 4] * 3, [[-1] * 4] * 3):
            with pytest.raises(InputError, match="takes 4 shares of each, reduced"):
                start(exact, None, shape, shares)
    exact.require_unspent()


@pytest.mark.slow
@pytest.mark.req("CAPC-ROUND-004", "CAPC-GC-003")
def test_hash_keys_are_fresh_and_no_tweak_comes_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two votes after one another: five hashes of the garbler's and three of the evaluator's for five classes each."""
    made: list[tuple[bytes, int]] = []
    begin_hash = LabelHash.__init__

    def note(self: LabelHash, key: bytes, nonce: int) -> None:
        begin_hash(self, key, nonce)
        made.append((key, self.nonce))

    monkeypatch.setattr(LabelHash, "__init__", note)
    first = Votes.uniform(5, 6, 4, 2, 2)
    sent = [play(READABLE, READABLE, replace(first, nonce=query << 32 | 7, seed=query)).sent for query in (1, 2)]
    answers = [answer[16:32] for each in sent for answer in each[1::2]]
    requests = [request[:16] for each in sent for request in each[2::2]]
    assert len({*answers, *requests}) == 6 + 4
    forward = {entry for entry in made if entry[0] in answers}
    backward = {entry for entry in made if entry[0] in requests}
    assert forward | backward == set(made)
    assert {nonce for _, nonce in forward} == {q << 32 | 7 + n for q in (1, 2) for n in range(3)}
    assert {nonce for _, nonce in backward} == {q << 32 | 7 + n for q in (1, 2) for n in (1, 2)}
    assert (len(forward), len(backward)) == (6, 4)


@pytest.mark.req("CAPC-ROUND-004")
def test_the_same_seeds_give_other_bytes_at_another_position() -> None:
    one, two = (play(READABLE, READABLE, replace(JOB, nonce=nonce)).sent for nonce in (1, 2))
    assert all(a != b for a, b in zip(one, two, strict=True))


@pytest.mark.req("CAPC-ROUND-007")
def test_offsets_and_other_labels_stay_where_they_are() -> None:
    """No 16 bytes of a message are an offset, nor is the XOR of two labels that a party holds the other's offset."""
    job = Votes.uniform(4, 5, 4, 2, 2)
    delta, reverse_delta = (readable_keys(direction)[0].delta for direction in (FORWARD, REVERSE))
    mine, theirs, request = begin(READABLE, READABLE, job)
    scheme = GarbledVote(job.chunk)
    evaluators = list(theirs.secret.labels)
    after, answer = vote_rounds.garble(scheme, mine, request, stream(1, "g"))
    result = vote_rounds.evaluate(scheme, theirs, answer, stream(1, "e"))
    theirs, following = result
    evaluators += [label for wire in theirs.secret.signs for label in wire]
    evaluators += to_labels(answer[: len(answer) // 16 * 16])
    garblers = [*after.secret.reverse, *to_labels(following[: len(following) // 16 * 16])]
    assert not {delta, reverse_delta} & windows(request + answer + following)
    assert all(a ^ b != delta for a, b in combinations(evaluators, 2))
    assert all(a ^ b != reverse_delta for a, b in combinations(garblers, 2))
    # The test can fail: the garbler's own zero labels beside the evaluator's labels show Delta.
    zeros = [label for wire in after.secret.signs for label in wire]
    actives = [label for wire in theirs.secret.signs for label in wire]
    assert {a ^ b for a, b in zip(zeros, actives, strict=True)} <= {0, delta}


def windows(data: bytes) -> set[int]:
    return {int.from_bytes(data[at : at + 16], "little") for at in range(len(data) - 15)}


@pytest.mark.req("CAPC-ROUND-007")
def test_states_show_nothing() -> None:
    mine, theirs, _ = begin(READABLE, READABLE, JOB)
    assert (repr(mine), repr(theirs)) == ("<GarblerRound>", "<EvaluatorRound>")
    assert "secret" not in repr(mine.secret) + repr(theirs.secret)
    assert str(JOB.masks[0][0]) not in repr(mine.secret)


def test_a_source_of_two_keys_is_enough() -> None:
    """What a step reads: label seed and hash key, or the hash key of the rows."""
    mine, theirs, request = begin(READABLE, READABLE, JOB)
    source = XofSource(Seed(bytes(32)), b"x")
    _, answer = vote_rounds.garble(GarbledVote(JOB.chunk), mine, request, source)
    assert answer[:32] == XofSource(Seed(bytes(32)), b"x").read(32)
    result = vote_rounds.evaluate(GarbledVote(JOB.chunk), theirs, answer, source)
    assert result[1][:16] == XofSource(Seed(bytes(32)), b"x").read(48)[32:]
