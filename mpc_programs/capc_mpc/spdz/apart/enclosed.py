"""A party program in a network of its own, in which there is nothing but loopback and the doors to the other parties.

MP-SPDZ listens on every interface of its machine, and believes whoever calls there. Here nobody can: this module is the
first process of a new network namespace, where it runs the party program. Each other party is a port of loopback behind
which there is a socket in the folder of the run, and the relay of :mod:`capc_mpc.spdz.apart.relay` at its other end.

``python -P -m capc_mpc.spdz.apart.enclosed PARTY PORT,PORT,... COMMAND ...``, in the folder of the run.
"""

from __future__ import annotations

import asyncio
import fcntl
import socket
import struct
import sys
from collections.abc import Sequence
from functools import partial

from capc_mpc.spdz.apart.pumps import Ends, connected, join

INWARD = "in.sock"
_LOOPBACK, _NAME = "127.0.0.1", "lo"
_GET_FLAGS, _SET_FLAGS, _UP = 0x8913, 0x8914, 1
_INTERFACE = struct.Struct("16sh14x")
_START_SECONDS = 60.0
_DRAIN_SECONDS = 10.0


def outward(other: int) -> str:
    """The socket behind which another party is, in the folder of the run."""
    return f"out-{other}.sock"


def main() -> None:
    """Runs the command of the command line, and ends with its exit code."""
    party, ports, *command = sys.argv[1:]
    _raise_loopback()
    sys.exit(asyncio.run(_run(int(party), [int(port) for port in ports.split(",")], command)))


def _raise_loopback() -> None:
    """What a new network namespace has is down at first."""
    with socket.socket() as any_socket:
        _, flags = _INTERFACE.unpack(fcntl.ioctl(any_socket, _GET_FLAGS, _INTERFACE.pack(_NAME.encode(), 0)))
        fcntl.ioctl(any_socket, _SET_FLAGS, _INTERFACE.pack(_NAME.encode(), flags | _UP))


async def _run(party: int, ports: Sequence[int], command: Sequence[str]) -> int:
    open_doors: set[asyncio.Task[None]] = set()

    async def door(near: Ends, far: Ends | None) -> None:
        task = asyncio.current_task()
        if task is not None:
            open_doors.add(task)
            task.add_done_callback(open_doors.discard)
        if far is None:
            near[1].close()
        else:
            await join(near, far)

    async def leave(other: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await door((reader, writer), await asyncio.open_unix_connection(outward(other)))

    async def enter(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far = await connected(_START_SECONDS, lambda: asyncio.open_connection(_LOOPBACK, ports[party]))
        await door((reader, writer), far)

    servers = [await asyncio.start_server(partial(leave, n), _LOOPBACK, ports[n]) for n in range(party)]
    servers.append(await asyncio.start_unix_server(enter, INWARD))
    process = await asyncio.create_subprocess_exec(*command)
    code = await process.wait()
    for server in servers:
        server.close()
    if open_doors:
        await asyncio.wait(open_doors, timeout=_DRAIN_SECONDS)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    main()
