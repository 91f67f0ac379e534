"""A party program in a network of its own, in which there is nothing but loopback and the doors to the other parties.

MP-SPDZ listens on every interface of its machine, and believes whoever calls there. Here nobody can: this module is the
first process of a new network namespace, where it runs the party program. Each other party is a port of loopback behind
which there is a socket in the folder of the run, and the relay of :mod:`capc_mpc.spdz.apart.relay` at its other end.

``python -P -m capc_mpc.spdz.apart.enclosed PARTY PORT,PORT,... COMMAND ...``, in the folder of the run.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from functools import partial

from capc_mpc.emulated.kernel import LOOPBACK, raise_device
from capc_mpc.spdz.apart.pumps import Carried, connected

INWARD = "in.sock"
_HOST = "127.0.0.1"
_START_SECONDS = 60.0


def outward(other: int) -> str:
    """The socket behind which another party is, in the folder of the run."""
    return f"out-{other}.sock"


def main() -> None:
    """Runs the command of the command line, and ends with its exit code."""
    party, ports, *command = sys.argv[1:]
    # What a new namespace has is down at first.
    raise_device(LOOPBACK)
    sys.exit(asyncio.run(_run(int(party), [int(port) for port in ports.split(",")], command)))


async def _run(party: int, ports: Sequence[int], command: Sequence[str]) -> int:
    doors = Carried()

    async def leave(other: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await doors.carry((reader, writer), await asyncio.open_unix_connection(outward(other)))

    async def enter(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far = await connected(_START_SECONDS, lambda: asyncio.open_connection(_HOST, ports[party]))
        await doors.carry((reader, writer), far)

    servers = [await asyncio.start_server(partial(leave, n), _HOST, ports[n]) for n in range(party)]
    servers.append(await asyncio.start_unix_server(enter, INWARD))
    process = await asyncio.create_subprocess_exec(*command)
    code = await process.wait()
    for server in servers:
        server.close()
    await doors.drained()
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    main()
