"""What tests of the emulated network share: whether it runs here, and two programs that talk over it."""

import os
import subprocess
import sys
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
times = []
for _ in range(int(sys.argv[2])):
    start = time.perf_counter()
    link.send(b"x")
    link.recv(1)
    times.append(time.perf_counter() - start)
start = time.perf_counter()
link.sendall(bytes(int(sys.argv[3])))
link.shutdown(socket.SHUT_WR)
link.recv(1)
print(sorted(times)[len(times) // 2], time.perf_counter() - start)
"""
"""Tells the median of round trips, and how long a transfer took until the other side had it."""


def talk(network: EmulatedNetwork, trips: int, transfer: int) -> tuple[float, float]:
    """Seconds of a round trip, and of a transfer from party 1 to party 0."""
    listen = network.command(0, [sys.executable, "-S", "-c", SERVER, str(trips)])
    with subprocess.Popen(listen, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == b"listening\n"
        ask = [sys.executable, "-S", "-c", CLIENT, network.address(0), str(trips), str(transfer)]
        done = subprocess.run(network.command(1, ask), capture_output=True, text=True, check=True)
    trip, seconds = map(float, done.stdout.split())
    return trip, seconds
