"""What a link itself can do: a round trip and a transfer between two programs of a few lines."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass

from capc_mpc.emulated.network import EmulatedNetwork, LinkError, LinkSpec

_SERVER = """
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

_CLIENT = """
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
_TRIPS, _TRANSFER = 50, 64 << 20


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


@dataclass(frozen=True)
class Ceiling:
    """A link without delay and rate.

    Attributes:
        trip_seconds: of a byte to and fro.
        bits_per_second: of a transfer.
        cpu_per_gigabyte: seconds of the link's own process.
    """

    trip_seconds: float
    bits_per_second: float
    cpu_per_gigabyte: float


def talk(network: EmulatedNetwork, trips: int, transfer: int) -> Talk:
    """Round trips from party 1 to party 0, then a transfer of so many bytes.

    Raises:
        LinkError: they cannot reach each other.
    """
    listen = network.command(0, [sys.executable, "-S", "-c", _SERVER, str(trips)])
    with subprocess.Popen(listen, stdout=subprocess.PIPE) as server:  # noqa: S603  # the text above
        try:
            if server.stdout is None or not server.stdout.readline():
                raise LinkError("a probe of the emulated network did not start")
            ask = [sys.executable, "-S", "-c", _CLIENT, network.address(0), str(trips), str(transfer)]
            done = subprocess.run(network.command(1, ask), capture_output=True, text=True, check=False)  # noqa: S603
            if done.returncode:
                raise LinkError(f"a probe of the emulated network failed: {done.stderr.strip().splitlines()[-1]}")
        finally:
            server.kill()
    began, *ends, ended = map(float, done.stdout.split())
    return Talk(began, ends, ended)


def ceiling(*, first: bool = False) -> Ceiling:
    """What the link can do here at most; ``first`` as of the network.

    Raises:
        InputError: no network can be made.
        LinkError: it does not work.
    """
    with EmulatedNetwork(2, LinkSpec(), kind="tun", first=first) as network:
        done = talk(network, _TRIPS, _TRANSFER)
    cpu = network.report.cpu_seconds if network.report else 0.0
    return Ceiling(done.trip, 8 * _TRANSFER / done.transfer, cpu / (_TRANSFER / 1e9))
