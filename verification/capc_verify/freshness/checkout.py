"""What git says of a checkout."""

from __future__ import annotations

import subprocess
from pathlib import Path

from capc.foundation.errors import InputError


def git(root: Path, *arguments: str) -> str:
    """What a command of git prints, without the end of its last line.

    Raises:
        InputError: git is not there, or this is no checkout of it.
    """
    try:
        done = subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True, text=True)  # noqa: S603, S607
    except (OSError, subprocess.CalledProcessError) as error:
        raise InputError(f"git {arguments[0]} does not work in {root}: records need a git checkout") from error
    return done.stdout.rstrip()
