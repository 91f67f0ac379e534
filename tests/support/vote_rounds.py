"""Votes in rounds, played between two ends of either engine, as strategies and as transcripts."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

from capc.foundation import ring
from capc.foundation.cleartext import one_hot_argmax
from capc.foundation.guarded import room
from capc.foundation.randomness import RandomSource
from capc.two_party.garbling.readable import GarbledTwoParty
from capc.two_party.garbling.readable_vote_rounds import GarbledVote
from capc.two_party.vectorised import VectorisedTwoParty
from capc.two_party.vectorised.vote_rounds import VectorisedVote
from capc.two_party.vote_rounds import EvaluatorRound, GarblerRound, Shares, VoteRounds, VoteShape
from support.computations import fresh_keys, stream

Rows = list[list[int]]
FORWARD, REVERSE = "forward", "reverse"
READABLE, FAST = "readable", "fast"
ENDS = (READABLE, FAST)
TWO_PARTY = {READABLE: GarbledTwoParty, FAST: VectorisedTwoParty}


@dataclass(frozen=True)
class Votes:
    """Logits of a batch, and how they are shared.

    Attributes:
        shape: of the vote.
        logits: for each query C signed numbers below 2^(l-2).
        errors: what shares add up to beside them; any two of a query differ by at most the guard bits' room.
        masks: the garbler's shares.
        chunk: instances per chunk.
        nonce: of the vote.
        seed: of all randomness.
    """

    shape: VoteShape
    logits: Rows
    errors: Rows
    masks: Rows
    chunk: int
    nonce: int = 5
    seed: int = 0

    @property
    def rest(self) -> Rows:
        """The evaluator's shares, of 2^h r + v."""
        guard, width = self.shape.guard_bits, self.shape.share_bits
        sums = [
            [(r << guard) + v for r, v in zip(*rows, strict=True)]
            for rows in zip(self.logits, self.errors, strict=True)
        ]
        return [ring.subtract(row, mask, width) for row, mask in zip(sums, self.masks, strict=True)]

    @property
    def expected(self) -> Rows:
        return [one_hot_argmax(row) for row in self.logits]

    @classmethod
    def uniform(
        cls, num_classes: int, logit_bits: int, vote_bits: int, instances: int, chunk: int, guard_bits: int = 3
    ) -> Votes:
        source, shape = (
            stream(num_classes, "inputs"),
            VoteShape(num_classes, logit_bits, guard_bits, vote_bits, instances),
        )

        def rows(low: int, high: int) -> Rows:
            return [[low + source.below(high - low + 1) for _ in range(num_classes)] for _ in range(instances)]

        limit = (1 << (logit_bits - 2)) - 1
        masks = rows(0, (1 << shape.share_bits) - 1)
        return cls(shape, rows(-limit, limit), rows(-room(guard_bits), 0), masks, chunk)


@st.composite
def votes(draw: st.DrawFn, max_classes: int = 9) -> Votes:
    guard = draw(st.integers(1, 16))
    logit_bits, vote_bits = draw(st.integers(3, 59 - guard)), draw(st.integers(2, 64))
    shape = VoteShape(draw(st.integers(2, max_classes)), logit_bits, guard, vote_bits, draw(st.integers(1, 6)))
    limit, most = (1 << (shape.logit_bits - 2)) - 1, room(guard)
    logit = st.sampled_from([-limit, -1, 0, limit]) | st.integers(-limit, limit)
    mask = st.integers(0, (1 << shape.share_bits) - 1)
    least = draw(st.integers(-most, 0))
    error = st.sampled_from([least, least + most]) | st.integers(least, least + most)

    def rows(elements: st.SearchStrategy[int]) -> Rows:
        size = shape.num_classes
        row = st.lists(elements, min_size=size, max_size=size)
        return draw(st.lists(row, min_size=shape.instances, max_size=shape.instances))

    nonce = draw(st.integers(0, 9) | st.integers(0, (1 << 63) - 1))
    return Votes(shape, rows(logit), rows(error), rows(mask), draw(st.integers(1, 7)), nonce, draw(st.integers(0, 255)))


@dataclass(frozen=True)
class Played:
    """What was sent in turn, and the shares of the votes."""

    sent: list[bytes]
    garbler: Rows
    evaluator: Rows


def opened(played: Played, shape: VoteShape) -> Rows:
    """The votes, of which both parties hold shares."""
    pairs = zip(played.garbler, played.evaluator, strict=True)
    return [ring.add(*pair, shape.vote_bits) for pair in pairs]


def begin(garbler: str, evaluator: str, job: Votes) -> tuple[GarblerRound, EvaluatorRound, bytes]:
    """Both ends before round 0, and the first message."""
    mine, theirs = TWO_PARTY[garbler](), TWO_PARTY[evaluator]()
    garbler_key, evaluator_key = fresh_keys(mine, theirs)
    counts = [job.shape.all_transfers]
    (received,), rows = theirs.extend_evaluator(evaluator_key, job.nonce, counts)
    (kept,) = mine.extend_garbler(garbler_key, job.nonce, counts, rows)
    # In the second set-up the evaluator of circuits is the garbler of transfers.
    reverse_garbler, reverse_evaluator = fresh_keys(theirs, mine, REVERSE)
    state, message = engine(evaluator, job.chunk).begin(received, reverse_garbler, job.shape, job.rest)
    return engine(garbler, job.chunk).await_begin(kept, reverse_evaluator, job.shape, job.masks), state, message


def engine(end: str, chunk: int) -> GarbledVote | VectorisedVote:
    return VectorisedVote(chunk) if end == FAST else GarbledVote(chunk)


def garble(
    scheme: VoteRounds, state: GarblerRound, payload: bytes, source: RandomSource
) -> tuple[GarblerRound | Shares, bytes]:
    """The garbler's part of any round."""
    last = state.shape.is_last(state.number)
    return (scheme.garble_last if last else scheme.garble)(state, payload, source)


def evaluate(
    scheme: VoteRounds, state: EvaluatorRound, payload: bytes, source: RandomSource
) -> tuple[EvaluatorRound, bytes] | Shares:
    """The evaluator's part of any round."""
    if state.shape.is_last(state.number):
        return scheme.evaluate_last(state, payload)
    return scheme.evaluate(state, payload, source)


def play(garbler: str, evaluator: str, job: Votes) -> Played:
    """All rounds; checks all lengths."""
    mine, theirs, message = begin(garbler, evaluator, job)
    answers, requests = engine(garbler, job.chunk), engine(evaluator, job.chunk)
    sent: list[bytes] = []
    for number in range(job.shape.rounds):
        assert len(message) == requests.request_length(job.shape, number)
        mine, answer = garble(answers, mine, message, stream(job.seed, f"garble {number}"))
        assert len(answer) == answers.answer_length(job.shape, number)
        result = evaluate(requests, theirs, answer, stream(job.seed, f"evaluate {number}"))
        sent += [message, answer]
        assert isinstance(mine, GarblerRound) == isinstance(result, tuple) == (number < job.shape.rounds - 1)
        if isinstance(result, tuple):
            theirs, message = result
    return Played(sent, [list(row) for row in mine], [list(row) for row in result])
