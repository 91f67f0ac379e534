"""Work in a process that was forked."""

from __future__ import annotations

import os
from collections.abc import Callable


def in_a_fork(work: Callable[[], object]) -> str:
    """The type of the error with which the work ends in another process."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            work()
            name = "none"
        except BaseException as error:  # noqa: BLE001
            name = type(error).__name__
        os.write(writing, name.encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        return pipe.read()
