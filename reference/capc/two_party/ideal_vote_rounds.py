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
from capc.foundation.randomness import RandomSource
from capc.two_party.interface import Transfers, Words
from capc.two_party.vote_rounds import EvaluatorRound, GarblerRound, Shares, VoteShape

HANDLE_BYTES = 8


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
        transfers: Transfers,
        key: object,  # noqa: ARG002
        shape: VoteShape,
        shares: Sequence[Words],
    ) -> tuple[EvaluatorRound, bytes]:
        """Keeps the evaluator's shares until the garbler has given its own."""
        shape.require_transfers(transfers)
        shape.require_shares(shares)
        transfers.spend()
        return EvaluatorRound(shape, 0, transfers.position, shares), b""

    def await_begin(
        self,
        transfers: Transfers,
        key: object,  # noqa: ARG002
        shape: VoteShape,
        shares: Sequence[Words],
    ) -> GarblerRound:
        """Keeps the garbler's shares."""
        shape.require_transfers(transfers)
        shape.require_shares(shares)
        transfers.spend()
        return GarblerRound(shape, 0, transfers.position, shares)

    def garble(self, state: GarblerRound, payload: bytes, source: RandomSource) -> tuple[GarblerRound | Shares, bytes]:
        """In the last round the garbler's shares of the votes, uniform."""
        state.require_unspent()
        require_length(payload, 0, "request of a round")
        shape = state.shape
        state.spend()
        if not shape.is_last(state.number):
            return state.renewed(number=state.number + 1, position=state.position + 1), b""
        votes = [ring.uniform(source, shape.num_classes, shape.vote_bits) for _ in range(shape.instances)]
        shares: Sequence[Words] = state.secret  # type: ignore[assignment]
        self._batches.append((shares, votes))
        return votes, (len(self._batches) - 1).to_bytes(HANDLE_BYTES, "little")

    def evaluate(
        self,
        state: EvaluatorRound,
        payload: bytes,
        source: RandomSource,  # noqa: ARG002
    ) -> tuple[EvaluatorRound, bytes] | Shares:
        """In the last round the votes minus the garbler's shares."""
        state.require_unspent()
        shape = state.shape
        require_length(payload, self.answer_length(shape, state.number), "answer of a round")
        if not shape.is_last(state.number):
            state.spend()
            return state.renewed(number=state.number + 1, position=state.position + 1), b""
        index = int.from_bytes(payload, "little")
        if index >= len(self._batches):
            raise InvalidPayloadError(ErrorCode.VALUE_OUT_OF_RANGE, "a handle that the trusted party did not give")
        state.spend()
        theirs, votes = self._batches[index]
        mine: Sequence[Words] = state.secret  # type: ignore[assignment]
        return [
            ring.subtract(_vote(ring.add(own, other, shape.logit_bits), shape.logit_bits), share, shape.vote_bits)
            for own, other, share in zip(mine, theirs, votes, strict=True)
        ]


def _vote(logits: Sequence[int], width: int) -> list[int]:
    return one_hot_argmax([ring.signed(word, width) for word in logits])
