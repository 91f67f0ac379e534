"""The kernel's own link, where it has one: a bridge in a namespace between the parties', and netem where a party sends.

Delay, rate and queue are those of the TUN link: a party's sending is delayed and limited, receiving is not.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence

from capc_mpc.emulated.packets import address

DEVICE, BRIDGE = "capc0", "capcbr"
QUEUE_PACKETS = 200_000
"""More than a sender's window holds, so that nothing is lost."""
Run = Callable[[Sequence[str]], None]


def probe_command() -> list[str]:
    """What succeeds in a namespace of its own where the kernel has netem."""
    return ["tc", "qdisc", "add", "dev", "lo", "root", "netem", "delay", "1ms"]


def bridge_commands() -> list[list[str]]:
    """In the namespace between the parties'."""
    return [["ip", "link", "add", "name", BRIDGE, "type", "bridge"], ["ip", "link", "set", BRIDGE, "up"]]


def cable_commands(party: int, network: str) -> list[list[str]]:
    """In the same, for every party: a cable into its namespace, which a file stands for."""
    own = f"capc{party}"
    return [
        ["ip", "link", "add", "name", own, "type", "veth", "peer", "name", DEVICE, "netns", network],
        ["ip", "link", "set", own, "master", BRIDGE, "up"],
    ]


def party_commands(party: int, delay: float, rate: float | None, *, segmenting: bool) -> list[list[str]]:
    """In a party's namespace: its address, and how what it sends is delayed and limited."""
    limited = [] if rate is None else ["rate", f"{rate:.0f}bit"]
    how = ["limit", str(QUEUE_PACKETS), "delay", f"{1e6 * delay:.0f}us", *limited]
    whole = [] if segmenting else [["ip", "link", "set", "dev", DEVICE, "gso_max_segs", "1"]]
    return [
        ["ip", "address", "add", f"{address(party)}/24", "dev", DEVICE],
        ["ip", "link", "set", DEVICE, "up"],
        *whole,
        ["tc", "qdisc", "add", "dev", DEVICE, "root", "netem", *how],
    ]


def run(command: Sequence[str]) -> None:
    """Runs one of them.

    Raises:
        OSError: it failed, or the program is missing.
    """
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # one of the above
    if done.returncode:
        raise OSError(f"{' '.join(command)}: {done.stderr.strip()}")
