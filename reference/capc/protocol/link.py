"""What a role program needs of a transport: messages to and from every other party, in order."""

from __future__ import annotations

from collections.abc import Coroutine, Iterable, Mapping
from typing import Any, Protocol, TypeVar

from capc.foundation.parties import Party
from capc.models.architecture import Activation, StageShape
from capc.protocol.costs import Step

S = TypeVar("S")
T = TypeVar("T")


class Link(Protocol):
    """One party's connections. The transport authenticates every peer, and keeps the order of each connection.

    Attributes:
        step: the protocol's step at which the party is, at first the set-up. It names what the party computes and
            sends, for reports. Where tasks run side by side, each of them has its own.
    """

    step: Step

    async def send(self, peer: Party, message: bytes, flight: str | None = None) -> None:
        """Sends a message.

        Args:
            peer: who gets it.
            message: header and payload.
            flight: what is sent to one peer in one step under the same name travels at the same time, and counts as
                one round; None for a round of its own.
        """

    async def receive(self, peer: Party, step: Step | None = None) -> bytes:
        """The peer's next message.

        Args:
            peer: whose.
            step: where the party is when it has the message; None for where it is already.

        Raises:
            ProtocolError: the peer is silent (`missing_participant`).
        """

    async def together(self, tasks: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
        """The results of tasks that do not wait for each other: side by side on a network, or one after another."""

    def outside(self, sent: int, rounds: int) -> None:
        """Counts the messages of an outside engine, which pass elsewhere."""


async def tell(link: Link, peer: Party, made: tuple[S, bytes | None], flight: str | None = None) -> S:
    """Sends the message that a step made, if it made one, and gives the state that it left."""
    state, message = made
    if message is not None:
        await link.send(peer, message, flight)
    return state


async def tell_all(link: Link, messages: Mapping[Party, bytes], flight: str) -> None:
    """Sends each party its message."""
    for peer, message in messages.items():
        await link.send(peer, message, flight)


async def hear_all(link: Link, peers: Iterable[Party]) -> dict[Party, bytes]:
    """The next message of each party, from whoever speaks first: one that refuses is heard while others are silent."""
    senders = list(peers)
    messages = await link.together(link.receive(peer) for peer in senders)
    return dict(zip(senders, messages, strict=True))


def layer_steps(stage: StageShape) -> tuple[Step, Step]:
    """To which steps a layer's sums and its activation belong."""
    if stage.activation is Activation.VOTE:
        return Step.MASKED_LOGITS, Step.ARGMAX
    return Step.LINEAR, Step.LINEAR if stage.activation is Activation.NONE else Step.RELU
