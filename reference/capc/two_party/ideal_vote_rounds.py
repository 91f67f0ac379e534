"""The ideal vote in rounds, for the hybrid model: a trusted party takes both parties' shares of the logits.

It draws the garbler's shares of the vote and gives each party its own. Both parties must hold one object. Messages say
nothing, but the last, which is a handle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from capc.foundation import ring
from capc.foundation.cleartext import one_hot_argmax
from capc.foundation.encoding import require_length
from capc.foundation.errors import ErrorCode, InvalidPayloadError
from capc.foundation.guarded import evaluator_word, garbler_word, opened
from capc.foundation.randomness import RandomSource
from capc.two_party.transfers import Transfers, Words
from capc.two_party.vote_rounds import EvaluatorRound, GarblerRound, Shares, VoteShape

HANDLE_BYTES = 8
Held = Sequence[Words]
"""What the trusted party is handed of a vote: one party's shares of the logits."""


@dataclass(repr=False)
class IdealVote:
    """The trusted party."""

    _batches: list[tuple[Sequence[Words], Shares]] = field(default_factory=list)

    def request_length(self, shape: VoteShape, number: int) -> int:  # noqa: ARG002
        """0."""
        return 0

    def answer_length(self, shape: VoteShape, number: int) -> int:
        """A handle in the last round, else 0."""
        return HANDLE_BYTES if shape.is_last(number) else 0

    def begin(
        self,
        transfers: Transfers[None],
        key: None,  # noqa: ARG002
        shape: VoteShape,
        shares: Sequence[Words],
    ) -> tuple[EvaluatorRound[Held], bytes]:
        """Keeps the evaluator's shares until the garbler has given its own."""
        shape.require_transfers(transfers)
        shape.require_shares(shares)
        transfers.spend()
        return EvaluatorRound(shape, 0, transfers.nonce, shares), b""

    def await_begin(
        self,
        transfers: Transfers[None],
        key: None,  # noqa: ARG002
        shape: VoteShape,
        shares: Sequence[Words],
    ) -> GarblerRound[Held]:
        """Keeps the garbler's shares."""
        shape.require_transfers(transfers)
        shape.require_shares(shares)
        transfers.spend()
        return GarblerRound(shape, 0, transfers.nonce, shares)

    def garble(
        self,
        state: GarblerRound[Held],
        payload: bytes,
        source: RandomSource,  # noqa: ARG002
    ) -> tuple[GarblerRound[Held], bytes]:
        """Nothing happens."""
        state.require_round(last=False)
        require_length(payload, 0, "request of a round")
        state.spend()
        return state.following(state.secret), b""

    def garble_last(self, state: GarblerRound[Held], payload: bytes, source: RandomSource) -> tuple[Shares, bytes]:
        """The garbler's shares of the votes, uniform."""
        state.require_round(last=True)
        require_length(payload, 0, "request of a round")
        state.spend()
        shape = state.shape
        votes = [ring.uniform(source, shape.num_classes, shape.vote_bits) for _ in range(shape.instances)]
        self._batches.append((state.secret, votes))
        return votes, (len(self._batches) - 1).to_bytes(HANDLE_BYTES, "little")

    def evaluate(
        self,
        state: EvaluatorRound[Held],
        payload: bytes,
        source: RandomSource,  # noqa: ARG002
    ) -> tuple[EvaluatorRound[Held], bytes]:
        """Nothing happens."""
        state.require_round(last=False)
        require_length(payload, 0, "answer of a round")
        state.spend()
        return state.following(state.secret), b""

    def evaluate_last(self, state: EvaluatorRound[Held], payload: bytes) -> Shares:
        """The votes minus the garbler's shares."""
        state.require_round(last=True)
        require_length(payload, HANDLE_BYTES, "answer of a round")
        index, shape = int.from_bytes(payload, "little"), state.shape
        if index >= len(self._batches):
            raise InvalidPayloadError(ErrorCode.VALUE_OUT_OF_RANGE, "a handle that the trusted party did not give")
        state.spend()
        theirs, votes = self._batches[index]
        return [
            ring.subtract(_vote(shape, own, other), share, shape.vote_bits)
            for own, other, share in zip(state.secret, theirs, votes, strict=True)
        ]


def _vote(shape: VoteShape, evaluator: Words, garbler: Words) -> list[int]:
    bits, guard = shape.logit_bits, shape.guard_bits
    pairs = zip(evaluator, garbler, strict=True)
    words = [opened(evaluator_word(a, guard), garbler_word(b, bits, guard), bits) for a, b in pairs]
    return one_hot_argmax([ring.signed(word, bits) for word in words])
