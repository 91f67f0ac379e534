"""Oblivious transfer and garbling."""

from __future__ import annotations

from typing import Any

from capc.circuits.builder import Circuit
from capc.circuits.builder import evaluate as evaluate_in_clear
from capc_verify.vectors.build import FileBuilder, GroupBuilder, TestBuilder
from capc_verify.vectors.cases.common import expect_equal, invalid_points
from capc_verify.vectors.operation import SENDER, Fault
from capc_verify.vectors.operations.circuits import Family, circuit_from, circuit_name
from capc_verify.vectors.operations.labels import join_labels, split_labels
from capc_verify.vectors.operations.two_party import GARBLING, TRANSFERS
from capc_verify.vectors.values import Edited

_BASE = ("CAPC-OT-002",)
_EXTENSION = ("CAPC-OT-004",)
_HALF_GATES = ("CAPC-GC-002",)
_LENGTH = Fault("malformed_length", SENDER)
_CONTEXT = b"context of a pair"


def oblivious_transfer() -> FileBuilder:
    """Base OTs and their extension."""
    file = FileBuilder(
        "oblivious_transfer",
        "CAPC-OT",
        [
            "Base OTs and extension from given seeds and contexts.",
            "`seeds_sha256` hashes the garbler's 128 seeds, or the evaluator's 256 as zero and one seed of each pair.",
            "Labels are 16 bytes each, little-endian, side by side.",
        ],
    )
    group = file.group(TRANSFERS)
    honest = group.test("base_ot", "Offer, choice, and both keys.", [*_BASE, "CAPC-OT-001"])
    seed = honest.seed()
    offer = honest.run("base_ot_offer", seed=seed, label=b"offer", leaves=["sender"], snapshot=True)["offer"]
    chosen = honest.run(
        "base_ot_choose",
        offer=offer,
        context=_CONTEXT,
        seed=honest.seed(),
        label=b"choice",
        leaves=["garbler"],
        snapshot=True,
    )
    honest.run(
        "base_ot_finish",
        choice=chosen["choice"],
        context=_CONTEXT,
        states=["sender"],
        leaves=["evaluator"],
        snapshot=True,
    )
    _refused_points(group, honest, offer, chosen["choice"])
    _extensions(group, honest, chosen["delta"])
    return file


def _refused_points(group: GroupBuilder, honest: TestBuilder, offer: bytes, choice: bytes) -> None:
    invalid = Fault("invalid_point", SENDER)
    length = ["CAPC-WIRE-003"]

    def choose(test: TestBuilder, fault: Fault, faulty: bytes | Edited) -> None:
        fields: dict[str, Any] = {"context": _CONTEXT, "seed": test.seed(), "label": b"choice"}
        test.run("base_ot_choose", offer=faulty, leaves=["garbler"], fault=fault, **fields)

    def finish(test: TestBuilder, fault: Fault, faulty: bytes | Edited) -> None:
        fields: dict[str, Any] = {"states": ["sender"], "leaves": ["evaluator"], "fault": fault}
        test.run("base_ot_finish", choice=faulty, context=_CONTEXT, **fields)

    for flag, edit in (("Short", {"truncate": 1}), ("Long", {"append": "00"})):
        choose(group.test(f"offer_{flag.lower()}", "One byte.", length, [flag]), _LENGTH, Edited(offer, edit))
        test = group.test(f"choice_{flag.lower()}", "One byte.", length, [flag], after=(honest, 1))
        finish(test, _LENGTH, Edited(choice, edit))
    for name, point in invalid_points().items():
        flags, requirement = ["InvalidPoint"], ["CAPC-WIRE-005"]
        choose(group.test(f"offer_{name}", "An invalid offer.", requirement, flags), invalid, point)
        for position in (0, 127):
            test = group.test(f"choice_{name}_{position}", "One invalid point.", requirement, flags, after=(honest, 1))
            finish(test, invalid, Edited(choice, {"at": 32 * position, "replace": point.hex()}))
    test = group.test(
        "choice_equal_to_offer",
        "B_0 = A: a valid point, whose one key comes from the neutral element. No crash.",
        [*_BASE, "CAPC-WIRE-007"],
        after=(honest, 1),
    )
    edited = Edited(choice, {"at": 0, "replace": offer.hex()})
    test.run("base_ot_finish", choice=edited, context=_CONTEXT, states=["sender"], leaves=["evaluator"])


def _extensions(group: GroupBuilder, honest: TestBuilder, delta: bytes) -> None:
    offset = split_labels(delta)[0]
    columns = b""
    for transfers in (1, 8, 12, 65):
        test = group.test(
            f"extension_{transfers}",
            "Labels of the evaluator, and zero labels of the garbler.",
            [*_EXTENSION, "CAPC-OT-001"],
            after=(honest, 3),
        )
        choices = [byte & 1 for byte in test.draw("choices", transfers)]
        context = _CONTEXT + bytes([transfers])
        received = test.run("extend_receive", context=context, choices=choices, states=["evaluator"])
        columns = received["columns"] if transfers == 12 else columns
        sent = test.run(
            "extend_send", context=context, columns=received["columns"], transfers=transfers, states=["garbler"]
        )
        pairs = zip(split_labels(sent["zero_labels"]), choices, strict=True)
        labels = [zero ^ (offset if choice else 0) for zero, choice in pairs]
        expect_equal(split_labels(received["labels"]), labels, test.name)
    test = group.test(
        "extension_other_context", "Equal choices, other columns.", ["CAPC-OT-003", *_EXTENSION], after=(honest, 3)
    )
    for context in (b"query 1", b"query 2"):
        test.run("extend_receive", context=context, choices=[1, 0, 1, 1], states=["evaluator"])
    fields: dict[str, Any] = {"context": _CONTEXT, "transfers": 12, "states": ["garbler"]}
    for flag, edit in (("Short", {"truncate": 1}), ("Long", {"append": "00"})):
        test = group.test(f"columns_{flag.lower()}", "One byte.", ["CAPC-WIRE-003"], [flag], after=(honest, 3))
        test.run("extend_send", columns=Edited(columns, edit), fault=_LENGTH, **fields)
    for position in (1, 255):
        test = group.test(
            f"columns_padding_{position}", "One padding bit.", ["CAPC-WIRE-004"], ["Padding"], after=(honest, 3)
        )
        patch = bytes([columns[position] | 0x40]).hex()
        edited = Edited(columns, {"at": position, "replace": patch})
        test.run("extend_send", columns=edited, fault=Fault("non_canonical", SENDER), **fields)


def garbling() -> FileBuilder:
    """Half-gates."""
    file = FileBuilder(
        "garbling",
        "CAPC-GARBLING",
        [
            "Half-gates from given labels, offset and hash key. Labels and table rows are 16 bytes, little-endian.",
            "Tables: generator half, then evaluator half, of each AND in gate order. In full for the smallest circuit,",
            "as SHA-256 and length for larger ones.",
            "The payload of garbled circuits and its malformed forms are in messages.json and protocol_*.json.",
        ],
    )
    smallest = circuit_name(Family.RELEASE, num_classes=2, vote_bits=2)
    _label_hash(file, smallest)
    for name, fields in {
        "smallest": smallest,
        "relu": circuit_name(Family.RELU, logit_bits=12, fraction_bits=2),
        "vote": circuit_name(Family.VOTE, num_classes=3, logit_bits=12, vote_bits=10),
        "release": circuit_name(Family.RELEASE, num_classes=10, vote_bits=16),
        "worst_case": circuit_name(Family.CONFIDENT_RELEASE, num_classes=3, vote_bits=10, realised=False),
        "realised": circuit_name(Family.CONFIDENT_RELEASE, num_classes=3, vote_bits=10, realised=True),
    }.items():
        group = file.group(GARBLING, hashed=name != "smallest", **fields)
        for first_gate in (0, 1000):
            _garble_case(group, f"{name}_first_gate_{first_gate}", circuit_from(fields), first_gate)
    return file


def _label_hash(file: FileBuilder, circuit: dict[str, Any]) -> None:
    group = file.group(GARBLING, **circuit)
    test = group.test("label_hash", "H(x, i) = pi(pi(x) ^ i) ^ pi(x).", _HALF_GATES, ["Extreme"])
    labels = [0, (1 << 128) - 1, *split_labels(test.draw("labels", 48))]
    tweaks = [0, 1, 2, (1 << 64) + 1, 0]
    test.run("label_hash", hash_key=test.draw("hash_key", 16), labels=join_labels(labels), tweaks=tweaks)


def _garble_case(group: GroupBuilder, name: str, circuit: Circuit, first_gate: int) -> None:
    flags = ["FirstGate"] if first_gate else []
    test = group.test(name, "Garbled, and evaluated on one input.", [*_HALF_GATES, "CAPC-GC-001"], flags)
    zeros = split_labels(test.draw("input_zero_labels", 16 * circuit.inputs))
    delta = split_labels(test.draw("delta", 16))[0] | 1
    hash_key, bits = test.draw("hash_key", 16), [byte & 1 for byte in test.draw("bits", circuit.inputs)]
    batch: dict[str, Any] = {"hash_key": hash_key, "first_gate": first_gate}
    made = test.run("garble", input_zero_labels=join_labels(zeros), delta=join_labels([delta]), **batch)
    active = [zero ^ (delta if bit else 0) for zero, bit in zip(zeros, bits, strict=True)]
    found = test.run("garbled_evaluate", input_labels=join_labels(active), tables=made["tables"], **batch)
    outputs = evaluate_in_clear(circuit, bits[: circuit.garbler_inputs], bits[circuit.garbler_inputs :])
    pairs = zip(split_labels(made["output_zero_labels"]), outputs, strict=True)
    expected = [zero ^ (delta if bit else 0) for zero, bit in pairs]
    expect_equal(split_labels(found["output_labels"]), expected, name)
