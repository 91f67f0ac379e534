"""Two streams joined: what either end says reaches the other, to the last byte."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]
_CHUNK = 1 << 16
_RETRY_SECONDS = 0.02


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
