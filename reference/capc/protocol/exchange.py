"""All parties' links in one process: messages pass through mailboxes, and are counted where they are handed over."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Coroutine, Generator, Iterable, Sequence
from functools import partial
from types import coroutine
from typing import Any, Generic, Protocol, TypeVar

from capc.foundation.errors import ErrorCode, ProtocolError
from capc.foundation.parties import Party
from capc.protocol.costs import CostMeter, Step, StepCost

T = TypeVar("T")
Program = Coroutine["Mailbox[Any]", None, None]
"""A role program that waits for nothing but mailboxes."""


class Observer(Protocol):
    """Sees every message. Only tests attach one."""

    def message(self, step: Step, sender: Party, receiver: Party, message: bytes) -> None:
        """Called for every message, as it is handed over."""


class NoObserver:
    """Sees nothing."""

    def message(self, step: Step, sender: Party, receiver: Party, message: bytes) -> None:
        """Sees nothing."""


class Mailbox(Generic[T]):
    """Items in their order, and at most one program that waits for the next.

    Args:
        sender: who fills it.
    """

    def __init__(self, sender: Party) -> None:
        self.sender = sender
        self._items: deque[T] = deque()
        self._wake: Callable[[], None] | None = None

    def put(self, item: T) -> None:
        """Adds an item, and wakes who waits."""
        self._items.append(item)
        if self._wake is not None:
            self._wake()
            self._wake = None

    async def take(self) -> T:
        """The next item."""
        while not self._items:
            await _wait(self)
        return self._items.popleft()

    def call_when_filled(self, wake: Callable[[], None]) -> None:
        """Calls once, when the next item comes."""
        self._wake = wake


@coroutine
def _wait(mailbox: Mailbox[Any]) -> Generator[Mailbox[Any], None, None]:
    yield mailbox


class Exchange:
    """Connects all parties, and runs their programs in turns: each goes on until it waits for a message.

    Args:
        observer: told of messages.
    """

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._meter = CostMeter()
        self._boxes: dict[tuple[Party, Party], Mailbox[bytes]] = {}

    @property
    def costs(self) -> dict[str, StepCost]:
        """Seconds, bytes and rounds of each step so far."""
        return self._meter.steps

    def link(self, me: Party) -> LocalLink:
        """The links of one party."""
        return LocalLink(me, self, self._meter)

    def box(self, sender: Party, receiver: Party) -> Mailbox[bytes]:
        """What is on its way from one party to another."""
        if (sender, receiver) not in self._boxes:
            self._boxes[sender, receiver] = Mailbox(sender)
        return self._boxes[sender, receiver]

    def hand_over(self, step: Step, sender: Party, receiver: Party, message: bytes, flight: str | None) -> None:
        """Counts a message, shows it to the observer, and puts it in the receiver's box."""
        self._meter.message(step, frozenset((sender, receiver)), len(message), flight)
        self._observer.message(step, sender, receiver, message)
        self.box(sender, receiver).put(message)

    def run(self, programs: Sequence[tuple[LocalLink, Program]]) -> None:
        """Runs one program of each party to its end. An error of one ends all, and what was on its way is dropped.

        Raises:
            ProtocolError: all wait; the party that is silent is named (`missing_participant`).
        """
        ready = deque(programs)
        waiting: dict[Party, Party] = {}
        try:
            while ready:
                link, program = ready.popleft()
                waiting.pop(link.me, None)
                with self._meter.computing_of(link):
                    try:
                        mailbox = program.send(None)
                    except StopIteration:
                        continue
                waiting[link.me] = mailbox.sender
                mailbox.call_when_filled(partial(ready.append, (link, program)))
            if waiting:
                raise _silence(waiting, programs[-1][0].me)
        finally:
            for _, program in programs:
                program.close()
            self._boxes.clear()
            self._meter.close_lanes()


class LocalLink:
    """One party's links in this process. As :class:`capc.protocol.link.Link`.

    Args:
        me: the party.
        exchange: hands over.
        meter: counts.
    """

    def __init__(self, me: Party, exchange: Exchange, meter: CostMeter) -> None:
        self.me = me
        self._exchange = exchange
        self._meter = meter
        self._step = Step.SETUP

    @property
    def step(self) -> Step:
        """Where the party is; what it computed until a change belongs to the step before."""
        return self._step

    @step.setter
    def step(self, step: Step) -> None:
        self._meter.lap(self._step)
        self._step = step

    async def send(self, peer: Party, message: bytes, flight: str | None = None) -> None:
        """Puts it in the peer's box."""
        self._exchange.hand_over(self._step, self.me, peer, message, flight)

    async def receive(self, peer: Party, step: Step | None = None) -> bytes:
        """Takes the next message from the box."""
        message = await self._exchange.box(peer, self.me).take()
        if step is not None:
            self.step = step
        return message

    async def together(self, tasks: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
        """One after another: each holds its circuits for as short as possible."""
        return [await task for task in tasks]

    def outside(self, sent: int, rounds: int) -> None:
        """Counts them in the present step."""
        self._meter.outside(self._step, sent, rounds)


def _silence(waiting: dict[Party, Party], first: Party) -> ProtocolError:
    """Follows who waits for whom from one party on, to a sender that waits for nobody, or to the end of a circle."""
    receiver = first if first in waiting else next(iter(waiting))
    seen = {receiver}
    while waiting[receiver] in waiting and waiting[receiver] not in seen:
        receiver = waiting[receiver]
        seen.add(receiver)
    detail = f"no message from this party, for which {receiver} waits"
    return ProtocolError(ErrorCode.MISSING_PARTICIPANT, waiting[receiver], detail)
