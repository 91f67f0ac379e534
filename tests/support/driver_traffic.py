"""Messages on their way, as the driver hands them over, and what a step returned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from capc.foundation.parties import Party, Role
from capc.session.envelope import HEADER, MessageType


@dataclass(frozen=True)
class Place:
    """Where in the protocol a message belongs."""

    message_type: MessageType
    sender: Party
    receiver: Party
    query: int
    layer: int


@dataclass(frozen=True)
class Delivery:
    """One message on its way. ``receive`` may be called with other bytes; None stands for no message at all."""

    place: Place
    honest: bytes
    receive: Callable[[bytes | None], object]
    may_be_missing: bool


def flat(result: object) -> list[object]:
    """What a step returned, tuples taken apart."""
    if isinstance(result, tuple):
        return [entry for part in result for entry in flat(part)]
    return [result]


ROLES = {0: Role.QUERYING_PARTY, 1: Role.ANSWERING_PARTY, 2: Role.PRIVACY_GUARDIAN}


def place_of(message: bytes) -> Place:
    """What an honest message's header says."""
    kind, _, query, layer, sender_role, sender, receiver_role, receiver = HEADER.unpack_from(message)
    return Place(
        MessageType(kind), Party(ROLES[sender_role], sender), Party(ROLES[receiver_role], receiver), query, layer
    )
