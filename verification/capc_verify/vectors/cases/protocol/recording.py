"""Records every step that the roles' programs call: what it was called with, and what it gave."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import coroutine
from typing import Any
from unittest.mock import patch

from capc.foundation.parties import Party, Role
from capc.protocol import embedded_methods, roles
from capc.protocol.collaboration import Table
from capc.protocol.exchange import Mailbox
from capc.protocol.link import Link
from capc.protocol.seats import Mode, Queries, QueryingTurn
from capc.session.session import Batch, Session
from capc.steps.answering_party.party import AnsweringParty
from capc.steps.answering_party.setup import JoiningAnsweringParty
from capc_verify.vectors.operation import Operation, Part

Script = Sequence[tuple[Mode, Queries]]
"""Batches: to be labelled, or to be prepared first."""


@dataclass(frozen=True)
class Call:
    """One call of a step function.

    Attributes:
        operation: the step's.
        party: who called it.
        given: the arguments.
        made: what it returned.
    """

    operation: Operation
    party: Party
    given: tuple[Any, ...]
    made: Any


def recorded(table: Table, operations: Iterable[Operation], script: Script) -> list[Call]:
    """The calls of the set-up and of each batch, in the order in which vectors list them."""
    for seat in (table.querying, *table.answering, table.guardian):
        seat.link = _PausingLink(seat.link)
    played: list[Call] = []
    with _watched(operations) as calls:
        for turns in ([], *([turn] for turn in _turns(script))):
            table.play(*turns)
            played += _part_by_part(calls)
            calls.clear()
    return played


def _turns(script: Script) -> Iterator[QueryingTurn]:
    first = 1
    for mode, queries in script:
        batch = Batch(first, len(queries))
        if mode is Mode.ONLINE:
            yield QueryingTurn(Mode.OFFLINE, batch)
        yield QueryingTurn(mode, batch, queries)
        first += batch.count


def _part_by_part(calls: Sequence[Call]) -> list[Call]:
    """What was called in one turn: part by part, the last parts query by query, and in each as it was called."""
    counts: Counter[tuple[str, Party]] = Counter()
    keys = []
    for place, call in enumerate(calls):
        part, query = call.operation.part, 0
        if part >= Part.AGGREGATION:
            counts[call.operation.name, call.party] += 1
            query = counts[call.operation.name, call.party]
        keys.append((min(part, Part.AGGREGATION), query, part, place))
    return [calls[place] for *_, place in sorted(keys)]


@contextmanager
def _watched(operations: Iterable[Operation]) -> Iterator[list[Call]]:
    """Has the roles' programs call the steps through a recorder, which fills a list."""
    calls: list[Call] = []

    def recording(operation: Operation, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any) -> Any:  # noqa: ANN401
            made = function(*given)
            calls.append(Call(operation, _who(operation, given), given, made))
            return made

        return call

    with ExitStack() as stack:
        for operation in operations:
            for module in (roles, embedded_methods):
                for name in [name for name, value in vars(module).items() if value in operation.calls]:
                    stack.enter_context(patch.object(module, name, recording(operation, getattr(module, name))))
        yield calls


def _who(operation: Operation, given: Sequence[Any]) -> Party:
    """Which answering party, as the step's state or its argument says; there is one party of each other role."""
    if operation.role != Role.ANSWERING_PARTY.value:
        return Party(Role(operation.role))
    state = given[0]
    while not isinstance(state, Session | AnsweringParty | JoiningAnsweringParty):
        state = next(getattr(state, name) for name in ("party", "joining", "request") if hasattr(state, name))
    return next(part for part in given if isinstance(part, Party)) if isinstance(state, Session) else state.me


class _Pause(Mailbox[None]):
    """Waited for in vain: who waits goes on after all others that can."""

    def call_when_filled(self, wake: Callable[[], None]) -> None:
        wake()


@coroutine
def _others_first(me: Party) -> Generator[Mailbox[Any], None, None]:
    yield _Pause(me)


class _PausingLink:
    """A party's link, with a pause after each message: its receiver takes its step before the sender goes on."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self.step = link.step
        self.receive = link.receive
        self.together = link.together
        self.outside = link.outside

    async def send(self, peer: Party, message: bytes, flight: str | None = None) -> None:
        await self._link.send(peer, message, flight)
        await _others_first(peer)
