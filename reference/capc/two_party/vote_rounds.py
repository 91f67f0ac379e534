"""Step 1c in several rounds: only the signs of a tournament's matches are garbled, its values stay additive shares.

For every round, of M matches between neighbours x_i, x_j:

1. Both parties subtract their shares: they share x_i - x_j for each match, with guard bits
   (:mod:`capc.foundation.guarded`). Into the circuit go l + 1 bits of each share; the shares themselves stay exact.
2. The evaluator sends the choice bits of its words; the garbler answers with `signs_circuit`. A sign s, whether
   x_j > x_i, is neither opened nor shared: the evaluator holds one label, of lowest bit c, and the garbler knows the
   bit p that the label of lowest bit 0 stands for, so that s = c XOR p.
3. The winner is x_i + s D for D = x_j - x_i = D_g + D_e. Shares of s D_g are made by the wire's projection with the
   garbler's weight D_g (:mod:`capc.two_party.garbling.output_sharing`); its rows come with the circuits.
4. Shares of s D_e are made the other way round. In a second set of transfers, where the roles are exchanged, the
   garbler has a random bit u and its label t = q XOR u Delta', the evaluator q and its own offset Delta'. The garbler
   sends d = p XOR u. As s = u XOR (c XOR d), t is a label of a wire that carries s, numbered by u, and its projection
   with the weight D_e gives the shares. The evaluator sends the rows with its next choice bits.

The garbler masks p with its transfer's own bit, never with a label's lowest bit: what the lowest bit of t tells is the
evaluator's choice, with the parity of Delta', while u is uniform to an evaluator that plays any Delta'.

The last round needs no winner: `final_circuit` takes the last difference and the kept labels of all earlier signs, and
shares the flags. So there are ceil(log2 C) round trips. A round counts as a layer of its own, after the vote's: in
headers, and in the nonces of hashes and transfers, where it makes tweaks unique under each of the two offsets.

Reveals: to each party its fresh shares. Implementations:
    :class:`capc.two_party.garbling.readable_vote_rounds.GarbledVote`, readable; a fast
one outside of the core, which gives the same bytes; :class:`capc.two_party.ideal_vote_rounds.IdealVote`.

Source: projection gates, Ball, Malkin, Rosulek 2016; choice by correlated transfer, Asharov, Lindell, Schneider, Zohner
2013. Spec: CAPC-ROUND-001 to CAPC-ROUND-010.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, Self, TypeVar

from capc.foundation import ring
from capc.foundation.errors import InputError
from capc.foundation.randomness import RandomSource
from capc.foundation.single_use import SingleUse
from capc.two_party.circuits.builder import Circuit
from capc.two_party.circuits.tournament import matches_per_round
from capc.two_party.circuits.vote_rounds import final_circuit, signs_circuit
from capc.two_party.transfers import EvaluatorEnd, EvaluatorTurn, GarblerEnd, GarblerTurn, Transfers, Words

Turn = TypeVar("Turn")
TheirKey_contra = TypeVar("TheirKey_contra", contravariant=True)
OwnKey_contra = TypeVar("OwnKey_contra", contravariant=True)
"""Of the second set of transfers: an evaluator's key at the garbler, and a garbler's key at the evaluator."""


@dataclass(frozen=True)
class VoteShape:
    """What both parties know of a vote on a batch of queries.

    Attributes:
        num_classes: C.
        logit_bits: l.
        guard_bits: h; shares of logits are in Z_{2^T}, T = l + h.
        vote_bits: w.
        instances: how many queries.
    """

    num_classes: int
    logit_bits: int
    guard_bits: int
    vote_bits: int
    instances: int

    @property
    def share_bits(self) -> int:
        """T = l + h."""
        return self.logit_bits + self.guard_bits

    @property
    def word_bits(self) -> int:
        """l + 1: what of a difference's share goes into a circuit."""
        return self.logit_bits + 1

    @property
    def rounds(self) -> int:
        """ceil(log2 C)."""
        return len(matches_per_round(self.num_classes))

    def matches(self, number: int) -> int:
        """Of each query in a round, from 0."""
        return matches_per_round(self.num_classes)[number]

    def is_last(self, number: int) -> bool:
        """Whether no round follows."""
        return number == self.rounds - 1

    def circuit(self, number: int) -> Circuit:
        """What is garbled in a round."""
        if self.is_last(number):
            return final_circuit(self.num_classes, self.logit_bits, self.vote_bits)
        return signs_circuit(self.matches(number), self.logit_bits, self.share_bits)

    def transfers(self, number: int) -> int:
        """Transfers to the evaluator in a round: one for each bit of its words."""
        return self.instances * self.matches(number) * self.word_bits

    @property
    def all_transfers(self) -> int:
        """Transfers to the evaluator in all rounds: (C-1)(l+1) for each query."""
        return self.instances * (self.num_classes - 1) * self.word_bits

    @property
    def reverse_transfers(self) -> int:
        """Transfers to the garbler: one for each match but the last."""
        return self.instances * (self.num_classes - 2)

    def require_transfers(self, transfers: Transfers[Any]) -> None:
        """Raises :class:`InputError` unless there are transfers for all rounds."""
        if transfers.count != self.all_transfers:
            raise InputError(f"{transfers.count} transfers for a vote in rounds: make {self.all_transfers}")

    def require_shares(self, shares: Sequence[Words]) -> None:
        """Raises :class:`InputError` unless there are C shares in Z_{2^T} per query."""
        fits = all(len(row) == self.num_classes and not any(word >> self.share_bits for word in row) for row in shares)
        if len(shares) != self.instances or not fits:
            raise self.refusal()

    def refusal(self) -> InputError:
        """Of shares; none of them is printed."""
        return InputError(f"a vote on {self.instances} queries takes {self.num_classes} shares of each, reduced")


@dataclass(frozen=True, repr=False)
class _Round(SingleUse, Generic[Turn]):
    """A party between two messages of a round. Secret: the scheme's own.

    Attributes:
        shape: of the vote.
        number: of the round, from 0.
        nonce: of the round, below 2^64; round ``number`` of a vote has the vote's nonce plus ``number``.
        secret: shares of the entrants, labels, the offset.
    """

    shape: VoteShape
    number: int
    nonce: int
    secret: Turn

    def require_round(self, *, last: bool) -> None:
        """What every function that takes a message asks first.

        Raises:
            InputError: this is, or is not, the last round.
        """
        self.require_unspent()
        if self.shape.is_last(self.number) != last:
            raise InputError(f"round {self.number} of {self.shape.rounds}: the last round has functions of its own")

    def following(self, secret: Turn) -> Self:
        """The next round."""
        return self.renewed(number=self.number + 1, nonce=self.nonce + 1, secret=secret)


@dataclass(frozen=True, repr=False)
class GarblerRound(_Round[Turn]):
    """The garbler, waiting for the evaluator's message of a round."""


@dataclass(frozen=True, repr=False)
class EvaluatorRound(_Round[Turn]):
    """The evaluator, waiting for the garbler's answer in a round."""


Shares = Sequence[Words]
"""For each query a party's share of the one-hot vote, C elements of Z_{2^w}."""


class VoteRounds(Protocol[TheirKey_contra, OwnKey_contra, EvaluatorEnd, GarblerEnd, EvaluatorTurn, GarblerTurn]):
    """How two parties vote in rounds; functions that take payloads raise :class:`InvalidPayloadError`.

    Keys of the second set of transfers come from the two-party scheme's own set-up with the roles exchanged: the
    evaluator has its "garbler's key", and the garbler its "evaluator's key". Lengths are in bytes, and exact.
    """

    def request_length(self, shape: VoteShape, number: int) -> int:
        """Of the evaluator's message of a round."""

    def answer_length(self, shape: VoteShape, number: int) -> int:
        """Of the garbler's message of a round."""

    def begin(
        self, transfers: Transfers[EvaluatorEnd], key: OwnKey_contra, shape: VoteShape, shares: Sequence[Words]
    ) -> tuple[EvaluatorRound[EvaluatorTurn], bytes]:
        """Evaluator: its message of round 0. The transfers are spent."""

    def await_begin(
        self, transfers: Transfers[GarblerEnd], key: TheirKey_contra, shape: VoteShape, shares: Sequence[Words]
    ) -> GarblerRound[GarblerTurn]:
        """Garbler: ready for round 0. The transfers are spent."""

    def garble(
        self, state: GarblerRound[GarblerTurn], payload: bytes, source: RandomSource
    ) -> tuple[GarblerRound[GarblerTurn], bytes]:
        """Garbler, in a round that is not the last: the next state, and its answer."""

    def garble_last(
        self, state: GarblerRound[GarblerTurn], payload: bytes, source: RandomSource
    ) -> tuple[Shares, bytes]:
        """Garbler, in the last round: its shares of the votes, and its answer."""

    def evaluate(
        self, state: EvaluatorRound[EvaluatorTurn], payload: bytes, source: RandomSource
    ) -> tuple[EvaluatorRound[EvaluatorTurn], bytes]:
        """Evaluator, in a round that is not the last: the next state and message."""

    def evaluate_last(self, state: EvaluatorRound[EvaluatorTurn], payload: bytes) -> Shares:
        """Evaluator, in the last round: its shares of the votes."""


Columns = list[list[int]]
"""One party's shares, entrant by entrant, each for all queries."""


def differences(entrants: Columns, share_bits: int) -> Columns:
    """One party's shares of x_i - x_j for each match."""
    pairs = zip(entrants[::2], entrants[1::2], strict=False)
    return [ring.subtract(left, right, share_bits) for left, right in pairs]


def winners(entrants: Columns, selected: Columns, share_bits: int) -> Columns:
    """One party's shares of a round's winners, x_i plus its share of s D or of a part of it, and of an odd one out.

    Args:
        entrants: shares of all entrants.
        selected: what to add for each match.
        share_bits: T.
    """
    matches = len(selected)
    won = [ring.add(*pair, share_bits) for pair in zip(entrants[: 2 * matches : 2], selected, strict=True)]
    return won + entrants[2 * matches :]
