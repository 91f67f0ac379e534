"""Parties meet before a run: all are there, hold the right keys, and mean the same run, or one line says who is not.

MP-SPDZ waits a minute for its peers and then says that something timed out. Here every party listens at its address as
long as it is told to, and connects to the parties before it, under TLS with the keys of the run; each pair compares
what it is about to run, and nobody leaves before all have met. Then the ports are MP-SPDZ's.

Reveals: to every party the program, its arguments, the protocol and MP-SPDZ's version; no input.
"""

from __future__ import annotations

import os
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from cryptography.hazmat.primitives.serialization import Encoding

from capc.foundation.errors import InputError
from capc_mpc.interface.errors import MpcError
from capc_mpc.spdz.keys import certificate_of

_RETRY_SECONDS = 0.1
_HANDSHAKE_SECONDS = 10.0
_LENGTH = struct.Struct("<H")
_MOST_BYTES = 4096
_GO = b"\1"
_T = TypeVar("_T")


@dataclass(frozen=True)
class Meeting:
    """Who meets where.

    Attributes:
        party: this party's number.
        addresses: (host, port) of every party.
        keys: a folder with this party's key and everybody's certificates.
        purpose: what is about to run, as all parties write it.
        seconds: how long to wait for the others.
    """

    party: int
    addresses: tuple[tuple[str, int], ...]
    keys: Path
    purpose: str
    seconds: float


def parse_addresses(texts: Sequence[str]) -> tuple[tuple[str, int], ...]:
    """(host, port) of each text ``HOST:PORT``.

    Raises:
        InputError: a text is none.
    """
    return tuple(map(_parsed, texts))


def _parsed(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 1 << 16:
        raise InputError(f"{text!r} (--addresses): give HOST:PORT, with a port below 65536")
    return host, int(port)


def check_keys(keys: Path, party: int, parties: int) -> None:
    """Checks that a folder has this party's key and the certificates of all, valid now.

    Raises:
        InputError: something is missing, or its time is over.
    """
    if not (keys / f"P{party}.key").is_file():
        raise InputError(f"{keys}/P{party}.key (--keys): missing: make it with capc mpc keys --party {party}")
    for other in range(parties):
        certificate_of(keys, other)


def meet(meeting: Meeting) -> None:
    """Waits until all parties are there, and mean the same.

    Raises:
        InputError: the port cannot be listened on, or a key is missing.
        MpcError: a party did not come in time, or means another run.
    """
    parties = len(meeting.addresses)
    check_keys(meeting.keys, meeting.party, parties)
    end = time.monotonic() + meeting.seconds
    before, after = range(meeting.party), range(meeting.party + 1, parties)
    met: dict[int, ssl.SSLSocket] = {}
    listener = _listen(meeting)
    try:
        with closing(listener), ThreadPoolExecutor(max(1, len(before)) + 1) as pool:
            stop = threading.Event()
            tasks = [pool.submit(_call, meeting, other, end, stop) for other in before]
            tasks.append(pool.submit(_answer, meeting, listener, set(after), end, stop))
            try:
                for task in as_completed(tasks):
                    met.update(task.result())
            finally:
                stop.set()
        missing = [party for party in (*before, *after) if party not in met]
        if missing:
            places = ", ".join(f"{party} at {':'.join(map(str, meeting.addresses[party]))}" for party in missing)
            raise MpcError(f"party {meeting.party} waited {meeting.seconds:g} s: no party {places} that holds its key")
        _leave_together(met, end)
    finally:
        for connection in met.values():
            connection.close()


def _leave_together(met: dict[int, ssl.SSLSocket], end: float) -> None:
    """Nobody frees its port before everybody has met everybody.

    Raises:
        MpcError: a party left before.
    """
    for connection in met.values():
        connection.sendall(_GO)
    for other, connection in met.items():
        connection.settimeout(max(_RETRY_SECONDS, end - time.monotonic()))
        if _received(connection) != _GO:
            raise MpcError(f"party {other} left before all had met")


def _listen(meeting: Meeting) -> socket.socket:
    _, port = meeting.addresses[meeting.party]
    try:
        return socket.create_server(("", port), backlog=64)
    except OSError as error:
        raise cannot_listen(port, error) from None


def cannot_listen(port: int, error: OSError) -> InputError:
    """What a user is told whose port the system refuses."""
    reason = os.strerror(error.errno) if error.errno else error
    return InputError(f"port {port} (--addresses): cannot be listened on ({reason}): name another")


def context_of(meeting: Meeting, purpose: ssl._SSLMethod, others: Sequence[int]) -> ssl.SSLContext:
    """TLS as one end of a connection with one of these parties, whose certificate it demands."""
    context = ssl.SSLContext(purpose)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    own = meeting.keys / f"P{meeting.party}"
    context.load_cert_chain(f"{own}.pem", f"{own}.key")
    for other in others:
        context.load_verify_locations(str(meeting.keys / f"P{other}.pem"))
    return context


def _call(meeting: Meeting, other: int, end: float, stop: threading.Event) -> dict[int, ssl.SSLSocket]:
    """Connects to a party that comes before this one, until it is there."""
    context = context_of(meeting, ssl.PROTOCOL_TLS_CLIENT, [other])
    while time.monotonic() < end and not stop.is_set():
        raw = _attempt(lambda: socket.create_connection(meeting.addresses[other], timeout=_HANDSHAKE_SECONDS))
        secure = _secured(raw, context)
        if secure and _holds(secure, meeting, other):
            return {other: _compared(secure, meeting, other)}
        _hang_up(secure)
        time.sleep(_RETRY_SECONDS)
    return {}


def _answer(
    meeting: Meeting, listener: socket.socket, others: set[int], end: float, stop: threading.Event
) -> dict[int, ssl.SSLSocket]:
    """Takes the connections of the parties that come after this one; strangers are hung up on."""
    met: dict[int, ssl.SSLSocket] = {}
    context = context_of(meeting, ssl.PROTOCOL_TLS_SERVER, sorted(others))
    listener.settimeout(_RETRY_SECONDS)
    while others - met.keys() and time.monotonic() < end and not stop.is_set():
        accepted = _attempt(listener.accept)
        if accepted is None:
            continue
        raw = accepted[0]
        raw.settimeout(_HANDSHAKE_SECONDS)
        secure = _secured(raw, context)
        known = [other for other in others - met.keys() if secure and _holds(secure, meeting, other)]
        if secure and known:
            met[known[0]] = _compared(secure, meeting, known[0])
        else:
            _hang_up(secure)
    return met


def _received(connection: ssl.SSLSocket) -> bytes | None:
    return _attempt(lambda: connection.recv(1))


def _secured(raw: socket.socket | None, context: ssl.SSLContext) -> ssl.SSLSocket | None:
    """A connection under TLS, None if there is none."""
    if raw is None:
        return None
    serves = context.protocol == ssl.PROTOCOL_TLS_SERVER
    return _attempt(lambda: context.wrap_socket(raw, server_side=serves))


def _attempt(action: Callable[[], _T]) -> _T | None:
    """What an action on a connection gives, None if the connection fails."""
    try:
        return action()
    except OSError:
        return None


def _holds(connection: ssl.SSLSocket, meeting: Meeting, other: int) -> bool:
    """Whether the other end has shown the very certificate that belongs to a party."""
    return connection.getpeercert(binary_form=True) == certificate_of(meeting.keys, other).public_bytes(Encoding.DER)


def _hang_up(connection: ssl.SSLSocket | None) -> None:
    """Closes what another end has shown the wrong certificate on."""
    if connection is not None:
        connection.close()


def _compared(connection: ssl.SSLSocket, meeting: Meeting, other: int) -> ssl.SSLSocket:
    """The connection, once both ends have told what they are about to run.

    Raises:
        MpcError: it is not the same; the connection is closed.
    """
    own = meeting.purpose.encode()
    theirs = _attempt(lambda: _exchanged(connection, own))
    if theirs == own:
        return connection
    connection.close()
    if theirs is None:
        raise MpcError(f"party {other} hung up: it has another certificate of party {meeting.party}, or has ended")
    told = "".join(letter for letter in theirs.decode(errors="replace") if letter.isprintable())
    raise MpcError(f"party {other} is about to run {told}, and party {meeting.party} {meeting.purpose}")


def _exchanged(connection: ssl.SSLSocket, own: bytes) -> bytes:
    connection.sendall(_LENGTH.pack(len(own)) + own)
    (length,) = _LENGTH.unpack(_exactly(connection, _LENGTH.size))
    return _exactly(connection, min(length, _MOST_BYTES))


def _exactly(connection: ssl.SSLSocket, count: int) -> bytes:
    read = b""
    while len(read) < count:
        part = connection.recv(count - len(read))
        if not part:
            raise ConnectionError
        read += part
    return read
