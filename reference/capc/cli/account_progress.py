"""How far a composition of labels is, on standard error: a line every ten seconds, so nothing if it is quick."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

INTERVAL = 10.0
"""Seconds between two lines."""


@contextmanager
def composing(write: Callable[[str], object] | None = None) -> Iterator[Callable[[int, float], None]]:
    """Gives what is to be told the number of labels so far, and their delta; lines come also while nothing is told.

    Args:
        write: takes one line; None for standard error.
    """
    begun, ended = time.monotonic(), threading.Event()
    reached: list[tuple[int, float]] = [(0, 0.0)]

    def say() -> None:
        while not ended.wait(INTERVAL):
            labels, delta = reached[0]
            line = f"labels composed: {labels}, of delta {delta:.3g}, {time.monotonic() - begun:.0f} s"
            (write or _to_stderr)(line)

    def told(labels: int, delta: float) -> None:
        reached[0] = (labels, delta)

    thread = threading.Thread(target=say, name="composing", daemon=True)
    thread.start()
    try:
        yield told
    finally:
        ended.set()
        thread.join()


def _to_stderr(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
