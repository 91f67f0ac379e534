"""Oblivious transfer and garbling, from given randomness."""

from __future__ import annotations

import hashlib

from capc import garbling
from capc import oblivious_transfer as ot
from capc.circuits.builder import Circuit
from capc.messages import BaseOtChoice, BaseOtOffer, OtColumns
from capc.randomness import XofSource
from capc_verify.vectors.operation import Call, GroupType, Operation, Result, named
from capc_verify.vectors.operations.circuits import CIRCUIT_FIELDS, circuit_from
from capc_verify.vectors.operations.labels import join_labels, split_labels
from capc_verify.vectors.values import BITS, COUNT, DATA, INTEGERS

_LENGTHS = frozenset({"Short", "Long"})


def _offer(call: Call) -> Result:
    sender, offer = ot.base_ot_offer(XofSource(call["seed"], call["label"]))
    return Result({"offer": offer.to_bytes()}, (sender,), {"scalar": sender.scalar})


def _choose(call: Call) -> Result:
    offer = BaseOtOffer.from_bytes(call["offer"])
    key, made = ot.base_ot_choose(offer, call["context"], XofSource(call["seed"], call["label"]))
    shown = {"delta": join_labels([key.delta]), "seeds_sha256": hashlib.sha256(b"".join(key.seeds)).digest()}
    return Result({"choice": made.to_bytes()}, (key,), shown)


def _finish(call: Call) -> Result:
    key = ot.base_ot_finish(call.states[0], BaseOtChoice.from_bytes(call["choice"]), call["context"])
    seeds = b"".join(zero + one for zero, one in key.seed_pairs)
    return Result({}, (key,), {"seeds_sha256": hashlib.sha256(seeds).digest()})


def _receive(call: Call) -> Result:
    labels, columns = ot.extend_receive(call.states[0], call["context"], call["choices"])
    return Result({"columns": columns.to_bytes(), "labels": join_labels(labels)})


def _send(call: Call) -> Result:
    correction = OtColumns.from_bytes(call["columns"], call["transfers"])
    return Result({"zero_labels": join_labels(ot.extend_send(call.states[0], call["context"], correction))})


TRANSFERS = GroupType(
    "ObliviousTransfer",
    named(
        Operation("base_ot_offer", _offer, {"seed": DATA, "label": DATA}, {"offer": DATA}, {"scalar": DATA}),
        Operation(
            "base_ot_choose",
            _choose,
            {"offer": DATA, "context": DATA, "seed": DATA, "label": DATA},
            {"choice": DATA},
            {"delta": DATA, "seeds_sha256": DATA},
        ),
        Operation("base_ot_finish", _finish, {"choice": DATA, "context": DATA}, {}, {"seeds_sha256": DATA}),
        Operation(
            "extend_receive",
            _receive,
            {"context": DATA, "choices": BITS},
            {"columns": DATA, "labels": DATA},
        ),
        Operation(
            "extend_send",
            _send,
            {"context": DATA, "columns": DATA, "transfers": COUNT},
            {"zero_labels": DATA},
        ),
    ),
    receives={
        "base_ot_choose": _LENGTHS | {"InvalidPoint"},
        "base_ot_finish": _LENGTHS | {"InvalidPoint"},
        "extend_send": _LENGTHS | {"Padding"},
    },
)


def _hash(call: Call) -> Result:
    digests = garbling.LabelHash(call["hash_key"]).digest(split_labels(call["labels"]), call["tweaks"])
    return Result({"digests": join_labels(digests)})


def _garble(call: Call) -> Result:
    circuit: Circuit = call.environment
    made = garbling.garble(
        circuit,
        split_labels(call["input_zero_labels"]),
        split_labels(call["delta"])[0],
        garbling.LabelHash(call["hash_key"]),
        call["first_gate"],
    )
    return Result({"tables": join_labels(made.tables), "output_zero_labels": join_labels(made.output_zero_labels)})


def _evaluate(call: Call) -> Result:
    labels = garbling.evaluate(
        call.environment,
        split_labels(call["input_labels"]),
        split_labels(call["tables"]),
        garbling.LabelHash(call["hash_key"]),
        call["first_gate"],
    )
    return Result({"output_labels": join_labels(labels)})


GARBLING = GroupType(
    "Garbling",
    named(
        Operation(
            "label_hash",
            _hash,
            {"hash_key": DATA, "labels": DATA, "tweaks": INTEGERS},
            {"digests": DATA},
        ),
        Operation(
            "garble",
            _garble,
            {"input_zero_labels": DATA, "delta": DATA, "hash_key": DATA, "first_gate": COUNT},
            {"tables": DATA, "output_zero_labels": DATA},
        ),
        Operation(
            "garbled_evaluate",
            _evaluate,
            {"input_labels": DATA, "tables": DATA, "hash_key": DATA, "first_gate": COUNT},
            {"output_labels": DATA},
        ),
    ),
    CIRCUIT_FIELDS,
    circuit_from,
)
