"""Lines of progress that come every few seconds, also while nothing ends."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

INTERVAL = 10.0
"""Seconds between two lines of one work, besides its first and its last."""


def writer(stream: TextIO) -> Callable[[str], None]:
    """What writes a line there, for others to see at once."""

    def write(line: str) -> None:
        stream.write(f"{line}\n")
        stream.flush()

    return write


@contextmanager
def beating(beats: Sequence[Callable[[], object]]) -> Iterator[None]:
    """Calls each of these every :data:`INTERVAL` seconds, from a thread of its own, until the block ends."""
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(INTERVAL):
            for each in beats:
                each()

    thread = threading.Thread(target=beat, name="progress", daemon=True)
    if beats:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        if beats:
            thread.join()
