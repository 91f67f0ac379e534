"""The link's arithmetic, without a kernel's help: when packets arrive, what is on the wire, and netem's commands."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capc.foundation.errors import InputError
from capc_mpc.emulated import netem
from capc_mpc.emulated.kernel import VNET_HEADER
from capc_mpc.emulated.link import Sending
from capc_mpc.emulated.network import EmulatedNetwork, LinkSpec
from capc_mpc.emulated.packets import address, receiver, segment_of, wire_bytes

HEADERS = 40


def packet(payload: int, *, party: int = 0, segment: int = 0, flags: int = 16, sequence: int = 7) -> bytes:
    """Of TCP, as a device hands it over."""
    internet = struct.pack("!BBHHHBBH4s4s", 0x45, 0, HEADERS + payload, 0, 0, 64, 6, 0, bytes(4), bytes(3) + b"\1")
    internet = internet[:-1] + bytes([party + 1])
    tcp = struct.pack("!HHIIBBHHH", 1000, 2000, sequence, 0, 5 << 4, flags, 0, 0, 0)
    return VNET_HEADER.pack(0, 1 if segment else 0, HEADERS, segment, 0, 0) + internet + tcp + bytes(payload)


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 50)), min_size=1, max_size=20), st.integers(0, 9))
def test_packets_leave_one_after_another_and_arrive_a_delay_later(came: list[tuple[int, int]], delay: int) -> None:
    sending = Sending(rate=8.0, delay=delay)
    now = 0
    left: list[int] = []
    for gap, count in came:
        now += gap
        left.append(max([now, *left[-1:]]) + count)
        assert sending.due(now, count) == left[-1] + delay


def test_without_a_rate_there_is_only_the_delay() -> None:
    sending = Sending(rate=None, delay=2.0)
    assert [sending.due(1.0, 10**9), sending.due(1.0, 1)] == [3.0, 3.0]


@pytest.mark.parametrize(
    ("payload", "segment", "expected"),
    [(0, 0, 40), (1000, 0, 1040), (1000, 1460, 1040), (2920, 1460, 3000), (2921, 1460, 3041)],
)
def test_segments_in_one_packet_have_their_headers_on_the_wire(payload: int, segment: int, expected: int) -> None:
    assert wire_bytes(packet(payload, segment=segment)) == expected


def test_what_a_packet_carries() -> None:
    found = segment_of(packet(5, party=2))
    assert found is not None
    assert (found.source_port, found.target_port, found.sequence, found.payload) == (1000, 2000, 7, 5)
    assert receiver(packet(5, party=2)) == 2
    assert address(2) == "10.99.0.3"
    assert segment_of(packet(0)) is None
    assert getattr(segment_of(packet(0, flags=2)), "opens", None) is True
    assert receiver(bytes(60)) == receiver(b"short") == -1


@pytest.mark.parametrize("values", [(-1.0, None), (0.0, 0.0), (float("nan"), 1.0), (0.0, float("inf"))])
def test_an_impossible_link_is_refused(values: tuple[float, float | None]) -> None:
    with pytest.raises(InputError, match=r"link of .*: give at least 0 s"):
        LinkSpec(*values)


def test_only_known_kinds_and_only_the_tun_link_records() -> None:
    for kind, recording in (("wire", False), ("netem", True)):
        with pytest.raises(InputError, match=f"link '{kind}': choose among auto, tun, netem"):
            EmulatedNetwork(2, LinkSpec(), kind=kind, recording=recording)


def test_netem_is_told_delay_rate_and_a_queue_that_loses_nothing() -> None:
    *_, told = netem.party_commands(1, 0.02, 1e8, segmenting=True)
    assert " ".join(told) == "tc qdisc add dev capc0 root netem limit 200000 delay 20000us rate 100000000bit"
    *_, told = netem.party_commands(1, 0.0004, None, segmenting=True)
    assert " ".join(told) == "tc qdisc add dev capc0 root netem limit 200000 delay 400us"
    assert ["ip", "address", "add", "10.99.0.2/24", "dev", "capc0"] in netem.party_commands(1, 0, 1e6, segmenting=False)
    assert ["ip", "link", "set", "dev", "capc0", "gso_max_segs", "1"] in netem.party_commands(
        1, 0, 1e6, segmenting=False
    )
