"""Which circuit follows a stage, and what goes into each instance of it: both ends of a connection ask here."""

from __future__ import annotations

from collections.abc import Sequence

from capc.models.architecture import Activation, Architecture, StageShape
from capc.session.parameters import Parameters, VoteVariant
from capc.two_party.circuits.argmax import share_differences, vote_circuit, vote_circuit_low_depth
from capc.two_party.circuits.builder import Circuit
from capc.two_party.circuits.relu import relu_circuit
from capc.two_party.vote_rounds import VoteShape


def activation_circuit(parameters: Parameters, stage: StageShape) -> tuple[Circuit, int]:
    """The circuit after a stage and its instances per query: a ReLU per output of the stage, or one vote."""
    widths = parameters.widths
    if stage.activation is Activation.VOTE:
        make = vote_circuit_low_depth if _compares_all_pairs(parameters, stage) else vote_circuit
        return make(stage.sums, widths.logit_bits, widths.vote_bits), 1
    return relu_circuit(widths.logit_bits, widths.fraction_bits, stage.window_size), stage.outputs


def votes_in_rounds(parameters: Parameters, stage: StageShape) -> bool:
    """Whether a stage ends in a vote that is computed in rounds, with :func:`vote_shape` and not with one circuit."""
    return stage.activation is Activation.VOTE and parameters.vote_variant is VoteVariant.MULTI_ROUND


def vote_shape(parameters: Parameters, count: int) -> VoteShape:
    """The vote in rounds on ``count`` queries."""
    widths = parameters.widths
    return VoteShape(parameters.num_classes, widths.logit_bits, widths.vote_bits, count)


def _compares_all_pairs(parameters: Parameters, stage: StageShape) -> bool:
    return stage.activation is Activation.VOTE and parameters.vote_variant is VoteVariant.ALL_PAIRS


def circuit_words(parameters: Parameters, stage: StageShape, rows: Sequence[Sequence[int]]) -> list[list[int]]:
    """One party's shares of the stage's sums, a row for each query, as the instances of its circuit take them."""
    if _compares_all_pairs(parameters, stage):
        return [share_differences(row, parameters.widths.logit_bits) for row in rows]
    if stage.activation is Activation.VOTE:
        return [list(row) for row in rows]
    windows = stage.pool_windows()
    return [[row[index] for index in window] for row in rows for window in windows]


def rows_by_query(outputs: Sequence[Sequence[int]], count: int) -> tuple[tuple[int, ...], ...]:
    """The output words of all instances as a row for each of ``count`` queries."""
    size = len(outputs) // count
    return tuple(
        tuple(word for words in outputs[start : start + size] for word in words)
        for start in range(0, len(outputs), size)
    )


def transfer_counts(parameters: Parameters, architecture: Architecture, count: int) -> list[int]:
    """Transfers for each stage's circuits, for ``count`` queries; 0 where a stage has none."""
    counts = []
    for stage in architecture.stages:
        if stage.activation is Activation.NONE:
            counts.append(0)
            continue
        if votes_in_rounds(parameters, stage):
            counts.append(vote_shape(parameters, count).all_transfers)
            continue
        circuit, instances = activation_circuit(parameters, stage)
        counts.append(count * instances * circuit.evaluator_inputs)
    return counts
