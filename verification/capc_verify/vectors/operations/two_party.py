"""Oblivious transfer and garbling, from given randomness."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from capc.foundation.aes_ctr import KEY_BYTES, labels_at, stream_bits
from capc.foundation.encoding import LABEL_BYTES
from capc.foundation.errors import InputError
from capc.foundation.primitives import Permutation
from capc.foundation.randomness import XofSource
from capc.two_party.circuits.builder import Circuit
from capc.two_party.garbling import half_gates
from capc.two_party.garbling.hash_keys import HashKeys
from capc.two_party.garbling.output_sharing import share_by_evaluator, share_by_garbler
from capc.two_party.garbling.readable import GarbledTwoParty
from capc.two_party.garbling.transfers import base_ot, extension_check, ot_extension, tree_check
from capc.two_party.garbling.transfers.ot_messages import (
    BaseOtChoice,
    BaseOtOffer,
    CheckedExtension,
    OtExtension,
    OtTrees,
)
from capc.two_party.garbling.transfers.universal_hash import column_hashes
from capc.two_party.transfers import Transfers
from capc_verify.vectors.operation import Call, GroupType, Operation, Result, named
from capc_verify.vectors.operations.circuits import CIRCUIT_FIELDS, circuit_from
from capc_verify.vectors.operations.labels import join_labels, split_labels
from capc_verify.vectors.values import BITS, COUNT, DATA, INTEGER, INTEGERS, many

_LENGTHS = frozenset({"Short", "Long"})


def _offer(call: Call) -> Result:
    sender, offer = base_ot.base_ot_offer(XofSource(call["seed"], call["label"]))
    return Result({"offer": offer.to_bytes()}, (sender,), {"scalar": sender.scalar})


def _choose(call: Call) -> Result:
    offer = BaseOtOffer.from_bytes(call["offer"])
    key, made = base_ot.base_ot_choose(offer, call["context"], XofSource(call["seed"], call["label"]))
    shown = {"delta": join_labels([key.delta]), "seeds_sha256": hashlib.sha256(b"".join(key.seeds)).digest()}
    return Result({"choice": made.to_bytes()}, (key,), shown)


def _finish(call: Call) -> Result:
    pairs = base_ot.base_ot_finish(call.states[0], BaseOtChoice.from_bytes(call["choice"]), call["context"])
    seeds = b"".join(zero + one for zero, one in pairs)
    return Result({}, (pairs,), {"seeds_sha256": hashlib.sha256(seeds).digest()})


def _grow(call: Call) -> Result:
    said = call["offer"] + call["choice"]
    source = XofSource(call["seed"], call["label"])
    key, trees = tree_check.grow_checked(call.states[0], call["context"], said, source)
    return Result({"trees": trees.to_bytes()}, (key,), _shown(key))


def _take(call: Call) -> Result:
    key = tree_check.take_checked(call.states[0], OtTrees.from_bytes(call["trees"]))
    return Result({}, (key,), _shown(key))


def _shown(key: ot_extension.EvaluatorKey | ot_extension.GarblerKey) -> dict[str, bytes]:
    return {"leaves_sha256": _digest(key.leaves), "set_up": key.set_up}


def _digest(trees: Sequence[Sequence[bytes | None]]) -> bytes:
    """SHA-256 over all leaves, a missing one as 16 zero bytes."""
    return hashlib.sha256(b"".join(leaf or bytes(KEY_BYTES) for leaves in trees for leaf in leaves)).digest()


def _receive(call: Call) -> Result:
    bits, labels, message = ot_extension.extend_receive(call.states[0], call["position"], call["transfers"])
    shown = [bits >> transfer & 1 for transfer in range(call["transfers"])]
    return Result({"rows": message.to_bytes(), "bits": shown, "labels": join_labels(labels)})


def _send(call: Call) -> Result:
    message = OtExtension.from_bytes(call["rows"], call["transfers"])
    return Result({"zero_labels": join_labels(ot_extension.extend_send(call.states[0], call["position"], message))})


def _receive_checked(call: Call) -> Result:
    key: ot_extension.EvaluatorKey = call.states[0]
    bits, labels, message = extension_check.receive_checked(key, call["position"], call["transfers"])
    shown = [bits >> transfer & 1 for transfer in range(call["transfers"])]
    used = extension_check.challenge(key.set_up, call["position"], message.extension.to_bytes())
    return Result(
        {"payload": message.to_bytes(), "bits": shown, "labels": join_labels(labels)}, (), {"challenge": used}
    )


def _send_checked(call: Call) -> Result:
    message = CheckedExtension.from_bytes(call["payload"], call["transfers"])
    zeros = extension_check.send_checked(call.states[0], call["position"], call["transfers"], message)
    return Result({"zero_labels": join_labels(zeros)})


def _hash_columns(call: Call) -> Result:
    return Result({"hashes": column_hashes(call["key"], call["columns"])})


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
            "grow_checked",
            _grow,
            {"context": DATA, "offer": DATA, "choice": DATA, "seed": DATA, "label": DATA},
            {"trees": DATA},
            {"leaves_sha256": DATA, "set_up": DATA},
        ),
        Operation("take_checked", _take, {"trees": DATA}, {}, {"leaves_sha256": DATA, "set_up": DATA}),
        Operation("hash_columns", _hash_columns, {"key": DATA, "columns": many(DATA)}, {"hashes": many(DATA)}),
        Operation(
            "receive_checked",
            _receive_checked,
            {"position": INTEGER, "transfers": COUNT},
            {"payload": DATA, "bits": BITS, "labels": DATA},
            {"challenge": DATA},
        ),
        Operation(
            "send_checked",
            _send_checked,
            {"position": INTEGER, "payload": DATA, "transfers": COUNT},
            {"zero_labels": DATA},
        ),
        Operation(
            "extend_receive",
            _receive,
            {"position": INTEGER, "transfers": COUNT},
            {"rows": DATA, "bits": BITS, "labels": DATA},
        ),
        Operation(
            "extend_send",
            _send,
            {"position": INTEGER, "rows": DATA, "transfers": COUNT},
            {"zero_labels": DATA},
        ),
    ),
    receives={
        "base_ot_choose": _LENGTHS | {"InvalidPoint"},
        "base_ot_finish": _LENGTHS | {"InvalidPoint"},
        "take_checked": _LENGTHS | {"Inconsistent"},
        "send_checked": _LENGTHS | {"Inconsistent"},
        "extend_send": _LENGTHS | {"Padding"},
    },
)


def _hash(call: Call) -> Result:
    label_hash = half_gates.LabelHash(call["hash_key"], call["position"])
    digests = [label_hash.digest(split_labels(labels))[0] for labels in call["calls"]]
    return Result({"digests": [join_labels(digest) for digest in digests]})


def _chunk_key(call: Call) -> Result:
    keys = HashKeys(call["hash_key"], 0, Permutation)
    keys.begin_chunk(call["chunk"])
    return Result({"key": keys.key(call["number"])})


def _hash_rows(call: Call) -> Result:
    label_hash = half_gates.LabelHash(call["hash_key"], call["position"])
    label_hash.begin_chunk(call["chunk"])
    digests = [
        join_labels(label_hash.digest(labels_at(call["label_key"], range(rows), number))[0])
        for number, rows in enumerate(call["rows"])
    ]
    whole = [hashlib.sha256(digest).digest() for digest in digests]
    return Result({"digests_sha256": whole, "last": digests[-1][-LABEL_BYTES:]})


def _garble_payload(call: Call) -> Result:
    circuit: Circuit = call.environment
    instances, words_key = call["instances"], call["words_key"]
    count, size = instances * circuit.evaluator_inputs, circuit.input_bits
    stream = stream_bits(words_key, 0, instances * circuit.garbler_inputs)
    words = [stream >> size * place & (1 << size) - 1 for place in range(instances * circuit.garbler_words)]
    inputs = [words[at : at + circuit.garbler_words] for at in range(0, len(words), circuit.garbler_words)]
    zeros = labels_at(call["transfers_key"], range(count), 0)
    transfers = Transfers(call["position"], count, (split_labels(call["delta"])[0], zeros))
    bits = stream_bits(words_key, 1, count).to_bytes((count + 7) // 8, "little")
    source = XofSource(call["seed"], call["label"])
    return Result({"payload": GarbledTwoParty().garble(transfers, circuit, inputs, bits, source)[1]})


def _garble(call: Call) -> Result:
    circuit: Circuit = call.environment
    delta, label_hash = split_labels(call["delta"])[0], half_gates.LabelHash(call["hash_key"], call["position"])
    zeros = _by_wire(call["input_zero_labels"], circuit.inputs)
    tables, outputs = half_gates.garble(circuit, zeros, delta, label_hash)
    rows: list[list[int]] = []
    shares: list[list[int]] = []
    if circuit.sharing is not None:
        rows, shares = share_by_garbler(circuit.sharing, outputs, delta, label_hash)
    return Result(
        {
            "tables": join_labels(label for stage in tables for half in stage for label in half),
            "output_zero_labels": join_labels(label for wire in outputs for label in wire),
            "rows": rows,
            "shares": shares,
        }
    )


def _evaluate(call: Call) -> Result:
    circuit: Circuit = call.environment
    label_hash = half_gates.LabelHash(call["hash_key"], call["position"])
    row = circuit.inputs * LABEL_BYTES
    count = len(call["input_labels"]) // row
    halves = sum(len(stage.ands) * (1 if stage.products else 2) for stage in circuit.stages[1:])
    wanted = count * row, count * halves * LABEL_BYTES
    if count == 0 or (len(call["input_labels"]), len(call["tables"])) != wanted:
        raise InputError("input_labels, tables: give those of whole instances of this circuit")
    active = _by_wire(call["input_labels"], circuit.inputs)
    instances, labels, tables = len(active[0]), split_labels(call["tables"]), []
    for stage in circuit.stages[1:]:
        half = len(stage.ands) * instances
        split = 0 if stage.products else half
        tables.append((labels[:split], labels[split : split + half]))
        labels = labels[split + half :]
    outputs = half_gates.evaluate(circuit, active, tables, label_hash)
    shares: list[list[int]] = []
    if circuit.sharing is not None:
        shares = share_by_evaluator(circuit.sharing, outputs, call["rows"], label_hash)
    return Result({"output_labels": join_labels(label for wire in outputs for label in wire), "shares": shares})


def _by_wire(labels: bytes, wires: int) -> list[list[int]]:
    """Labels wire by wire, for each instance."""
    flat = split_labels(labels)
    size = len(flat) // wires
    return [flat[wire * size : (wire + 1) * size] for wire in range(wires)]


_BATCH = {"hash_key": DATA, "position": INTEGER}

GARBLING = GroupType(
    "Garbling",
    named(
        Operation("label_hash", _hash, {**_BATCH, "calls": many(DATA)}, {"digests": many(DATA)}),
        Operation("chunk_key", _chunk_key, {"hash_key": DATA, "chunk": COUNT, "number": COUNT}, {"key": DATA}),
        Operation(
            "label_hash_rows",
            _hash_rows,
            {**_BATCH, "chunk": COUNT, "label_key": DATA, "rows": INTEGERS},
            {"digests_sha256": many(DATA), "last": DATA},
        ),
        Operation(
            "garble_payload",
            _garble_payload,
            {
                "seed": DATA,
                "label": DATA,
                "position": INTEGER,
                "instances": COUNT,
                "delta": DATA,
                "transfers_key": DATA,
                "words_key": DATA,
            },
            {"payload": DATA},
        ),
        Operation(
            "garble",
            _garble,
            {"input_zero_labels": DATA, "delta": DATA, **_BATCH},
            {"tables": DATA, "output_zero_labels": DATA, "rows": many(INTEGERS), "shares": many(INTEGERS)},
        ),
        Operation(
            "garbled_evaluate",
            _evaluate,
            {"input_labels": DATA, "tables": DATA, "rows": many(INTEGERS), **_BATCH},
            {"output_labels": DATA, "shares": many(INTEGERS)},
        ),
    ),
    CIRCUIT_FIELDS,
    circuit_from,
)
