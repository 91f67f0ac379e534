"""Runs a command and keeps when lines of its error stream came, which a program that tells durations only leaves out.

``FILE PREFIX COMMAND``: the file gets the moment, on the system's monotonic clock, of every line that begins so.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from capc_mpc.emulated.kernel import die_with_parent


def main(file: str, prefix: str, command: list[str]) -> int:
    """The command's exit status."""
    moments = []
    # The child is killed with this process, which is killed with the caller.
    with subprocess.Popen(command, stderr=subprocess.PIPE, preexec_fn=die_with_parent) as process:  # noqa: S603, PLW1509
        if process.stderr is not None:
            for line in process.stderr:
                if line.startswith(prefix.encode()):
                    moments.append(time.monotonic())
                sys.stderr.buffer.write(line)
    Path(file).write_text("\n".join(map(repr, moments)), encoding="ascii")
    return process.returncode


def moments_in(file: Path) -> list[float]:
    """What was kept; nothing of a command that did not end."""
    return [float(word) for word in file.read_text(encoding="ascii").split()] if file.is_file() else []


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
