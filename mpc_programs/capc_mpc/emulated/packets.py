"""Packets as TUN devices give them: who sends to whom, how long on the wire, and what of it is a program's own."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from capc_mpc.emulated.kernel import VNET_HEADER

NETWORK, NETMASK = "10.99.0.", "255.255.255.0"
"""Addresses in a namespace; nobody outside of it sees them."""
_IP = VNET_HEADER.size
_SHORTEST = _IP + 20
_TCP, _ETHERNET_IPV4 = 6, 4
_SYN = 2
_PORTS_AND_SEQUENCE = struct.Struct("!HHI")


def address(party: int) -> str:
    """Of a party, as the others see it."""
    return f"{NETWORK}{party + 1}"


def receiver(packet: bytes) -> int:
    """The party that a packet goes to, -1 if it is none of this network's: another protocol, or a broadcast."""
    if len(packet) < _SHORTEST or packet[_IP] >> 4 != _ETHERNET_IPV4:
        return -1
    return packet[_IP + 19] - 1


def wire_bytes(packet: bytes) -> int:
    """Bytes of IP on the wire: a packet that is segments in one goes as these, each with the headers."""
    length = len(packet) - _IP
    segment = packet[4] | packet[5] << 8
    headers = _headers(packet)
    if not segment or length - headers <= segment:
        return length
    return length + (-(-(length - headers) // segment) - 1) * headers


def _headers(packet: bytes) -> int:
    internet = (packet[_IP] & 15) * 4
    if packet[_IP + 9] != _TCP:
        return internet
    return internet + (packet[_IP + internet + 12] >> 4) * 4


@dataclass(frozen=True)
class Segment:
    """What one packet of TCP carries.

    Attributes:
        source_port: of the sender.
        target_port: of the receiver.
        sequence: of the first byte, modulo 2^32.
        payload: bytes of it.
        opens: whether it begins a direction of a connection.
    """

    source_port: int
    target_port: int
    sequence: int
    payload: int
    opens: bool


def segment_of(packet: bytes) -> Segment | None:
    """The segment, None if the packet carries neither data nor the beginning of a connection."""
    if packet[_IP + 9] != _TCP:
        return None
    start = _IP + (packet[_IP] & 15) * 4
    source, target, sequence = _PORTS_AND_SEQUENCE.unpack_from(packet, start)
    opens = bool(packet[start + 13] & _SYN)
    payload = len(packet) - _IP - _headers(packet)
    return Segment(source, target, sequence, payload, opens) if payload or opens else None
