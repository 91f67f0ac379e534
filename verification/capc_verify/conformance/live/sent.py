"""What a port sends in a live session, held to what the reference sends: the first difference, and its draw."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from capc.foundation.parties import ROLE_CODES, Party, Role
from capc.session.envelope import HEADER, MessageType
from capc.session.parameters import VoteVariant
from capc_verify.conformance.difference import Difference, compare, draws_of
from capc_verify.live.desk import Turn
from capc_verify.live.joining import Linear, TurnMode
from capc_verify.vectors.values import Json

_BYTES = {"$ref": "#/$defs/bytes_out"}
_FREE_OF_HE = frozenset(
    {MessageType.BASE_OT_OFFER, MessageType.BASE_OT_CHOICE, MessageType.OT_TREES, MessageType.OT_EXTENSION}
)
"""What follows from a querying party's seed alone. All else also follows from keys and encryptions, which do not."""
_PREPARED, _ROUND, _LATER, _RELEASE = "in a prepared batch", "in a round", "of a layer's value", "for a release"
_STEPS: Mapping[tuple[Role, MessageType, str], str] = {
    (Role.QUERYING_PARTY, MessageType.BASE_OT_OFFER, ""): "querying_party_begin_setup",
    (Role.QUERYING_PARTY, MessageType.HE_PUBLIC_KEY, ""): "querying_party_finish_setup",
    (Role.QUERYING_PARTY, MessageType.OT_TREES, ""): "querying_party_finish_setup",
    (Role.QUERYING_PARTY, MessageType.BASE_OT_CHOICE, ""): "querying_party_choose_reverse",
    (Role.QUERYING_PARTY, MessageType.CHOICE_BITS, _ROUND): "querying_party_evaluate_round",
    (Role.QUERYING_PARTY, MessageType.CHOICE_BITS, _RELEASE): "querying_party_request_release",
    (Role.QUERYING_PARTY, MessageType.MASKED_VALUE, ""): "querying_party_mask_batch",
    (Role.QUERYING_PARTY, MessageType.MASKED_VALUE, _LATER): "querying_party_keep_circuits",
    (Role.ANSWERING_PARTY, MessageType.MASK_KEY, ""): "answering_party_begin_setup",
    (Role.ANSWERING_PARTY, MessageType.BASE_OT_CHOICE, ""): "answering_party_answer_setup",
    (Role.ANSWERING_PARTY, MessageType.BASE_OT_OFFER, ""): "answering_party_offer_reverse",
    (Role.ANSWERING_PARTY, MessageType.OT_TREES, ""): "answering_party_finish_reverse",
    (Role.ANSWERING_PARTY, MessageType.LINEAR_RESPONSE, ""): "answering_party_evaluate_layer",
    (Role.ANSWERING_PARTY, MessageType.LINEAR_RESPONSE, _PREPARED): "answering_party_prepare_layer",
    (Role.ANSWERING_PARTY, MessageType.GARBLED_CIRCUITS, ""): "answering_party_garble_layer",
    (Role.ANSWERING_PARTY, MessageType.GARBLED_CIRCUITS, _PREPARED): "answering_party_garble_ahead",
    (Role.ANSWERING_PARTY, MessageType.GARBLED_CIRCUITS, _ROUND): "answering_party_garble_round",
    (Role.ANSWERING_PARTY, MessageType.INPUT_LABELS, _PREPARED): "answering_party_garble_ahead",
    (Role.ANSWERING_PARTY, MessageType.VOTE_SHARES, ""): "answering_party_send_vote",
    (Role.ANSWERING_PARTY, MessageType.VOTE_SHARES, _PREPARED): "answering_party_send_vote",
    (Role.PRIVACY_GUARDIAN, MessageType.BASE_OT_CHOICE, ""): "privacy_guardian_answer_setup",
    (Role.PRIVACY_GUARDIAN, MessageType.GARBLED_CIRCUITS, ""): "privacy_guardian_release",
}
"""Whose stream a message is drawn from."""


@dataclass(frozen=True)
class Sender:
    """Whose messages are compared.

    Attributes:
        me: the party.
        join: what it was asked to join with.
    """

    me: Party
    join: Json

    @property
    def encrypts(self) -> bool:
        """Whether it is the querying party with HE, of whose messages seeds give some only."""
        return self.me.role is Role.QUERYING_PARTY and self.join["linear"] == Linear.BFV

    def step(self, message: bytes) -> str:
        """The step whose stream makes a message; nothing where none does."""
        return _STEPS.get((self.me.role, MessageType(message[0]), self._case(message)), "")

    def _case(self, message: bytes) -> str:
        """What distinguishes messages of one type."""
        kind, _, query, layer, _, _, to_role, to_index = HEADER.unpack_from(message)
        if self.me.role is Role.QUERYING_PARTY:
            if kind == MessageType.CHOICE_BITS and to_role == ROLE_CODES[Role.PRIVACY_GUARDIAN]:
                return _RELEASE
            if kind == MessageType.MASKED_VALUE:
                return _LATER if layer else ""
            return _ROUND if kind == MessageType.CHOICE_BITS and self._in_rounds(to_index, layer) else ""
        if self.me.role is Role.PRIVACY_GUARDIAN:
            return ""
        for turn in self.join["turns"]:
            if turn["mode"] == TurnMode.PREPARE and 0 <= query - turn["first"] < turn["count"]:
                return _PREPARED
        # The first round has the number of the last layer.
        votes = kind == MessageType.GARBLED_CIRCUITS and self._in_rounds(self.me.index, layer + 1)
        return _ROUND if votes else ""

    def _in_rounds(self, index: int, layer: int) -> bool:
        """Whether a layer lies beyond the last of the answering party's model, where rounds of a vote are numbered."""
        document = self.join["session"]
        in_rounds = document["parameters"].get("vote_variant") == VoteVariant.MULTI_ROUND
        return in_rounds and layer >= len(document["participants"][index]["architecture"])


def turn_difference(sender: Sender, expected: Turn, found: Turn) -> Difference | None:
    """The first place at which a turn differs from the reference's; None if there is none.

    Messages to one party count in their order. Which of two parties is sent something first is free.
    """
    difference = next(_differences(sender, expected, found), None)
    if difference is not None or (expected.ended is None and found.ended is None):
        return difference
    if found.ended is None or expected.ended is None:
        early = found.ended is not None
        return Difference("ended", *(("an end", "no end yet") if early else ("no end", "the end")))
    wanted = expected.ended
    if sender.encrypts and "labels" in found.ended:
        # The guardian's noise follows from what came of the encryptions: labels are held to the ideal functionality.
        wanted = {**wanted, "labels": found.ended["labels"]}
    return compare(wanted, found.ended, {}, "ended")


def _differences(sender: Sender, expected: Turn, found: Turn) -> Iterator[Difference]:
    left = list(found.sent)
    for receiver, message in expected.sent:
        own = next((sent for sent in left if sent[0] == receiver), None)
        if own is None:
            others = f"silence to {receiver}" if found.sent else "silence"
            yield Difference(_field(receiver, message), others, f"a message of {len(message)} bytes")
        else:
            left.remove(own)
            difference = _message_difference(sender, receiver, message, own[1])
            if difference is not None:
                yield difference
    for receiver, message in left:
        yield Difference(_field(receiver, message), f"a message of {len(message)} bytes", "no more messages now")


def _message_difference(sender: Sender, receiver: Party, expected: bytes, found: bytes) -> Difference | None:
    field = _field(receiver, expected)
    if sender.encrypts and MessageType(expected[0]) not in _FREE_OF_HE:
        if len(found) >= HEADER.size and len(found) != len(expected):
            return Difference(field, f"{len(found)} bytes", f"{len(expected)} bytes")
        expected, found = expected[: HEADER.size], found[: HEADER.size]
    difference = compare(expected.hex(), found.hex(), _BYTES, field)
    in_payload = difference is not None and difference.offset is not None and difference.offset >= HEADER.size
    if difference is None or not in_payload:
        return difference
    step = sender.step(expected)
    return replace(difference, **draws_of(step)) if step else difference


def _field(receiver: Party, message: bytes) -> str:
    return f"send.{_kind(message)} to {receiver}.message"


def _kind(message: bytes) -> str:
    try:
        return MessageType(message[0]).name.lower()
    except (IndexError, ValueError):
        return "message of no type"


def told(sender: Party, message: bytes) -> str:
    """A message that was delivered, in words."""
    return f"deliver {_kind(message)} from {sender}"
