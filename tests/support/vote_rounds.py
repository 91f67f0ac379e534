"""Votes in rounds, played between two ends of either engine, as strategies and as transcripts."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from hypothesis import strategies as st

from capc import ot_extension, ring
from capc.circuits.vote import one_hot_argmax
from capc.garbled_two_party import GarbledTwoParty
from capc.multi_round import EvaluatorRound, GarblerRound, Shares, VoteRounds, VoteShape
from capc.multi_round_vote import GarbledVote
from capc.randomness import RandomSource, Seed, XofSource
from capc.two_party import Transfers
from capc.vectorised import VectorisedTwoParty, extension
from capc.vectorised.multi_round import VectorisedVote

Rows = list[list[int]]
FORWARD, REVERSE = b"forward", b"reverse"
READABLE, FAST = "readable", "fast"
ENDS = (READABLE, FAST)


def stream(number: int, label: str) -> XofSource:
    """Deterministic randomness."""
    return XofSource(Seed(hashlib.sha256(str(number).encode()).digest()), label.encode())


@lru_cache
def readable_keys(direction: bytes) -> tuple[ot_extension.GarblerKey, ot_extension.EvaluatorKey]:
    """The ends of one set-up."""
    scheme = GarbledTwoParty()
    number = int.from_bytes(direction, "little")
    state, offer = scheme.evaluator_offer(stream(number, "offer"))
    seeds, choice = scheme.garbler_choose(offer, direction, stream(number, "choice"))
    evaluator_key, trees = scheme.evaluator_finish(state, choice, direction, stream(number, "trees"))
    garbler_key = scheme.garbler_finish(seeds, trees)
    if not isinstance(garbler_key, ot_extension.GarblerKey) or not isinstance(evaluator_key, ot_extension.EvaluatorKey):
        raise TypeError("keys of another engine")
    return garbler_key, evaluator_key


@dataclass(frozen=True)
class Votes:
    """Logits of a batch, and how they are shared.

    Attributes:
        shape: of the vote.
        logits: for each query C signed numbers below 2^(l-2).
        masks: the garbler's shares.
        chunk: instances per chunk.
        position: of the vote.
        seed: of all randomness.
    """

    shape: VoteShape
    logits: Rows
    masks: Rows
    chunk: int
    position: int = 5
    seed: int = 0

    @property
    def rest(self) -> Rows:
        """The evaluator's shares."""
        width = self.shape.logit_bits
        return [ring.subtract(row, mask, width) for row, mask in zip(self.logits, self.masks, strict=True)]

    @property
    def expected(self) -> Rows:
        """The votes."""
        return [one_hot_argmax(row) for row in self.logits]

    @classmethod
    def uniform(cls, num_classes: int, logit_bits: int, vote_bits: int, instances: int, chunk: int) -> Votes:
        """Uniform logits and masks."""
        source = stream(num_classes, "inputs")
        limit = (1 << (logit_bits - 2)) - 1
        logits = [[source.below(2 * limit + 1) - limit for _ in range(num_classes)] for _ in range(instances)]
        masks = [[source.bits(logit_bits) for _ in range(num_classes)] for _ in range(instances)]
        return cls(VoteShape(num_classes, logit_bits, vote_bits, instances), logits, masks, chunk)


@st.composite
def votes(draw: st.DrawFn, max_classes: int = 9) -> Votes:
    """Any votes; ties and largest magnitudes are frequent."""
    shape = VoteShape(
        draw(st.integers(2, max_classes)), draw(st.integers(3, 59)), draw(st.integers(2, 64)), draw(st.integers(1, 6))
    )
    limit = (1 << (shape.logit_bits - 2)) - 1
    logit = st.sampled_from([-limit, -1, 0, limit]) | st.integers(-limit, limit)
    mask = st.integers(0, (1 << shape.logit_bits) - 1)

    def rows(elements: st.SearchStrategy[int]) -> Rows:
        size = shape.num_classes
        row = st.lists(elements, min_size=size, max_size=size)
        return draw(st.lists(row, min_size=shape.instances, max_size=shape.instances))

    position = draw(st.integers(0, 9) | st.integers(0, (1 << 63) - 1))
    return Votes(shape, rows(logit), rows(mask), draw(st.integers(1, 7)), position, draw(st.integers(0, 255)))


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


def transfers_of(garbler: str, evaluator: str, job: Votes) -> tuple[Transfers, Transfers]:
    """The garbler's end and the evaluator's of the transfers for all rounds."""
    garbler_key, evaluator_key = readable_keys(FORWARD)
    counts = [job.shape.all_transfers]
    ours, mine = GarbledTwoParty(), GarbledTwoParty()
    if evaluator == FAST:
        (received,), message = VectorisedTwoParty().extend_evaluator(
            extension.EvaluatorKey(evaluator_key), job.position, counts
        )
    else:
        (received,), message = ours.extend_evaluator(evaluator_key, job.position, counts)
    if garbler == FAST:
        (kept,) = VectorisedTwoParty().extend_garbler(extension.GarblerKey(garbler_key), job.position, counts, message)
    else:
        (kept,) = mine.extend_garbler(garbler_key, job.position, counts, message)
    return kept, received


def begin(garbler: str, evaluator: str, job: Votes) -> tuple[GarblerRound, EvaluatorRound, bytes]:
    """Both ends before round 0, and the first message."""
    kept, received = transfers_of(garbler, evaluator, job)
    theirs, mine = readable_keys(REVERSE)
    garblers_key: object = extension.EvaluatorKey(mine) if garbler == FAST else mine
    evaluators_key: object = extension.GarblerKey(theirs) if evaluator == FAST else theirs
    state, message = engine(evaluator, job.chunk).begin(received, evaluators_key, job.shape, job.rest)
    return engine(garbler, job.chunk).await_begin(kept, garblers_key, job.shape, job.masks), state, message


def engine(end: str, chunk: int) -> GarbledVote | VectorisedVote:
    """The implementation of an end."""
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
        if len(message) != requests.request_length(job.shape, number):
            raise AssertionError("a request of another length")
        after, answer = garble(answers, mine, message, stream(job.seed, f"garble {number}"))
        if len(answer) != answers.answer_length(job.shape, number):
            raise AssertionError("an answer of another length")
        result = evaluate(requests, theirs, answer, stream(job.seed, f"evaluate {number}"))
        sent += [message, answer]
        if isinstance(after, GarblerRound) and isinstance(result, tuple):
            mine, (theirs, message) = after, result
        elif not isinstance(after, GarblerRound) and not isinstance(result, tuple):
            return Played(sent, _lists(after), _lists(result))
        else:
            raise AssertionError("the ends disagree on the number of rounds")
    raise AssertionError("no round was the last")


def _lists(rows: Sequence[Sequence[int]]) -> Rows:
    return [list(row) for row in rows]
