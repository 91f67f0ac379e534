"""The process of the link: makes the namespaces, says that they are there, carries, and cleans up.

It ends when its standard input does, which is when its caller ends in whatever way. What is still in the namespaces
then is killed: nothing but parties that the caller put there can be.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import struct
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, astuple, dataclass

from capc_mpc.emulated import netem
from capc_mpc.emulated.kernel import (
    enter_network,
    hurry,
    members,
    new_network,
    open_tun,
    own_network,
    set_up_tcp,
)
from capc_mpc.emulated.link import Link, Sending
from capc_mpc.emulated.packets import NETMASK, address

MTU = 1500
AUTO, TUN, NETEM = KINDS = ("auto", "tun", "netem")
"""The kernel's link where it has one and nothing is recorded, the TUN link, or the kernel's."""
_SEGMENTING_FROM = 50e6
"""From this rate on devices hand over several segments in one. Below, a burst of them would come too late in one."""
CARRIED = struct.Struct("<ddHHHHIxxxxQ")
_PRIORITY = 2


@dataclass(frozen=True)
class Order:
    """What the link is to be, on its command line as JSON.

    Attributes:
        parties: their number.
        delay: seconds, one way.
        rate: bits a second that each party can send, None for no limit.
        recording: whether what is carried is kept.
        kind: one of :data:`KINDS`.
    """

    parties: int
    delay: float
    rate: float | None
    recording: bool
    kind: str

    @property
    def segmenting(self) -> bool:
        """Whether devices may hand over several segments in one."""
        return self.rate is None or self.rate >= _SEGMENTING_FROM


def main(text: str) -> None:
    """Runs to the end of the caller."""
    order = Order(**json.loads(text))
    caller = os.getppid()
    # Ctrl-C is the caller's: the link ends after the parties have.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    home = own_network()
    kind = _kind(order)
    enter_network(home)
    networks, congestion = _namespaces(order.parties)
    files = [f"/proc/{os.getpid()}/fd/{each}" for each in networks]
    devices = _tuns(order, networks) if kind == TUN else _cables(order, networks, files)
    if kind == TUN:
        enter_network(home)
    # Packets do not wait for parties that compute.
    hurry(os.SCHED_FIFO, _PRIORITY)
    print(json.dumps({"networks": files, "tcp": congestion, "kind": kind}))
    sys.stdout.flush()
    link = Link(devices, [Sending(order.rate, order.delay) for _ in devices], order.recording)
    try:
        link.run(sys.stdin.fileno(), lambda: os.getppid() != caller)
    finally:
        _kill_members(networks)
    with suppress(BrokenPipeError):
        _tell(link)


def _kind(order: Order) -> str:
    """Which link it is; leaves this process in a namespace of its own.

    Raises:
        OSError: not allowed.
    """
    new_network()
    if order.kind != AUTO:
        return order.kind
    if order.recording:
        return TUN
    try:
        netem.run(netem.probe_command())
    except OSError:
        return TUN
    return NETEM


def _namespaces(parties: int) -> tuple[list[int], str]:
    """One for each party, and what controls congestion in them."""
    networks = []
    for _ in range(parties):
        new_network()
        networks.append(own_network())
        congestion = set_up_tcp()
    return networks, congestion


def _tuns(order: Order, networks: Sequence[int]) -> list[int]:
    """A device in each namespace."""
    devices = []
    for party, network in enumerate(networks):
        enter_network(network)
        devices.append(open_tun(netem.DEVICE, address(party), NETMASK, MTU, segmenting=order.segmenting))
    return devices


def _cables(order: Order, networks: Sequence[int], files: Sequence[str]) -> list[int]:
    """The kernel's link, which needs this process only for the namespace between the parties'; no devices."""
    new_network()
    between = own_network()
    for command in netem.bridge_commands():
        netem.run(command)
    for party, (network, file) in enumerate(zip(networks, files, strict=True)):
        for command in netem.cable_commands(party, file):
            netem.run(command)
        enter_network(network)
        for command in netem.party_commands(party, order.delay, order.rate, segmenting=order.segmenting):
            netem.run(command)
        enter_network(between)
    return []


def _kill_members(networks: Sequence[int]) -> None:
    for network in networks:
        for process in members(network):
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)


def _tell(link: Link) -> None:
    """Counts in one line of JSON, then what was carried."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    counts = {
        "cpu_seconds": used.ru_utime + used.ru_stime,
        "late_mean": link.late_sum / max(link.delivered, 1),
        "late_most": link.late_most,
        "sending": [asdict(each) for each in link.sending],
    }
    out = sys.stdout.buffer
    out.write(json.dumps(counts).encode() + b"\n")
    out.writelines(CARRIED.pack(*astuple(each)) for each in link.carried)
    out.flush()


if __name__ == "__main__":
    main(sys.argv[1])
