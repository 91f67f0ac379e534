"""Steps 1c and 3 on an outside engine, from each role's own chair; steps 1a, 1b and 2 are the embedded ones.

All answering parties and queries of a batch are cases of one run of step 1c, and all queries of one run of step 3.

Spec: CAPC-MPC-040 to CAPC-MPC-042.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from capc.foundation.parties import Party
from capc.models.architecture import Rows
from capc.protocol.costs import Step
from capc.protocol.embedded_methods import EmbeddedRelease, aggregate, answer_layers, ask_layers
from capc.protocol.engine import EngineCost
from capc.protocol.seats import AnsweringSeat, GuardianSeat, Methods, Queries, QueryingSeat
from capc.session.parameters import Charge, Parameters
from capc.steps.answering_party.external import answering_party_enter_argmax
from capc.steps.answering_party.inference import AnsweringVoteShare
from capc.steps.answering_party.party import AwaitingTransfers
from capc.steps.privacy_guardian.external import privacy_guardian_enter_release, privacy_guardian_take_answered
from capc.steps.privacy_guardian.party import VoteCollection
from capc.steps.querying_party.external import (
    LogitEntry,
    querying_party_enter_argmax,
    querying_party_enter_release,
    querying_party_take_label,
    querying_party_take_votes,
)
from capc.steps.querying_party.inference import LayerInput, VoteShare, querying_party_enter_batch
from capc.steps.querying_party.party import OpenBatch, ReleaseTurn


class EngineEntry(Protocol):
    """Where each party enters its own words into the engine, and takes its own results, by the batch's first query."""

    async def enter_masks(self, first: int, party: Party, masks: Rows, fresh_shares: Rows) -> None:
        """Step 1c, an answering party: its shares of the logits and its fresh vote shares, for each query."""

    async def enter_logits(
        self, first: int, parameters: Parameters, shares: Mapping[Party, Rows]
    ) -> tuple[dict[Party, Rows], EngineCost]:
        """Step 1c, the querying party: its shares of the logits, for its shares of the votes."""

    async def enter_noise(self, first: int, words: Rows) -> tuple[int | None, ...]:
        """Step 3, the guardian: its words of each query, in realised mode for the answered bits."""

    async def enter_votes(
        self, first: int, parameters: Parameters, words: Rows
    ) -> tuple[tuple[tuple[int, ...], ...], EngineCost]:
        """Step 3, the querying party: its words of each query, for the outputs of the release circuit."""


class OutsideInference:
    """Step 1c on an engine.

    Args:
        entry: of each party to the engine.
    """

    def __init__(self, entry: EngineEntry) -> None:
        self._entry = entry

    async def querying_party(
        self, seat: QueryingSeat, opened: Sequence[OpenBatch], transfers: Mapping[Party, bytes], queries: Queries
    ) -> list[tuple[VoteShare, ...]]:
        """Enters its shares of all logits."""
        link = seat.link
        link.step = Step.LINEAR
        inputs = querying_party_enter_batch(opened, queries)
        entered = await link.together(self._ask(seat, first, transfers[first.peer]) for first in inputs)
        shares = {state.layer_input.peer: logits for state, logits in entered}
        votes, cost = await self._entry.enter_logits(opened[0].batch.first, seat.session.parameters, shares)
        link.outside(cost.bytes, cost.rounds)
        return [querying_party_take_votes(state, votes[state.layer_input.peer]) for state, _ in entered]

    async def _ask(self, seat: QueryingSeat, state: LayerInput, transfers: bytes) -> tuple[LogitEntry, Rows]:
        return querying_party_enter_argmax(*await ask_layers(seat, state, transfers))

    async def answering_party(self, seat: AnsweringSeat, waiting: AwaitingTransfers) -> tuple[AnsweringVoteShare, ...]:
        """Enters its shares of the logits, and fresh shares of the votes."""
        choice = await answer_layers(seat, waiting)
        votes, masks, fresh = answering_party_enter_argmax(choice, seat.seeds())
        await self._entry.enter_masks(waiting.batch.first, seat.me, masks, fresh)
        return votes


class OutsideRelease(EmbeddedRelease):
    """Step 3 on an engine, for all queries of a batch at once.

    Args:
        entry: of each party to the engine.
    """

    def __init__(self, entry: EngineEntry) -> None:
        self._entry = entry

    async def querying_party(
        self, seat: QueryingSeat, turns: Sequence[ReleaseTurn], shares: Sequence[Sequence[VoteShare]]
    ) -> None:
        """Enters its words, and takes the labels."""
        seat.link.step = Step.RELEASE
        own = zip(*shares, strict=True)
        entered = [
            querying_party_enter_release(turn, each, seat.seeds()) for turn, each in zip(turns, own, strict=True)
        ]
        words = tuple(words for _, words in entered)
        outputs, cost = await self._entry.enter_votes(turns[0].query, seat.session.parameters, words)
        seat.link.outside(cost.bytes, cost.rounds)
        for (state, _), bits in zip(entered, outputs, strict=True):
            seat.answers.append((querying_party_take_label(state, bits), state.threshold_noise))

    async def privacy_guardian(self, seat: GuardianSeat, collecting: Sequence[VoteCollection]) -> None:
        """Has every query charged before its noise is drawn, and told what it enters before it enters it."""
        entered = []
        for collects in collecting:
            aggregated = await aggregate(seat, collects)
            seat.link.step = Step.RELEASE
            receipt = seat.account.reserve(seat.session.tag, aggregated.query, aggregated.inputs_digest)
            state, words, commitment = privacy_guardian_enter_release(aggregated, receipt, seat.seeds())
            seat.account.dispatch(receipt, commitment)
            seat.noise.append(state.noise)
            entered.append((state, words))
        answered = await self._entry.enter_noise(collecting[0].query, tuple(words for _, words in entered))
        if seat.session.parameters.release.charge is Charge.REALISED:
            for (state, _), bit in zip(entered, answered, strict=True):
                seat.account.settle(state.receipt, answered=privacy_guardian_take_answered(state, bit))


def outside_methods(entry: EngineEntry) -> Methods:
    """Inference and release with steps 1c and 3 on an engine."""
    return Methods(OutsideInference(entry), OutsideRelease(entry), outside=True)
