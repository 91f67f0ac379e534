"""Started once for every party, with the caller's process, a namespace, and a command, which it becomes."""

from __future__ import annotations

import os
import sys

from capc_mpc.emulated.kernel import die_with_parent, enter_network


def main(parent: int, network: str, command: list[str]) -> None:
    """Ends with the caller from here on, is in the namespace, and goes on as the command."""
    die_with_parent()
    if os.getppid() != parent:
        sys.exit("the process that started this party is gone")
    enter_network(network)
    os.execvp(command[0], command)  # noqa: S606  # what the caller asked for


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3:])
