"""A set-up in which every two parties find out that they hold different documents, and name the field (section 02).

Spec: CAPC-ROLE-004, CAPC-ROLE-018.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeVar

from capc.foundation.errors import ErrorCode, ProtocolError
from capc.foundation.parties import Party
from capc.protocol.costs import Step
from capc.protocol.link import Link
from capc.session.hello import check_hello, hello, is_hello
from capc.session.session import Session

T = TypeVar("T")


async def in_one_session(
    link: Link, session: Session, me: Party, set_up: Callable[[Link], Coroutine[Any, Any, T]]
) -> T:
    """What a set-up gives, over a link that answers a peer's hello.

    Raises:
        ProtocolError: `parameter_mismatch` with the first field that differs, where a peer's document is another one;
            `foreign_session` where it only has another tag; or whatever the set-up refuses.
    """
    listening = HelloLink(link, session, me)
    try:
        return await set_up(listening)
    except ProtocolError as refusal:
        if refusal.code is ErrorCode.FOREIGN_SESSION:
            await listening.compare(refusal.blame)
        raise


class HelloLink:
    """A link of which a hello, in the place of another message, is answered with one's own, and refused.

    Args:
        link: the party's own.
        session: the party's own.
        me: the party.
    """

    def __init__(self, link: Link, session: Session, me: Party) -> None:
        self._link = link
        self._session = session
        self._me = me
        self.step = Step.SETUP
        self.send = link.send
        self.outside = link.outside

    async def receive(self, peer: Party, step: Step | None = None) -> bytes:
        """The next message, if it is no hello.

        Raises:
            ProtocolError: it is the hello of another session.
        """
        message = await self._link.receive(peer, step)
        if is_hello(message):
            await self._say_hello(peer)
            check_hello(self._session, peer, self._me, message)
        return message

    async def together(self, tasks: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
        """As of the link."""
        return await self._link.together(tasks)

    async def compare(self, peer: Party) -> None:
        """Hellos each way; what the peer sent before its own is no longer read.

        Raises:
            ProtocolError: its session is another one.
        """
        await self._say_hello(peer)
        message = await self._link.receive(peer)
        while not is_hello(message):
            message = await self._link.receive(peer)
        check_hello(self._session, peer, self._me, message)

    async def _say_hello(self, peer: Party) -> None:
        await self._link.send(peer, hello(self._session, self._me, peer), "hello")
