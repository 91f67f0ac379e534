"""A querying party of a vote in rounds that plays an offset Delta' of its choice, and notes what it could read."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

from capc.foundation.encoding import bits_from_bytes, elements_to_bytes
from capc.foundation.randomness import RandomSource
from capc.two_party.garbling.half_gates import LabelHash, LabelRows
from capc.two_party.garbling.readable import GarbledTwoParty
from capc.two_party.garbling.readable_vote_rounds import GarbledVote, _added, _columns, _Evaluator, _negated
from capc.two_party.garbling.transfers import base_ot, ot_extension
from capc.two_party.garbling.transfers.ot_extension import EvaluatorKey, GarblerKey
from capc.two_party.garbling.transfers.ot_messages import BaseOtOffer, OtExtension
from capc.two_party.vectorised import extension
from capc.two_party.vectorised.labels import to_numbers
from capc.two_party.vote_rounds import EvaluatorRound, GarblerRound, differences, winners
from support.computations import stream
from support.vote_rounds import FAST, READABLE, Rows, Votes, begin

OFFSETS = {
    "odd": stream(1, "offset").bits(128) | 1,
    "even": stream(1, "offset").bits(128) & ~1,
    "even_but_in_no_other_bit": (1 << 128) - 2,
    "two": 2,
    "one": 1,
    "zero": 0,
}
"""What the querying party plays; an honest one draws the first."""


def reverse_keys(delta: int | None) -> tuple[GarblerKey, EvaluatorKey]:
    """The second base transfers, in which the querying party chooses Delta'; None for an honest choice."""
    scheme = GarbledTwoParty()
    state, offer = scheme.evaluator_offer(stream(1, "reverse offer"))
    if delta is None:
        chosen, choice = scheme.garbler_choose(offer, b"reverse", stream(1, "reverse choice"))
    else:
        chosen, choice = choose(BaseOtOffer.from_bytes(offer), delta)
    evaluator_key, trees = scheme.evaluator_finish(state, choice, b"reverse", stream(1, "reverse trees"))
    return cast(GarblerKey, scheme.garbler_finish(chosen, trees)), cast(EvaluatorKey, evaluator_key)


def choose(offer: BaseOtOffer, delta: int, context: bytes = b"reverse") -> tuple[base_ot.ChosenSeeds, bytes]:
    """`base_ot_choose` for any Delta'. Each point is as uniform as an honest one."""
    chosen, choice = base_ot._choose(delta, offer, context, stream(1, "points"))
    return chosen, choice.to_bytes()


def choosing(engine: type[GarbledTwoParty], offset: int, played: list[bytes]) -> GarbledTwoParty:
    """An engine whose querying party plays this offset in every vote in rounds; ``played`` notes each context."""

    class Choosing(engine):  # type: ignore[misc, valid-type]
        def garbler_choose(
            self, offer: bytes, context: bytes, source: RandomSource
        ) -> tuple[base_ot.ChosenSeeds, bytes]:
            if not context.endswith(b"/reverse"):
                return cast(tuple[base_ot.ChosenSeeds, bytes], super().garbler_choose(offer, context, source))
            played.append(context)
            return choose(BaseOtOffer.from_bytes(offer), offset, context)

    return Choosing()


def ends(
    job: Votes, keys: tuple[GarblerKey, EvaluatorKey], garbler: str = READABLE
) -> tuple[GarblerRound, EvaluatorRound, bytes]:
    """Both ends before round 0, with these reverse keys; the querying party's is the readable one."""
    answering, asking, request = begin(garbler, READABLE, job)
    kept = extension.EvaluatorKey(keys[1]) if garbler == FAST else keys[1]
    return (
        replace(answering, secret=replace(cast(Any, answering.secret), key=kept)),
        replace(asking, secret=replace(cast(Any, asking.secret), key=keys[0])),
        request,
    )


class Curious(GarbledVote):
    """A querying party that reads each sign as if the mask of p were the lowest bit of q, and plays on.

    Attributes:
        signs: what it takes for the signs, round after round.
        colours: the lowest bits c of the signs' labels.
        masked: the bits d that it received.
        zeros: its labels q of the reverse transfers.
    """

    def __init__(self, chunk: int) -> None:
        super().__init__(chunk)
        self.signs: list[list[int]] = []
        self.colours: list[list[int]] = []
        self.masked: list[list[int]] = []
        self.zeros: list[list[int]] = []

    def read(self, state: EvaluatorRound, answer: bytes) -> tuple[list[int], Rows, LabelRows]:
        """The labels q of the reverse transfers, its shares of the circuits' outputs and the labels of signs."""
        shape, own = state.shape, cast(_Evaluator, state.secret)
        split = self._circuits_length(shape, state.number)
        size, _ = self._selection_lengths(shape, state.number)
        shares, labels = self._evaluate(state, answer[:split])
        reverse = own.reverse
        if state.number == 0:
            rows = OtExtension.from_bytes(answer[split : split + size], shape.reverse_transfers)
            reverse = ot_extension.extend_send(cast(GarblerKey, own.key), state.nonce, rows)
        count = shape.instances * shape.matches(state.number)
        masked = bits_from_bytes(answer[split + size :], count)
        self.colours.append([label & 1 for wire in labels for label in wire])
        self.masked.append([masked >> place & 1 for place in range(count)])
        self.zeros.append(reverse[:count])
        parts = zip(self.colours[-1], self.masked[-1], reverse, strict=False)
        self.signs.append([(c ^ d ^ q) & 1 for c, d, q in parts])
        return reverse, shares, labels

    def play_on(self, state: EvaluatorRound, answer: bytes, number: int) -> tuple[EvaluatorRound, bytes]:
        """Rows of zeros, and shares to which its own part of each winner is added, as it takes the signs to be.

        With Delta' = 0 the answering party adds the hash of q, which it knows: had it read signs, no vote went wrong.
        """
        shape, own = state.shape, cast(_Evaluator, state.secret)
        reverse, shares, labels = self.read(state, answer)
        count, width = shape.matches(state.number) * shape.instances, shape.share_bits
        weights = _negated(differences(own.entrants, width), width)
        hash_key = stream(number, "hash key").read(16)
        (hashes,) = LabelHash(hash_key, state.nonce + 1).digest(reverse[:count])
        own_part = [
            [(self.signs[-1][m * shape.instances + i] * weight - hashes[m * shape.instances + i]) % (1 << width)
             for i, weight in enumerate(row)]
            for m, row in enumerate(weights)
        ]  # fmt: skip
        entrants = _added(winners(own.entrants, _columns(shares), width), own_part, width)
        spent = shape.transfers(state.number)
        after = _Evaluator(
            own.bits >> spent, own.labels[spent:], own.key, reverse[count:], entrants, own.signs + labels
        )
        chosen, bits = self._choose(shape, state.number + 1, after)
        rows = b"".join(elements_to_bytes([0] * shape.instances, width) for _ in range(shape.matches(state.number)))
        return EvaluatorRound(shape, state.number + 1, state.nonce + 1, chosen), hash_key + rows + bits


def zero_labels(after: GarblerRound, matches: int) -> list[int]:
    """The answering party's zero labels of the last round's signs, match after match."""
    signs = cast(Any, after.secret).signs
    wires = signs if isinstance(signs, list) else to_numbers(signs)
    return [label for wire in wires[-matches:] for label in wire]


def true_signs(cheat: Curious, evaluator: EvaluatorRound, after: GarblerRound) -> list[int]:
    """The signs of a round that was just played, from both parties' labels: c XOR p."""
    permute = [label & 1 for label in zero_labels(after, evaluator.shape.matches(evaluator.number))]
    return [c ^ p for c, p in zip(cheat.colours[evaluator.number], permute, strict=True)]
