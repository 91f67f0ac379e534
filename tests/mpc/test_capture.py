"""What goes over the wire between parties on machines of their own: captured, and read as TLS or not."""

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from capc_mpc.interface import steps
from capc_mpc.interface.protocols import Channels, protocol_named
from capc_mpc.spdz.deployed import Deployment, run_party
from capc_mpc.spdz.keys import write_keys
from capc_mpc.spdz.machine import the_machine
from capc_mpc.spdz.ports import held_ports
from support.mpc import ARGMAX_CASE, needs_mp_spdz

STEP = steps.argmax(2, 8, 4, 1)
_CONTENT_TYPES, _VERSIONS = range(20, 25), (b"\3\1", b"\3\2", b"\3\3", b"\3\4")


@dataclass
class Captured:
    """One connection: what each end sent."""

    called: bytearray = field(default_factory=bytearray)
    answered: bytearray = field(default_factory=bytearray)


@contextmanager
def capturing(port: int, target: int) -> Iterator[list[Captured]]:
    """Passes connections of one loopback port on to another, and keeps what goes either way."""
    found: list[Captured] = []
    opened: list[socket.socket] = []
    listener = socket.create_server(("127.0.0.1", port))

    def pass_on(source: socket.socket, sink: socket.socket, kept: bytearray) -> None:
        try:
            while data := source.recv(1 << 16):
                kept += data
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            return

    def accept() -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            far = connected(target)
            opened.extend((near, far))
            one = Captured()
            found.append(one)
            for ends in ((near, far, one.called), (far, near, one.answered)):
                threading.Thread(target=pass_on, args=ends, daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)
        for one in opened:
            one.close()


def connected(port: int) -> socket.socket:
    """A connection to whoever will listen on a loopback port."""
    end = time.monotonic() + 20
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port))
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.02)


def is_tls(data: bytes) -> bool:
    """Whether bytes are TLS records, one after another."""
    while data:
        if data[0] not in _CONTENT_TYPES or data[1:3] not in _VERSIONS:
            return False
        data = data[5 + int.from_bytes(data[3:5], "big") :]
    return True


def named(data: bytes) -> tuple[str, bytes]:
    """The name of a connection, which a caller of MP-SPDZ says first as a length and text, and what follows."""
    length = int.from_bytes(data[:4], "little")
    return data[4 : 4 + length].decode(), data[4 + length :]


COORDINATION = ("main", "coordinate-")
"""Names of connections by which threads agree on their order, and machines that they have ended, outside of TLS."""


def test_records_are_told_from_other_bytes() -> None:
    record = b"\x17\3\3\0\2ab"
    assert is_tls(record * 3)
    assert is_tls(b"")
    assert not is_tls(record + b"ab")
    assert named((9).to_bytes(4, "little") + b"machineP1" + record) == ("machineP1", record)


@needs_mp_spdz
@pytest.mark.slow
@pytest.mark.parametrize(
    ("protocol", "relays"),
    [("semi2k", False), ("spdz2k", False), ("mascot", False), ("semi-bin", False), ("yao", False), ("yao", True)],
)
def test_all_that_is_sent_under_tls_is_tls_and_yao_sends_none_unless_it_is_relayed(
    protocol: str, relays: bool, tmp_path: Path
) -> None:
    row = protocol_named(protocol)
    if protocol not in the_machine().protocols():
        pytest.skip(f"{protocol}-party.x is not installed")
    write_keys(tmp_path, 2)
    own = [[{key: numbers for key, numbers in ARGMAX_CASE.items() if key[0] == party}] for party in range(2)]
    with held_ports(3) as first, capturing(first + 2, first) as found, ThreadPoolExecutor(2) as pool:
        listed = [
            (f"127.0.0.1:{first}", f"127.0.0.1:{first + 1}"),
            (f"127.0.0.1:{first + 2}", f"127.0.0.1:{first + 1}"),
        ]
        places = [Deployment(addresses, tmp_path, plain_channels=not relays) for addresses in listed]
        runs = list(pool.map(lambda party: run_party(STEP, party, own[party], protocol, places[party]), range(2)))
    assert runs[1].learnt == {"vote.0": [14], "vote.1": [0]}
    meeting, *channels = [one for one in found if one.called]
    assert is_tls(meeting.called)
    assert is_tls(meeting.answered)
    assert channels
    if row.channels is not Channels.TLS and relays:
        assert all(is_tls(one.called) and is_tls(one.answered) for one in channels)
        return
    read = [(*named(bytes(one.called)), bytes(one.answered)) for one in channels]
    outside = {name: called + answered for name, called, answered in read if not (is_tls(called) and is_tls(answered))}
    if row.channels is Channels.TLS:
        assert all(name.startswith(COORDINATION) and len(data) < 1000 for name, data in outside.items())
        assert len(outside) < len(read)
    else:
        assert sum(map(len, outside.values())) > 5000
