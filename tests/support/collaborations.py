"""Collaborations of a few parties whose votes are chosen, and a record of what they send."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from capc.foundation.parties import Party
from capc.protocol.collaboration import Collaboration
from capc.session.envelope import MessageType
from capc.session.parameters import Parameters
from capc.steps.suite import hybrid_suite
from support.builders import constant_model, make_account, make_session

SIZES = ((2, 2, 3), (2, 3))


@dataclass
class Recorder:
    """Keeps everything that is handed over: the step, sender, receiver and message."""

    messages: list[tuple[Any, Party, Party, bytes]] = field(default_factory=list)

    def message(self, step: object, sender: Party, receiver: Party, message: bytes) -> None:
        self.messages.append((step, sender, receiver, message))

    @property
    def connections(self) -> dict[tuple[Party, Party], list[bytes]]:
        """The messages from each party to each other one, in their order."""
        ends = {sent[1:3] for sent in self.messages}
        return {pair: [sent[3] for sent in self.messages if sent[1:3] == pair] for pair in ends}

    def lengths_of(self, kind: MessageType) -> list[int]:
        return [len(message) for _, _, _, message in self.messages if message[0] == kind]


def collaborate(
    parameters: Parameters,
    winners: Sequence[int] = (1, 1),
    sizes: Sequence[tuple[int, ...]] = SIZES,
    strength: int = 1,
    **parts: Any,
) -> Collaboration:
    """Answering parties that vote for these classes; ideal HE and two-party computation, unless a suite is given."""
    pairs = zip(sizes, winners, strict=True)
    models = [constant_model(size, winner, parameters.widths.fraction_bits, strength) for size, winner in pairs]
    given = {"suite": hybrid_suite(parameters), "account": make_account(parameters), **parts}
    return Collaboration(make_session(parameters, sizes), models, **given)
