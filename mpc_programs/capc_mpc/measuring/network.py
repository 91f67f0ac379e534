"""A model of what a run costs over a chosen network, from what it cost over loopback."""

from __future__ import annotations

import math
from dataclasses import dataclass

from capc.foundation.errors import InputError
from capc_mpc.spdz.costs import Costs


@dataclass(frozen=True)
class Network:
    """A network between every two parties.

    Attributes:
        latency_seconds: one way.
        bits_per_second: what each party can send.
    """

    latency_seconds: float
    bits_per_second: float

    def __post_init__(self) -> None:
        finite = math.isfinite(self.latency_seconds) and math.isfinite(self.bits_per_second)
        if not finite or self.latency_seconds < 0 or self.bits_per_second <= 0:
            raise InputError("network: give a latency of at least 0 and a bandwidth above 0")


LAN = Network(0.0005, 1e9)
WAN = Network(0.02, 1e8)


def estimate(costs: Costs, parties: int, network: Network) -> float:
    """Seconds over the network: seconds over loopback + rounds * latency + bytes of one party / bandwidth.

    Parties send at the same time, each its share of all bytes. Rounds are MP-SPDZ's count, in which parallel messages
    may count apart: the latency term is an upper bound. Nothing is assumed to overlap with computation.
    """
    own_bits = 8 * costs.bytes_sent / parties
    return costs.seconds + costs.rounds * network.latency_seconds + own_bits / network.bits_per_second
