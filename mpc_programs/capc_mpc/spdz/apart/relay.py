"""The channels of protocols that MP-SPDZ runs over plain TCP, carried between machines under TLS with the run's keys.

The party program is enclosed (:mod:`capc_mpc.spdz.apart.enclosed`): it meets nobody but this relay, through sockets in
the folder of the run, which the user alone can open. Between the machines each connection is one of TLS, both ends of
which show the very certificate that belongs to the party; whoever shows another is hung up on.

Reveals: to an observer of the network how many bytes pass when; to no machine more than to its party.
"""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

from capc_mpc.spdz.apart.enclosed import INWARD, outward
from capc_mpc.spdz.apart.meeting import Meeting, cannot_listen, context_of
from capc_mpc.spdz.apart.pumps import Carried, Ends, connected
from capc_mpc.spdz.keys import certificate_of

_CONNECT_SECONDS = 60.0


@cache
def enclosing() -> tuple[str, ...] | None:
    """What starts a command in a network of its own, None where this system or user may not."""
    program = shutil.which("unshare")
    for flags in ([], ["--user", "--map-root-user"]):
        words = [program or "", *flags, "--net"]
        if program and not subprocess.run([*words, "true"], capture_output=True, check=False).returncode:  # noqa: S603
            return tuple(words)
    return None


def enclosed(party: int, ports: Sequence[int], command: Sequence[str]) -> list[str]:
    """The command that runs a party program enclosed; :func:`enclosing` must give something."""
    words = [sys.executable, "-P", "-m", "capc_mpc.spdz.apart.enclosed", str(party), ",".join(map(str, ports))]
    return [*(enclosing() or ()), *words, *command]


@contextmanager
def relayed(meeting: Meeting, folder: Path) -> Iterator[None]:
    """Carries a party's connections while the block runs, and to their last byte after it.

    Args:
        meeting: who the parties are, where, and with which keys; they have met.
        folder: of the run.

    Raises:
        InputError: the port cannot be listened on.
    """
    relay = _Relay(meeting, folder)
    started = threading.Event()
    with ThreadPoolExecutor(1, thread_name_prefix="relay") as pool:
        carrying = pool.submit(lambda: asyncio.run(relay.serve(started)))
        carrying.add_done_callback(lambda _: started.set())
        try:
            started.wait()
            # What is over before it was told to end has failed.
            if carrying.done():
                carrying.result()
            yield
        finally:
            relay.end()
        carrying.result()


class _Relay:
    """One party's end of all its connections."""

    def __init__(self, meeting: Meeting, folder: Path) -> None:
        self._meeting, self._folder = meeting, folder
        parties = range(len(meeting.addresses))
        self._certificates = {n: certificate_of(meeting.keys, n).public_bytes(Encoding.DER) for n in parties}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._over = asyncio.Event()
        self._carried = Carried()

    def end(self) -> None:
        """Lets :meth:`serve` end once everything is carried."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._over.set)

    async def serve(self, started: threading.Event) -> None:
        """Carries connections until it is told to end.

        Raises:
            InputError: the port cannot be listened on.
        """
        own = self._meeting.party
        later = range(own + 1, len(self._meeting.addresses))
        servers = [await self._listen(later)] if later else []
        for other in range(own):
            place = self._folder / outward(other)
            servers.append(await asyncio.start_unix_server(partial(self._leave, other), place))
        self._loop = asyncio.get_running_loop()
        started.set()
        await self._over.wait()
        for server in servers:
            server.close()
        await self._carried.drained()

    async def _listen(self, later: Sequence[int]) -> asyncio.Server:
        """To the parties that come after this one."""
        _, port = self._meeting.addresses[self._meeting.party]
        context = context_of(self._meeting, ssl.PROTOCOL_TLS_SERVER, later)
        try:
            return await asyncio.start_server(partial(self._enter, later), port=port, ssl=context)
        except OSError as error:
            raise cannot_listen(port, error) from None

    async def _leave(self, other: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """From the party program to another party."""
        host, port = self._meeting.addresses[other]
        context = context_of(self._meeting, ssl.PROTOCOL_TLS_CLIENT, [other])
        far = await connected(_CONNECT_SECONDS, lambda: asyncio.open_connection(host, port, ssl=context))
        if far is not None and not self._holds(far, [other]):
            far[1].close()
            far = None
        await self._carried.carry((reader, writer), far)

    async def _enter(self, others: Sequence[int], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """From another party to the party program."""
        far = None
        if self._holds((reader, writer), others):
            place = self._folder / INWARD
            far = await connected(_CONNECT_SECONDS, lambda: asyncio.open_unix_connection(place))
        await self._carried.carry((reader, writer), far)

    def _holds(self, ends: Ends, others: Sequence[int]) -> bool:
        """Whether the other end of a TLS connection has shown the certificate of one of these parties."""
        shown = ends[1].get_extra_info("ssl_object").getpeercert(binary_form=True)
        return shown in [self._certificates[other] for other in others]
