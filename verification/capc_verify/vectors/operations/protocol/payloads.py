"""The layouts of payloads (CAPC-WIRE-008): from fields to bytes, and back with every check."""

from __future__ import annotations

from capc.steps.messages import MaskKey, VoteShares
from capc.two_party.garbling.payload import GarbledCircuits
from capc.two_party.garbling.transfers.ot_messages import BaseOtChoice, BaseOtOffer, CheckedExtension, OtTrees
from capc.two_party.interface import OutputLabels
from capc_verify.vectors.operation import Call, GroupType, Operation, Result, named
from capc_verify.vectors.operations.circuits import CIRCUIT, circuit_from
from capc_verify.vectors.operations.labels import join_labels, split_labels
from capc_verify.vectors.values import COUNT, DATA, FLAG, INTEGERS, many, record

_LENGTHS = frozenset({"Short", "Long"})
_POINT_FAULTS = _LENGTHS | {"InvalidPoint"}


def _decode_trees(call: Call) -> Result:
    message = OtTrees.from_bytes(call["payload"])
    checks = [{"total": check.total, "digest": check.digest} for check in message.checks]
    return Result({"sums": list(message.sums), "checks": checks})


def _decode_extension(call: Call) -> Result:
    message = CheckedExtension.from_bytes(call["payload"], call["transfers"])
    check = {"bits": message.check.bits, "digest": message.check.digest}
    return Result({"rows": list(message.extension.rows), "check": check, "payload": message.to_bytes()})


def _decode_circuits(call: Call) -> Result:
    circuit = circuit_from(call["circuit"])
    message = GarbledCircuits.from_bytes(call["payload"], circuit, call["instances"], call["chunk"])
    chunks = [
        {
            "tables": join_labels(label for stage in chunk.tables for half in stage for label in half),
            "outputs": chunk.outputs,
        }
        for chunk in message.chunks
    ]
    return Result({"hash_key": message.hash_key, "chunks": chunks, "payload": message.to_bytes(circuit)})


def _decode_shares(call: Call) -> Result:
    shares = VoteShares.from_bytes(call["payload"], call["num_classes"], call["vote_bits"])
    return Result({"shares": list(shares.shares), "payload": shares.to_bytes()})


def _decode_label(call: Call) -> Result:
    zero, delta = split_labels(call["zero_label"] + call["delta"])
    return Result({"bit": bool(OutputLabels(((zero,),), delta).decode(0, 0, call["returned"]))})


PAYLOADS = GroupType(
    "Payload",
    named(
        Operation(
            "decode_mask_key",
            lambda call: Result({"point": MaskKey.from_bytes(call["payload"]).point}),
            {"payload": DATA},
            {"point": DATA},
        ),
        Operation(
            "decode_base_ot_offer",
            lambda call: Result({"point": BaseOtOffer.from_bytes(call["payload"]).point}),
            {"payload": DATA},
            {"point": DATA},
        ),
        Operation(
            "decode_base_ot_choice",
            lambda call: Result({"points": list(BaseOtChoice.from_bytes(call["payload"]).points)}),
            {"payload": DATA},
            {"points": many(DATA)},
        ),
        Operation(
            "decode_ot_trees",
            _decode_trees,
            {"payload": DATA},
            {"sums": many(DATA), "checks": many(record({"total": DATA, "digest": DATA}))},
        ),
        Operation(
            "decode_ot_extension",
            _decode_extension,
            {"payload": DATA, "transfers": COUNT},
            {"rows": INTEGERS, "check": record({"bits": DATA, "digest": DATA}), "payload": DATA},
        ),
        Operation(
            "decode_garbled_circuits",
            _decode_circuits,
            {"payload": DATA, "circuit": CIRCUIT, "instances": COUNT, "chunk": COUNT},
            {
                "hash_key": DATA,
                "chunks": many(record({"tables": DATA, "outputs": many(INTEGERS)})),
                "payload": DATA,
            },
        ),
        Operation(
            "decode_vote_shares",
            _decode_shares,
            {"payload": DATA, "num_classes": COUNT, "vote_bits": COUNT},
            {"shares": INTEGERS, "payload": DATA},
        ),
        Operation(
            "decode_answered_label",
            _decode_label,
            {"zero_label": DATA, "delta": DATA, "returned": DATA},
            {"bit": FLAG},
        ),
    ),
    receives={
        "decode_mask_key": _POINT_FAULTS,
        "decode_base_ot_offer": _POINT_FAULTS,
        "decode_base_ot_choice": _POINT_FAULTS,
        "decode_ot_trees": _LENGTHS,
        "decode_ot_extension": _LENGTHS,
        "decode_garbled_circuits": _LENGTHS | {"Padding", "OutOfRange"},
        "decode_vote_shares": _LENGTHS | {"OutOfRange"},
        "decode_answered_label": _LENGTHS | {"ForgedLabel"},
    },
)
