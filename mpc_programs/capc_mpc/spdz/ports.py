"""Neighbouring ports of loopback for the parties of a run."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from capc.foundation.errors import InputError

_FIRST_PORT, _LAST_PORT = 20_000, 32_000
_held: set[int] = set()
_holding = threading.Lock()


@contextmanager
def held_ports(count: int) -> Iterator[int]:
    """The first of ``count`` free ports, which other threads pass by until the run has ended."""
    with _holding:
        first = free_ports(count)
        _held.update(range(first, first + count))
    try:
        yield first
    finally:
        with _holding:
            _held.difference_update(range(first, first + count))


def free_ports(count: int) -> int:
    """The first of ``count`` neighbouring ports of loopback that nobody listens on or holds at this moment.

    Raises:
        InputError: there are none.
    """
    start = _FIRST_PORT + os.getpid() * 37 % (_LAST_PORT - _FIRST_PORT)
    for offset in range(0, _LAST_PORT - _FIRST_PORT, count):
        first = _FIRST_PORT + (start - _FIRST_PORT + offset) % (_LAST_PORT - _FIRST_PORT)
        if all(port not in _held and _is_free(port) for port in range(first, first + count)):
            return first
    raise InputError(f"no {count} neighbouring ports from {_FIRST_PORT} to {_LAST_PORT} are free: end other runs")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
