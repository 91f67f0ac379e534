"""Which way to vote is fastest on a network: bytes and ANDs against depth and round trips.

Measured on one machine, both parties on loopback; other machines move the line between two variants, not the result.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from capc.foundation.encoding import LABEL_BYTES
from capc.session.parameters import VoteVariant
from capc.two_party.circuits.argmax import vote_circuit, vote_circuit_low_depth
from capc.two_party.circuits.builder import Circuit
from capc.two_party.garbling.payload import chunk_instances
from capc.two_party.vote_rounds import VoteShape

SECONDS_PER_AND = 1.1e-7
"""Garbling and evaluating one AND of one instance, in a large batch."""
SECONDS_PER_STAGE = 3e-5
"""One more AND of depth, for a whole chunk of instances: the calls that garble a stage."""
TRANSFER_BYTES = 4.125
"""Of one input bit of the evaluator: the extension, and its choice bit."""


@dataclass(frozen=True)
class Network:
    """What is known of the connection between two parties.

    Attributes:
        round_trip: seconds.
        bandwidth: bytes per second.
    """

    round_trip: float
    bandwidth: float


class NetworkName(StrEnum):
    """Connections that have a name."""

    LOOPBACK = "loopback"
    LAN = "lan"
    WAN = "wan"


NETWORKS = {
    NetworkName.LOOPBACK: Network(round_trip=5e-5, bandwidth=2e9),
    NetworkName.LAN: Network(round_trip=2e-4, bandwidth=1.25e8),
    NetworkName.WAN: Network(round_trip=2e-2, bandwidth=1.25e6),
}
"""One machine; a local network of 1 Gbit/s; a wide one of 10 Mbit/s and 20 ms."""


def vote_seconds(variant: VoteVariant, shape: VoteShape, network: Network) -> float:
    """An estimate for a batch of votes. What is the same for every variant, sharing the flags, is left out."""
    widths = shape.num_classes, shape.logit_bits, shape.vote_bits
    if variant is VoteVariant.MULTI_ROUND:
        return _rounds_seconds(shape, network)
    make = vote_circuit_low_depth if variant is VoteVariant.ALL_PAIRS else vote_circuit
    return circuit_seconds(make(*widths), shape.instances, network)


def circuit_seconds(circuit: Circuit, instances: int, network: Network) -> float:
    """The estimate for one round trip with a batch of circuits."""
    length = LABEL_BYTES * circuit.table_rows + TRANSFER_BYTES * circuit.evaluator_inputs
    chunks = -(-instances // chunk_instances(circuit))
    return (
        network.round_trip
        + instances * (length / network.bandwidth + SECONDS_PER_AND * circuit.and_count)
        + chunks * SECONDS_PER_STAGE * circuit.and_depth
    )


def _rounds_seconds(shape: VoteShape, network: Network) -> float:
    """A vote in rounds: its circuits one after another, and what selects the winners.

    A winner costs a reverse transfer and an element of Z_{2^T} in either direction.
    """
    element = (shape.share_bits + 7) // 8
    selected = shape.reverse_transfers * (TRANSFER_BYTES + 2 * element)
    # The kept signs of the last circuit are no transfers.
    kept = TRANSFER_BYTES * shape.reverse_transfers
    circuits = (circuit_seconds(shape.circuit(number), shape.instances, network) for number in range(shape.rounds))
    return sum(circuits) + (selected - kept) / network.bandwidth


def fastest_vote(shape: VoteShape, network: Network) -> VoteVariant:
    """The variant that parameters should name for batches of this shape; of equals the first."""
    return min(VoteVariant, key=lambda variant: vote_seconds(variant, shape, network))
