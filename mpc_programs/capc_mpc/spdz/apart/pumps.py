"""Two streams joined: what either end says reaches the other, to the last byte."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]
_CHUNK = 1 << 16
_RETRY_SECONDS = 0.02
_DRAIN_SECONDS = 10.0


class Carried:
    """The connections that a process carries."""

    def __init__(self) -> None:
        self._open: set[asyncio.Task[None]] = set()

    async def carry(self, near: Ends, far: Ends | None) -> None:
        """Joins both, in the task of the connection; without another end, this one is closed."""
        task = asyncio.current_task()
        if task is not None:
            self._open.add(task)
            task.add_done_callback(self._open.discard)
        if far is None:
            near[1].close()
        else:
            await join(near, far)

    async def drained(self) -> None:
        """Waits for what is still carried, but not for ever."""
        if self._open:
            await asyncio.wait(self._open, timeout=_DRAIN_SECONDS)


async def join(one: Ends, other: Ends) -> None:
    """Passes on what both ends say until both have ended, and closes both."""
    await asyncio.gather(_pump(one[0], other[1]), _pump(other[0], one[1]))


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(_CHUNK):
            sink.write(data)
            await sink.drain()
        sink.close()
        await sink.wait_closed()
    except OSError:
        sink.close()


async def connected(seconds: float, connect: Callable[[], Awaitable[Ends]]) -> Ends | None:
    """What a connecting function gives, tried again while nobody listens; None when the time is over."""
    end = time.monotonic() + seconds
    while True:
        try:
            return await connect()
        except OSError:
            if time.monotonic() > end:
                return None
            await asyncio.sleep(_RETRY_SECONDS)
