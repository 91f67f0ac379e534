"""Which circuit follows a stage, and what goes into each instance of it: both ends of a connection ask here.

Spec: CAPC-WIRE-009, CAPC-PARAM-066, CAPC-PARAM-067, CAPC-ERR-003.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from itertools import chain

from capc.foundation import guarded, ring
from capc.foundation.errors import InputError
from capc.models.architecture import Activation, Architecture, StageShape
from capc.session.parameters import Parameters, VoteVariant
from capc.two_party.circuits.argmax import share_differences, vote_circuit, vote_circuit_low_depth
from capc.two_party.circuits.builder import Circuit
from capc.two_party.circuits.relu import leaky_relu_circuit, relu_circuit
from capc.two_party.vote_rounds import VoteShape


def activation_circuit(parameters: Parameters, stage: StageShape) -> tuple[Circuit, int]:
    """The circuit after a stage and its instances per query: a ReLU per output of the stage, or one vote."""
    widths = parameters.widths
    if stage.activation is Activation.VOTE:
        make = vote_circuit_low_depth if _compares_all_pairs(parameters, stage) else vote_circuit
        return make(stage.sums, widths.logit_bits, widths.vote_bits), 1
    dropped = stage.scale_bits(widths.fraction_bits)
    if stage.leak_bits is not None:
        leaky = leaky_relu_circuit(widths.logit_bits, dropped, stage.leak_bits, stage.window_size, stage.cap_bits)
        return leaky, stage.outputs
    cap = stage.most(widths.fraction_bits)
    return relu_circuit(widths.logit_bits, dropped, stage.window_size, cap=cap), stage.outputs


class Ending(Enum):
    """What becomes of a layer's sums. Public, so that a caller knows which step comes next."""

    SUMS = "are kept"
    RELU = "go through circuits of ReLUs"
    VOTE = "go through the circuit of the vote"
    ROUNDS = "go into the rounds of the vote"


def ending(parameters: Parameters, stage: StageShape) -> Ending:
    """What becomes of a layer's sums, where no outside engine computes the vote."""
    if stage.activation is Activation.VOTE:
        return Ending.ROUNDS if parameters.vote_variant is VoteVariant.MULTI_ROUND else Ending.VOTE
    return Ending.SUMS if stage.activation is Activation.NONE else Ending.RELU


def require_ending(parameters: Parameters, stage: StageShape, *wanted: Ending) -> None:
    """Refuses a step that is for layers of another ending, before anything is spent.

    Raises:
        InputError: a caller's mistake; says which steps to call.
    """
    found = ending(parameters, stage)
    if found not in wanted:
        raise InputError(f"the sums of this layer {found.value}: call the step for that")


def require_vote(stage: StageShape) -> None:
    """Raises :class:`InputError` unless a layer votes."""
    if stage.activation is not Activation.VOTE:
        raise InputError("this layer does not vote: use its circuits, or keep its sums")


def require_reverse_setup(parameters: Parameters, *, made: bool) -> None:
    """Refuses a reverse set-up that the session has no use for, and a second one, whose messages the first would match.

    Raises:
        InputError: as said.
    """
    if parameters.vote_variant is not VoteVariant.MULTI_ROUND:
        raise InputError("no vote of this session takes rounds: leave the reverse set-up out")
    if made:
        raise InputError("the second base transfers were made: a session makes them once")


def vote_shape(parameters: Parameters, count: int) -> VoteShape:
    """The vote in rounds on ``count`` queries."""
    widths = parameters.widths
    return VoteShape(parameters.num_classes, widths.logit_bits, widths.guard_bits, widths.vote_bits, count)


def _compares_all_pairs(parameters: Parameters, stage: StageShape) -> bool:
    return stage.activation is Activation.VOTE and parameters.vote_variant is VoteVariant.ALL_PAIRS


def garbler_words(parameters: Parameters, stage: StageShape, rows: Sequence[Sequence[int]]) -> Sequence[Sequence[int]]:
    """The answering party's words of the stage's sums, from its shares of them: a row for each instance."""
    widths = parameters.widths
    words = guarded.garbler_words(_compared(parameters, stage, rows), widths.logit_bits, widths.guard_bits)
    return _instances(stage, words)


def evaluator_words(
    parameters: Parameters, stage: StageShape, rows: Sequence[Sequence[int]]
) -> Sequence[Sequence[int]]:
    """The querying party's, likewise."""
    words = guarded.evaluator_words(_compared(parameters, stage, rows), parameters.widths.guard_bits)
    return _instances(stage, words)


def _compared(parameters: Parameters, stage: StageShape, rows: Sequence[Sequence[int]]) -> Sequence[Sequence[int]]:
    """What circuits take words of: one party's shares of a stage's sums, a row for each query, or of differences."""
    if _compares_all_pairs(parameters, stage):
        return [share_differences(row, parameters.widths.share_bits) for row in rows]
    return rows


def _instances(stage: StageShape, rows: Sequence[Sequence[int]]) -> Sequence[Sequence[int]]:
    """Words of a stage's sums, a row for each query, as the instances of its circuit take them."""
    if stage.activation is Activation.VOTE:
        return rows
    if stage.max_pool is None:
        return [instance for row in rows for instance in zip(row)]
    windows = stage.pool_windows()
    return [tuple([row[index] for index in window]) for row in rows for window in windows]


def rows_by_query(outputs: Sequence[Sequence[int]], count: int) -> tuple[tuple[int, ...], ...]:
    """The output words of all instances as a row for each of ``count`` queries."""
    size = len(outputs) // count
    return tuple(tuple(chain.from_iterable(outputs[start : start + size])) for start in range(0, len(outputs), size))


def garbled_rows(
    parameters: Parameters, stage: StageShape, outputs: Sequence[Sequence[int]], count: int
) -> tuple[tuple[int, ...], ...]:
    """The answering party's shares of what a stage makes, from those of its circuit's words, a row for each query.

    Words are not negative: that of a ReLU with a leak is 2^k more than its value, for words of k + 1 bits.
    """
    rows = rows_by_query(outputs, count)
    if stage.leak_bits is None:
        return rows
    width = parameters.widths.logit_bits
    circuit, _ = activation_circuit(parameters, stage)
    added = 1 << len(circuit.outputs) - 1
    return tuple(tuple(ring.reduce(share - added, width) for share in row) for row in rows)


def transfer_counts(parameters: Parameters, architecture: Architecture, count: int) -> list[int]:
    """Transfers for each stage's circuits, for ``count`` queries; 0 where a stage has none."""
    counts = []
    for stage in architecture.stages:
        after = ending(parameters, stage)
        if after is Ending.SUMS:
            counts.append(0)
        elif after is Ending.ROUNDS:
            counts.append(vote_shape(parameters, count).all_transfers)
        else:
            circuit, instances = activation_circuit(parameters, stage)
            counts.append(count * instances * circuit.evaluator_inputs)
    return counts
