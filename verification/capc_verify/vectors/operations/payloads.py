"""The layouts of payloads (CAPC-WIRE-008): from fields to bytes, and back with every check."""

from __future__ import annotations

from capc.messages import BaseOtChoice, BaseOtOffer, GarbledCircuits, MaskKey, OtColumns, VoteShares
from capc.two_party import OutputLabels
from capc_verify.vectors.operation import Call, GroupType, Operation, Result, named
from capc_verify.vectors.operations.circuits import CIRCUIT, circuit_from
from capc_verify.vectors.operations.labels import join_labels, split_labels
from capc_verify.vectors.values import COUNT, DATA, FLAG, INTEGERS, many, record

_LENGTHS = frozenset({"Short", "Long"})
_POINT_FAULTS = _LENGTHS | {"InvalidPoint"}


def _decode_columns(call: Call) -> Result:
    columns = OtColumns.from_bytes(call["payload"], call["transfers"])
    return Result({"columns": list(columns.columns), "payload": columns.to_bytes()})


def _decode_circuits(call: Call) -> Result:
    circuit = circuit_from(call["circuit"])
    message = GarbledCircuits.from_bytes(call["payload"], circuit, call["instances"])
    instances = [
        {"garbler_labels": join_labels(labels), "tables": join_labels(tables)}
        for labels, tables in zip(message.garbler_labels, message.tables, strict=True)
    ]
    return Result(
        {
            "hash_key": message.hash_key,
            "instances": instances,
            "decoding_bits": list(message.decoding_bits),
            "payload": message.to_bytes(circuit),
        }
    )


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
            "decode_ot_columns",
            _decode_columns,
            {"payload": DATA, "transfers": COUNT},
            {"columns": INTEGERS, "payload": DATA},
        ),
        Operation(
            "decode_garbled_circuits",
            _decode_circuits,
            {"payload": DATA, "circuit": CIRCUIT, "instances": COUNT},
            {
                "hash_key": DATA,
                "instances": many(record({"garbler_labels": DATA, "tables": DATA})),
                "decoding_bits": INTEGERS,
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
        "decode_ot_columns": _LENGTHS | {"Padding"},
        "decode_garbled_circuits": _LENGTHS | {"Padding"},
        "decode_vote_shares": _LENGTHS | {"OutOfRange"},
        "decode_answered_label": _LENGTHS | {"ForgedLabel"},
    },
)
