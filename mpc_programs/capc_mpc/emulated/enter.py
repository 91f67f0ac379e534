"""Started once for every party, with the caller's process, a namespace, and a command, which it becomes.

Before these it is told whether the party comes before what else the machine does.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from capc_mpc.emulated.kernel import die_with_parent, enter_network, hurry

FIRST, AMONG_OTHERS = "first", "among_others"
_PRIORITY = 1


def entering(order: str, network: str, command: Sequence[str]) -> list[str]:
    """A command that begins by entering.

    Args:
        order: `FIRST` or `AMONG_OTHERS`.
        network: the file of a namespace, or nothing to stay in this one.
        command: what follows.
    """
    return [sys.executable, "-P", "-m", __name__, order, str(os.getpid()), network, *command]


def main(order: str, parent: int, network: str, command: list[str]) -> None:
    """Ends with the caller from here on, is in the namespace, and goes on as the command."""
    die_with_parent()
    if os.getppid() != parent:
        sys.exit("the process that started this party is gone")
    if network:
        enter_network(network)
    if order == FIRST:
        hurry(os.SCHED_RR, _PRIORITY)
    os.execvp(command[0], command)  # noqa: S606  # what the caller asked for


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4:])
