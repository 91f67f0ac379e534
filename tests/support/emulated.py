"""What tests of the emulated network share: whether it runs here, and two programs that talk over it."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from capc_mpc.emulated.network import REMEDY, EmulatedNetwork

needs_network = pytest.mark.skipif(
    os.geteuid() != 0 or not Path("/dev/net/tun").exists(), reason=f"no emulated network: {REMEDY}"
)
"""Skips, with the remedy in the report, where namespaces may not be made."""

SERVER = """
import socket, sys
with socket.create_server(("", 5000)) as server:
    print("listening", flush=True)
    link, _ = server.accept()
link.setsockopt(6, 1, 1)
for _ in range(int(sys.argv[1])):
    link.send(link.recv(1))
while link.recv(1 << 20):
    pass
link.send(b"x")
link.recv(1)
"""
"""Sends bytes back, then reads all that comes, and says that it has."""

CLIENT = """
import socket, sys, time
link = socket.create_connection((sys.argv[1], 5000))
link.setsockopt(6, 1, 1)
times = [time.monotonic()]
for _ in range(int(sys.argv[2])):
    link.send(b"x")
    link.recv(1)
    times.append(time.monotonic())
link.sendall(bytes(int(sys.argv[3])))
link.shutdown(socket.SHUT_WR)
link.recv(1)
print(*times, time.monotonic())
"""
"""Sends a byte and awaits it, several times, then much at once; tells when each of these began, and when all ended."""


@dataclass(frozen=True)
class Talk:
    """Moments of party 1, on the system's monotonic clock.

    Attributes:
        began: of the first round trip.
        trips: the ends of all of them.
        ended: when party 0 had said that it has all that was sent then.
    """

    began: float
    trips: list[float]
    ended: float

    @property
    def trip(self) -> float:
        """Seconds of a round trip, the median."""
        times = sorted(end - begin for begin, end in zip([self.began, *self.trips], self.trips, strict=False))
        return times[len(times) // 2]

    @property
    def transfer(self) -> float:
        """Seconds of what was sent at once."""
        return self.ended - self.trips[-1]


def talk(network: EmulatedNetwork, trips: int, transfer: int) -> Talk:
    """Round trips from party 1 to party 0, then a transfer of so many bytes."""
    listen = network.command(0, [sys.executable, "-S", "-c", SERVER, str(trips)])
    with subprocess.Popen(listen, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == b"listening\n"
        ask = [sys.executable, "-S", "-c", CLIENT, network.address(0), str(trips), str(transfer)]
        done = subprocess.run(network.command(1, ask), capture_output=True, text=True, check=True)
    began, *ends, ended = map(float, done.stdout.split())
    return Talk(began, ends, ended)
