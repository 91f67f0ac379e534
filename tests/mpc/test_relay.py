"""Parties of a protocol without TLS, joined by relays: what passes is TLS, and only who holds the keys is met."""

import shutil
import socket
import ssl
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from capc.foundation.errors import InputError
from capc_mpc.interface import steps
from capc_mpc.interface.errors import MpcError
from capc_mpc.spdz import deployed
from capc_mpc.spdz.apart.relay import enclosing
from capc_mpc.spdz.deployed import Deployment, PartyRun, run_party
from capc_mpc.spdz.keys import write_keys
from capc_mpc.spdz.machine import Machine
from capc_mpc.spdz.ports import held_ports
from capc_mpc.spdz.processes import Limits
from mpc.test_capture import capturing, connected, is_tls
from support.mpc import ARGMAX_CASE, machine

STEP = steps.argmax(2, 8, 4, 1)
OWN = [[{key: numbers for key, numbers in ARGMAX_CASE.items() if key[0] == party}] for party in range(2)]
SECRET = b"a label of a wire"
TALKING_PARTY = """
import pathlib, socket, sys, time
party = int(sys.argv[sys.argv.index('-p') + 1])
ports = [int(line.rpartition(':')[2]) for line in pathlib.Path('addresses').read_text().split()]
size = 3_000_000
if party == 0:
    server = socket.create_server(('', ports[0]))
    talk, _ = server.accept()
    received = b''
    while len(received) < size:
        received += talk.recv(1 << 16)
    assert received == b'a label of a wire'.ljust(size, b'.')
    talk.sendall(received[::-1])
else:
    while True:
        try:
            talk = socket.create_connection(('127.0.0.1', ports[0]))
            break
        except OSError:
            time.sleep(0.01)
    talk.sendall(b'a label of a wire'.ljust(size, b'.'))
    received = b''
    while len(received) < size:
        received += talk.recv(1 << 16)
    assert received.endswith(b'a label of a wire'[::-1])
talk.close()
for c in range(2):
    print(f'vote.{c} 0')
print('Time = 0.5 seconds', file=sys.stderr)
"""
"""Party 1 says something long to party 0, which says it backwards; then each tells what garbling would."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(enclosing() is None, reason="no network namespaces here: unshare, on Linux"),
]


@pytest.fixture
def talking(tmp_path: Path) -> Machine:
    one = machine(tmp_path, TALKING_PARTY)
    return Machine(one.home, one.version, {"yao": one.parties["semi2k"]})


def both(installed: Machine, tmp_path: Path, places: Sequence[Deployment]) -> list[PartyRun]:
    def one(party: int) -> PartyRun:
        limits, cache = Limits(seconds=30), tmp_path / "cache"
        return run_party(STEP, party, OWN[party], "yao", places[party], machine=installed, cache=cache, limits=limits)

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(one, range(2)))


def test_what_passes_between_the_machines_is_tls_and_whole(talking: Machine, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.mkdir()
    write_keys(keys, 2)
    with held_ports(3) as first, capturing(first + 2, first) as found:
        # Party 1 reaches party 0 by way of whoever listens in.
        listed = [
            (f"127.0.0.1:{first}", f"127.0.0.1:{first + 1}"),
            (f"127.0.0.1:{first + 2}", f"127.0.0.1:{first + 1}"),
        ]
        runs = both(talking, tmp_path, [Deployment(addresses, keys) for addresses in listed])
    assert [set(done.learnt) for done in runs] == [set(), {"vote.0", "vote.1"}]
    sent = [bytes(said) for one in found for said in (one.called, one.answered)]
    assert sum(map(len, sent)) > 6_000_000
    assert all(is_tls(said) for said in sent)
    assert not any(SECRET in said or SECRET[::-1] in said for said in sent)


def test_whoever_holds_another_key_is_hung_up_on(talking: Machine, tmp_path: Path) -> None:
    """Met by the right party 1, then called by another: party 0 waits in vain, and nothing is told."""
    keys, strange = tmp_path / "keys", tmp_path / "strange"
    for folder in (keys, strange):
        folder.mkdir()
        write_keys(folder, 2)
    shutil.copy(keys / "P0.pem", strange / "P0.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(keys / "P0.pem")
    context.load_cert_chain(strange / "P1.pem", strange / "P1.key")
    heard = []

    def call(port: int) -> None:
        try:
            with connected(port) as raw, context.wrap_socket(raw) as secure:
                secure.sendall(SECRET)
                heard.append(secure.recv(1))
        except OSError as error:
            heard.append(error)

    with held_ports(2) as first, ThreadPoolExecutor(1) as pool:
        place = Deployment((f"127.0.0.1:{first}", f"127.0.0.1:{first + 1}"), keys, wait_seconds=None)
        calling = pool.submit(call, first)
        with pytest.raises(MpcError, match="took more than 2 s"):
            run_party(
                STEP, 0, OWN[0], "yao", place, machine=talking, cache=tmp_path / "cache", limits=Limits(seconds=2)
            )
        calling.result()
    assert isinstance(heard[0], ssl.SSLError | ConnectionResetError) or heard == [b""]


def test_a_port_that_another_holds_is_told_at_once(talking: Machine, tmp_path: Path) -> None:
    """Not after the party program has waited in vain for a relay that is not there."""
    write_keys(tmp_path, 2)
    with socket.create_server(("", 0)) as holder:
        port = holder.getsockname()[1]
        place = Deployment((f"127.0.0.1:{port}", f"127.0.0.1:{port + 1}"), tmp_path, wait_seconds=None)
        with pytest.raises(InputError, match=rf"port {port} \(--addresses\): cannot be listened on \(Address already"):
            run_party(STEP, 0, OWN[0], "yao", place, machine=talking, cache=tmp_path / "cache", limits=Limits(2))


def test_where_nothing_can_be_enclosed_the_protocol_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(deployed, "enclosing", lambda: None)
    for protocol, what in (("yao", "its channels"), ("hemi", "its public keys")):
        with pytest.raises(InputError, match=f"protocol {protocol}: MP-SPDZ sends {what} outside of TLS, and a relay"):
            run_party(STEP, 0, OWN[0], protocol, Deployment(("h:1", "h:2"), tmp_path))
