"""Which of several circuits for the same function is fastest on a network: bytes and ANDs against depth.

Measured on one machine, both parties on loopback; other machines move the line between two circuits, not the result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from capc.circuits.builder import Circuit
from capc.circuits.vote import share_differences, vote_circuit, vote_circuit_low_depth
from capc.garbled_circuits import chunk_instances
from capc.messages import LABEL_BYTES
from capc.multi_round import VoteShape
from capc.parameters import VoteVariant

SECONDS_PER_AND = 1.1e-7
"""Garbling and evaluating one AND of one instance, in a large batch."""
SECONDS_PER_STAGE = 1.8e-5
"""One more AND of depth, for a whole chunk of instances."""
TABLE_BYTES = 2 * LABEL_BYTES
"""Of a garbled AND."""
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


@dataclass(frozen=True)
class Variant:
    """One way to compute a function.

    Attributes:
        circuit: the circuit.
        words: from a party's shares to its input words; local.
        round_trips: how often the parties wait for each other.
    """

    circuit: Circuit
    words: Callable[[Sequence[int]], list[int]]
    round_trips: int = 1

    def seconds(self, instances: int, network: Network) -> float:
        """An estimate, for a batch; re-sharing is left out, because it is the same for every variant."""
        length = TABLE_BYTES * self.circuit.and_count + TRANSFER_BYTES * self.circuit.evaluator_inputs
        chunks = -(-instances // chunk_instances(self.circuit))
        return (
            self.round_trips * network.round_trip
            + instances * (length / network.bandwidth + SECONDS_PER_AND * self.circuit.and_count)
            + chunks * SECONDS_PER_STAGE * self.circuit.and_depth
        )


def rounds_seconds(shape: VoteShape, network: Network) -> float:
    """The same estimate for a vote in rounds: its circuits one after another, and what selects the winners.

    A winner costs a reverse transfer and an element of Z_{2^l} in either direction.
    """
    element = (shape.logit_bits + 7) // 8
    selected = shape.reverse_transfers * (TRANSFER_BYTES + 2 * element)
    # The kept signs of the last circuit are no transfers.
    kept = TRANSFER_BYTES * shape.reverse_transfers
    circuits = (
        Variant(shape.circuit(number), list).seconds(shape.instances, network) for number in range(shape.rounds)
    )
    return sum(circuits) + (selected - kept) / network.bandwidth


def vote_variants(num_classes: int, logit_bits: int, vote_bits: int) -> tuple[Variant, ...]:
    """The circuits of step 1c."""
    return (
        Variant(vote_circuit(num_classes, logit_bits, vote_bits), list),
        Variant(
            vote_circuit_low_depth(num_classes, logit_bits, vote_bits),
            lambda shares: share_differences(shares, logit_bits),
        ),
    )


def fastest(variants: Sequence[Variant], instances: int, network: Network) -> Variant:
    """The variant with the least estimated time; the first of equals. Both ends ask with the same public numbers."""
    return min(variants, key=lambda variant: variant.seconds(instances, network))


def fastest_vote(num_classes: int, logit_bits: int, vote_bits: int, instances: int, network: Network) -> VoteVariant:
    """The variant that parameters should name for batches of ``instances`` queries; of equals the tournament."""
    tournament = Variant(vote_circuit(num_classes, logit_bits, vote_bits), list).seconds(instances, network)
    in_rounds = rounds_seconds(VoteShape(num_classes, logit_bits, vote_bits, instances), network)
    return VoteVariant.MULTI_ROUND if in_rounds < tournament else VoteVariant.TOURNAMENT
