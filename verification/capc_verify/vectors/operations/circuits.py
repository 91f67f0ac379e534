"""The circuits: their gates, by a digest, and what they compute.

Spec: CAPC-ARG-019.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

from capc.foundation import guarded
from capc.two_party.circuits.argmax import vote_circuit, vote_circuit_low_depth
from capc.two_party.circuits.bristol import to_bristol
from capc.two_party.circuits.builder import Circuit, evaluate
from capc.two_party.circuits.release import confident_release_circuit, release_circuit, single_draw_release_circuit
from capc.two_party.circuits.relu import leaky_relu_circuit, relu_circuit
from capc_verify.vectors.operation import Call, GroupType, Operation, Result, named
from capc_verify.vectors.values import BITS, COUNT, DATA, FLAG, INTEGERS, choice, optional, record


class Family(StrEnum):
    """The circuits of section 05."""

    RELU = "relu"
    VOTE = "vote"
    VOTE_LOW_DEPTH = "vote_low_depth"
    RELEASE = "release"
    SINGLE_DRAW_RELEASE = "single_draw_release"
    CONFIDENT_RELEASE = "confident_release"


_WIDTHS = ("num_classes", "logit_bits", "vote_bits", "fraction_bits", "realised")
CIRCUIT_FIELDS = {
    "family": choice(Family),
    "num_classes": optional(COUNT),
    "logit_bits": optional(COUNT),
    "vote_bits": optional(COUNT),
    "fraction_bits": optional(COUNT),
    "realised": optional(FLAG),
}
CIRCUIT = record(CIRCUIT_FIELDS)
"""A circuit by its family and widths; null for what the family does not have."""


def circuit_name(family: Family, **widths: int | bool) -> dict[str, Any]:
    """The fields of :data:`CIRCUIT`."""
    return {"family": family, **dict.fromkeys(_WIDTHS), **widths}


_MAKERS: Mapping[Family, Callable[[Mapping[str, Any]], Circuit]] = {
    Family.RELU: lambda of: relu_circuit(of["logit_bits"], of["fraction_bits"]),
    Family.VOTE: lambda of: vote_circuit(of["num_classes"], of["logit_bits"], of["vote_bits"]),
    Family.VOTE_LOW_DEPTH: lambda of: vote_circuit_low_depth(of["num_classes"], of["logit_bits"], of["vote_bits"]),
    Family.RELEASE: lambda of: release_circuit(of["num_classes"], of["vote_bits"]),
    Family.SINGLE_DRAW_RELEASE: lambda of: single_draw_release_circuit(of["num_classes"], of["vote_bits"]),
    Family.CONFIDENT_RELEASE: lambda of: confident_release_circuit(
        of["num_classes"], of["vote_bits"], evaluator_noise=of["realised"]
    ),
}


def circuit_from(fields: Mapping[str, Any]) -> Circuit:
    """The circuit that the fields name."""
    return _MAKERS[fields["family"]](fields)


def circuit_digest(circuit: Circuit) -> bytes:
    """SHA-256 over the canonical encoding of a circuit's gates; name, words and sharing are no part of it.

    Four u32: input bits of the garbler, input bits of the evaluator, gates, outputs. Then 9 bytes per gate: operation
    u8 (0 XOR, 1 AND, 2 INV), left wire u32, right wire u32. Then one u32 per output wire. All little-endian.
    """
    counts = (circuit.garbler_inputs, circuit.evaluator_inputs, len(circuit.gates), len(circuit.outputs))
    parts = [_u32(*counts)]
    parts += [bytes([gate.operation]) + _u32(gate.left, gate.right) for gate in circuit.gates]
    parts.append(_u32(*circuit.outputs))
    return hashlib.sha256(b"".join(parts)).digest()


def _u32(*values: int) -> bytes:
    return b"".join(value.to_bytes(4, "little") for value in values)


def _share_words(call: Call) -> Result:
    bits, guard = call.environment
    mine = [guarded.garbler_word(share, bits, guard) for share in call["garbler"]]
    theirs = [guarded.evaluator_word(share, guard) for share in call["evaluator"]]
    values = [guarded.opened(*pair, bits) for pair in zip(theirs, mine, strict=True)]
    return Result({"garbler_words": mine, "evaluator_words": theirs, "values": values})


def _describe(call: Call) -> Result:
    circuit: Circuit = call.environment
    sharing = circuit.sharing
    return Result(
        {
            "input_bits": circuit.input_bits,
            "garbler_words": circuit.garbler_words,
            "evaluator_words": circuit.evaluator_words,
            "outputs": len(circuit.outputs),
            "shared_word_bits": None if sharing is None else sharing.word_bits,
            "shared_width": None if sharing is None else sharing.width,
            "gates": len(circuit.gates),
            "and_gates": circuit.and_count,
            "and_depth": circuit.and_depth,
            "digest": circuit_digest(circuit),
            "bristol_sha256": hashlib.sha256(to_bristol(circuit).encode()).digest(),
        }
    )


_COUNTS = ("input_bits", "garbler_words", "evaluator_words", "outputs", "gates", "and_gates", "and_depth")
_OPERATIONS = named(
    Operation(
        "circuit_describe",
        _describe,
        gives={
            **dict.fromkeys(_COUNTS, COUNT),
            "shared_word_bits": optional(COUNT),
            "shared_width": optional(COUNT),
            "digest": DATA,
            "bristol_sha256": DATA,
        },
    ),
    Operation(
        "circuit_evaluate",
        lambda call: Result({"outputs": evaluate(call.environment, call["garbler"], call["evaluator"])}),
        {"garbler": INTEGERS, "evaluator": INTEGERS},
        {"outputs": BITS},
    ),
)
CIRCUITS = GroupType("Circuit", _OPERATIONS, CIRCUIT_FIELDS, circuit_from)
POOLED_RELU = GroupType(
    "PooledRelu",
    _OPERATIONS,
    {"logit_bits": COUNT, "fraction_bits": COUNT, "window": COUNT},
    lambda params: relu_circuit(**params),
)
"""The ReLU of the largest in a window; a type of its own, so that other circuits need not name a window."""

CAPPED = GroupType(
    "CappedRelu",
    _OPERATIONS,
    {"logit_bits": COUNT, "fraction_bits": COUNT, "window": COUNT, "cap_bits": COUNT},
    lambda params: relu_circuit(**params),
)
"""The same with a cap."""

AT_MOST = GroupType(
    "ReluAtMost",
    _OPERATIONS,
    {"logit_bits": COUNT, "fraction_bits": COUNT, "window": COUNT, "cap": COUNT},
    lambda params: relu_circuit(**params),
)
"""The same with a cap of any number."""

LEAKY = GroupType(
    "LeakyRelu",
    _OPERATIONS,
    {"logit_bits": COUNT, "fraction_bits": COUNT, "leak_bits": COUNT, "window": COUNT, "cap_bits": optional(COUNT)},
    lambda params: leaky_relu_circuit(**params),
)
"""The ReLU with a leak, of the largest in a window, with or without a cap."""

SHARE_WORDS = GroupType(
    "ShareWords",
    named(
        Operation(
            "share_words",
            _share_words,
            {"garbler": INTEGERS, "evaluator": INTEGERS},
            {"garbler_words": INTEGERS, "evaluator_words": INTEGERS, "values": INTEGERS},
        ),
    ),
    {"logit_bits": COUNT, "guard_bits": COUNT},
    lambda params: (params["logit_bits"], params["guard_bits"]),
)
"""Shares with guard bits, the words that they give to a circuit, and what the circuit makes of them."""
