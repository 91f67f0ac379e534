"""The link itself: packets leave a party one after another at its rate, and arrive a delay later.

A rate is that of one party's sending, to all others together; receiving is not limited. Nothing is lost: what waits,
waits, so that a transfer takes what its bytes take. It is told in the counts if a queue ever was full.
"""

from __future__ import annotations

import heapq
import os
import select
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from capc_mpc.emulated.packets import receiver, segment_of, wire_bytes

_LARGEST = 1 << 17
_AT_ONCE = 32
"""Packets taken from one device before others have their turn, and what is due is handed over."""
_QUEUE_BYTES = 256 << 20
_LOOK_SECONDS = 0.5
"""So often it is looked whether the caller still lives."""


@dataclass
class Sending:
    """What one party has sent.

    Attributes:
        rate: bits a second, None for no limit.
        delay: seconds, one way.
        free: when the last byte before has left.
        wire_bytes: bytes of IP, headers included.
        packets: as they came, several segments in one where a device may do so.
        waiting: bytes on their way.
        dropped: packets for which the queue was full.
    """

    rate: float | None
    delay: float
    free: float = 0.0
    wire_bytes: int = 0
    packets: int = 0
    waiting: int = 0
    dropped: int = 0

    def due(self, now: float, count: int) -> float:
        """When a packet of so many bytes arrives that comes now."""
        start = max(now, self.free)
        self.free = start if self.rate is None else start + 8 * count / self.rate
        return self.free + self.delay


@dataclass(frozen=True)
class Carried:
    """Data that went from one party to another: recorded in the order of arrival.

    Attributes:
        sent: when it left the sender's device, in seconds of the system's monotonic clock.
        arrived: when it was handed to the receiver's.
        sender: number of a party.
        receiver: likewise.
        source_port: of the connection.
        target_port: likewise.
        sequence: of TCP, of its first byte.
        payload: bytes of the programs' own; 0 where a connection is opened.
    """

    sent: float
    arrived: float
    sender: int
    receiver: int
    source_port: int
    target_port: int
    sequence: int
    payload: int


@dataclass
class Link:
    """Devices of all parties, and what is on its way between them.

    Attributes:
        devices: a descriptor of each party's.
        sending: each party's queue.
        recording: whether what is carried is kept.
        carried: what was.
        late: seconds by which packets arrived after they were due: sum, count, most.
    """

    devices: Sequence[int]
    sending: Sequence[Sending]
    recording: bool
    carried: list[Carried] = field(default_factory=list)
    late_sum: float = 0.0
    late_most: float = 0.0
    delivered: int = 0
    _queue: list[tuple[float, int, int, float, int, bytes]] = field(default_factory=list)
    _count: int = 0

    def run(self, control: int, ended: Callable[[], bool]) -> None:
        """Carries packets until the control descriptor is readable or ``ended`` says so."""
        party_of = {device: party for party, device in enumerate(self.devices)}
        while not ended():
            look = time.monotonic() + _LOOK_SECONDS
            while (now := time.monotonic()) < look:
                until = min(look, self._queue[0][0]) if self._queue else look
                ready, _, _ = select.select([*self.devices, control], [], [], max(0.0, until - now))
                if control in ready:
                    return
                for device in ready:
                    self._take(device, party_of[device])
                self._hand_over()

    def _take(self, device: int, sender: int) -> None:
        sending = self.sending[sender]
        for _ in range(_AT_ONCE):
            try:
                packet = os.read(device, _LARGEST)
            except BlockingIOError:
                return
            now = time.monotonic()
            target = receiver(packet)
            if target == sender or not 0 <= target < len(self.devices):
                continue
            if sending.waiting > _QUEUE_BYTES:
                sending.dropped += 1
                continue
            count = wire_bytes(packet)
            sending.packets += 1
            sending.wire_bytes += count
            sending.waiting += count
            self._count += 1
            heapq.heappush(self._queue, (sending.due(now, count), self._count, sender, now, count, packet))

    def _hand_over(self) -> None:
        while self._queue and self._queue[0][0] <= time.monotonic():
            due, _, sender, sent, count, packet = heapq.heappop(self._queue)
            target = receiver(packet)
            with suppress(OSError):
                # A device takes what it is given; it refuses only what is no packet, as a party's own mistake may be.
                os.write(self.devices[target], packet)
            now = time.monotonic()
            self.sending[sender].waiting -= count
            self.delivered += 1
            self.late_sum += now - due
            self.late_most = max(self.late_most, now - due)
            if self.recording:
                self._keep(sent, now, sender, target, packet)

    def _keep(self, sent: float, arrived: float, sender: int, target: int, packet: bytes) -> None:
        found = segment_of(packet)
        if found is not None:
            ports = found.source_port, found.target_port
            self.carried.append(Carried(sent, arrived, sender, target, *ports, found.sequence, found.payload))
