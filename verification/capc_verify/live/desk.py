"""A party's program, given one message at a time: after each it sends all that it can, and waits for the next."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Coroutine, Generator, Iterable
from dataclasses import dataclass
from types import coroutine
from typing import Any, TypeVar

from capc.foundation.parties import Party
from capc.protocol.costs import Step
from capc_verify.vectors.values import Json

T = TypeVar("T")
Sent = tuple[Party, bytes]
"""The receiver, and the message."""


@dataclass(frozen=True)
class Turn:
    """What a party does when it is given a message, or begins.

    Attributes:
        sent: in order.
        ended: what the party holds at its end, if this was its last message.
    """

    sent: tuple[Sent, ...]
    ended: Json = None


class DeskLink:
    """A party's links to all others. As :class:`capc.protocol.link.Link`."""

    def __init__(self) -> None:
        self.step = Step.SETUP
        self.sent: list[Sent] = []
        self.waits_for: set[Party] = set()
        self._boxes: defaultdict[Party, deque[bytes]] = defaultdict(deque)

    def put(self, sender: Party, message: bytes) -> None:
        """A message that came."""
        self._boxes[sender].append(message)

    async def send(self, peer: Party, message: bytes, flight: str | None = None) -> None:  # noqa: ARG002
        """Leaves it for whoever runs the program."""
        self.sent.append((peer, message))

    async def receive(self, peer: Party, step: Step | None = None) -> bytes:
        """The peer's next message."""
        box = self._boxes[peer]
        while not box:
            self.waits_for.add(peer)
            await _wait()
        if step is not None:
            self.step = step
        return box.popleft()

    async def together(self, tasks: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
        """Side by side: none waits until another has its message."""
        running = dict(enumerate(tasks))
        results: dict[int, T] = {}
        try:
            while running:
                for place, task in list(running.items()):
                    try:
                        task.send(None)
                    except StopIteration as done:
                        results[place] = done.value
                        del running[place]
                if running:
                    await _wait()
        finally:
            for task in running.values():
                task.close()
        return [results[place] for place in sorted(results)]

    def outside(self, sent: int, rounds: int) -> None:
        """There is no outside engine."""


@coroutine
def _wait() -> Generator[None, None, None]:
    yield


class Desk:
    """A party.

    Args:
        link: its program's.
        program: what it does.
        result: what it holds at the end.
    """

    def __init__(self, link: DeskLink, program: Coroutine[Any, Any, None], result: Callable[[], Json]) -> None:
        self._link, self._program, self._result = link, program, result
        self.ended = False

    @property
    def waits_for(self) -> frozenset[Party]:
        """Of whom it needs a message."""
        return frozenset() if self.ended else frozenset(self._link.waits_for)

    def begin(self) -> Turn:
        """What it does before it is given any message.

        Raises:
            CapcError: what the program raises.
        """
        self._link.waits_for.clear()
        try:
            self._program.send(None)
        except StopIteration:
            self.ended = True
        sent, self._link.sent = tuple(self._link.sent), []
        return Turn(sent, self._result() if self.ended else None)

    def deliver(self, sender: Party, message: bytes) -> Turn:
        """What it does when it has this message.

        Raises:
            ProtocolError: the message is refused; the program has ended.
        """
        self._link.put(sender, message)
        return Turn(()) if self.ended else self.begin()

    def close(self) -> None:
        """Ends the program, wherever it is."""
        self.ended = True
        self._program.close()
