"""Oblivious transfer and garbling."""

from __future__ import annotations

from typing import Any

from capc.foundation.ring import from_bits
from capc.two_party.circuits.builder import Circuit
from capc.two_party.circuits.builder import evaluate as evaluate_in_clear
from capc.two_party.garbling.hash_keys import KEY_ROWS
from capc.two_party.garbling.payload import chunk_instances
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
    honest = group.test("base_ot", "Offer, choice, trees, and both keys.", [*_BASE, "CAPC-OT-006"])
    seed = honest.seed()
    offer = honest.run("base_ot_offer", seed=seed, label=b"offer", leaves=["sender"], snapshot=True)["offer"]
    chosen = honest.run(
        "base_ot_choose",
        offer=offer,
        context=_CONTEXT,
        seed=honest.seed(),
        label=b"choice",
        leaves=["seeds"],
        snapshot=True,
    )
    honest.run(
        "base_ot_finish",
        choice=chosen["choice"],
        context=_CONTEXT,
        states=["sender"],
        leaves=["pairs"],
        snapshot=True,
    )
    trees = honest.run(
        "grow_trees", seed=honest.seed(), label=b"trees", states=["pairs"], leaves=["evaluator"], snapshot=True
    )["trees"]
    honest.run("grow_all_but_one", trees=trees, states=["seeds"], leaves=["garbler"], snapshot=True)
    _refused_points(group, honest, offer, chosen["choice"])
    for flag, edit in (("Short", {"truncate": 1}), ("Long", {"append": "00"})):
        test = group.test(f"trees_{flag.lower()}", "One byte.", ["CAPC-WIRE-003"], [flag], after=(honest, 4))
        fields: dict[str, Any] = {"states": ["seeds"], "leaves": ["garbler"], "fault": _LENGTH}
        test.run("grow_all_but_one", trees=Edited(trees, edit), **fields)
    _extensions(group, honest, chosen["delta"])
    return file


def _refused_points(group: GroupBuilder, honest: TestBuilder, offer: bytes, choice: bytes) -> None:
    invalid = Fault("invalid_point", SENDER)
    length = ["CAPC-WIRE-003"]

    def choose(test: TestBuilder, fault: Fault, faulty: bytes | Edited) -> None:
        fields: dict[str, Any] = {"context": _CONTEXT, "seed": test.seed(), "label": b"choice"}
        test.run("base_ot_choose", offer=faulty, leaves=["seeds"], fault=fault, **fields)

    def finish(test: TestBuilder, fault: Fault, faulty: bytes | Edited) -> None:
        fields: dict[str, Any] = {"states": ["sender"], "leaves": ["pairs"], "fault": fault}
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
    test.run("base_ot_finish", choice=edited, context=_CONTEXT, states=["sender"], leaves=["pairs"])


def _extensions(group: GroupBuilder, honest: TestBuilder, delta: bytes) -> None:
    offset, rows = split_labels(delta)[0], b""
    for transfers, position in ((1, 0), (8, 1), (12, 1 << 32), (129, (1 << 64) - 1)):
        test = group.test(
            f"extension_{transfers}",
            "Bits and labels of the evaluator, and zero labels of the garbler.",
            [*_EXTENSION, "CAPC-OT-001"],
            after=(honest, 5),
        )
        fields: dict[str, Any] = {"position": position, "transfers": transfers}
        received = test.run("extend_receive", states=["evaluator"], **fields)
        rows = received["rows"] if transfers == 12 else rows
        sent = test.run("extend_send", rows=received["rows"], states=["garbler"], **fields)
        pairs = zip(split_labels(sent["zero_labels"]), received["bits"], strict=True)
        labels = [zero ^ (offset if bit else 0) for zero, bit in pairs]
        expect_equal(split_labels(received["labels"]), labels, test.name)
    test = group.test(
        "extension_other_position", "Other bits, other rows.", ["CAPC-OT-003", *_EXTENSION], after=(honest, 5)
    )
    for position in (1 << 32, 2 << 32):
        test.run("extend_receive", position=position, transfers=40, states=["evaluator"])
    fields = {"position": 1 << 32, "transfers": 12, "states": ["garbler"]}
    for flag, edit in (("Short", {"truncate": 1}), ("Long", {"append": "00"})):
        test = group.test(f"rows_{flag.lower()}", "One byte.", ["CAPC-WIRE-003"], [flag], after=(honest, 5))
        test.run("extend_send", rows=Edited(rows, edit), fault=_LENGTH, **fields)
    for at in (1, 61):
        test = group.test(f"rows_padding_{at}", "One padding bit.", ["CAPC-WIRE-004"], ["Padding"], after=(honest, 5))
        edited = Edited(rows, {"at": at, "replace": bytes([rows[at] | 0x40]).hex()})
        test.run("extend_send", rows=edited, fault=Fault("non_canonical", SENDER), **fields)


def garbling() -> FileBuilder:
    """Half-gates."""
    file = FileBuilder(
        "garbling",
        "CAPC-GARBLING",
        [
            "Half-gates of a chunk of instances, from given labels, offset, hash key and position.",
            "Labels and table rows are 16 bytes, little-endian; labels wire by wire, for each instance.",
            "The lowest bit of a zero label of an input of the evaluator is 0.",
            "Tables stage by stage: the generator halves of all ANDs and instances, then the evaluator halves; of",
            "products of an input of the garbler and one of the evaluator the evaluator halves only.",
            "Rows and shares are empty where a circuit does not share its outputs. Tables are given",
            "in full for the smallest circuit, as SHA-256 and length for larger ones.",
            "`chunk_key` and `label_hash_rows` are about the hash's keys, which change after 2^17 rows of a chunk:",
            "label r of call n is AES-128 of r + 2^64 n under `label_key`; a digest is the SHA-256 of its labels.",
            "`garble_payload` garbles a batch of chunks that have more than 2^17 rows. Zero label r of its transfers",
            "is AES-128 of r under `transfers_key`; the garbler's words are the first bits, in a row, of the stream",
            "of AES-128 of i under `words_key`, the choice bits those of the stream of i + 2^64; `seed` and `label`",
            "are those of the step.",
            "The payload of garbled circuits and its malformed forms are in messages.json and protocol_*.json.",
        ],
    )
    smallest = circuit_name(Family.RELEASE, num_classes=2, vote_bits=2)
    _label_hash(file, smallest)
    _hash_keys(file, smallest)
    for name, fields in {
        "smallest": smallest,
        "relu": circuit_name(Family.RELU, logit_bits=12, fraction_bits=2),
        "vote": circuit_name(Family.VOTE, num_classes=3, logit_bits=12, vote_bits=10),
        "release": circuit_name(Family.RELEASE, num_classes=10, vote_bits=16),
        "worst_case": circuit_name(Family.CONFIDENT_RELEASE, num_classes=3, vote_bits=10, realised=False),
        "realised": circuit_name(Family.CONFIDENT_RELEASE, num_classes=3, vote_bits=10, realised=True),
    }.items():
        group = file.group(GARBLING, hashed=name != "smallest", **fields)
        for instances, position in ((1, 0), (3, (1 << 64) - 1)):
            _garble_case(group, f"{name}_{instances}", circuit_from(fields), instances, position)
    return file


def _label_hash(file: FileBuilder, circuit: dict[str, Any]) -> None:
    group = file.group(GARBLING, **circuit)
    test = group.test(
        "label_hash", "Call n of a batch hashes row r under r + 2^40 n + 2^64 position.", _HALF_GATES, ["Extreme"]
    )
    labels = [0, (1 << 128) - 1, *split_labels(test.draw("labels", 48))]
    calls = [join_labels(labels), join_labels(labels[:1]), join_labels([labels[0]] * 2)]
    test.run("label_hash", hash_key=test.draw("hash_key", 16), position=(1 << 64) - 1, calls=calls)


def _hash_keys(file: FileBuilder, smallest: dict[str, Any]) -> None:
    """Keys of chunks, and rows that end at, before and after the last of a key."""
    rule = ["CAPC-GC-011"]
    group = file.group(GARBLING, **smallest)
    test = group.test("chunk_keys", "Key j of chunk c is the block j + 2^64 c under the hash key.", rule)
    hash_key = test.draw("hash_key", 16)
    for chunk, number in ((0, 0), (0, 1), (1, 0), (3, 2)):
        test.run("chunk_key", hash_key=hash_key, chunk=chunk, number=number)
    for name, chunk, rows in (
        ("one_row_less", 0, [KEY_ROWS - 1]),
        ("all_rows", 0, [KEY_ROWS]),
        ("one_row_more", 0, [KEY_ROWS + 1]),
        ("change_inside_a_call", 1, [KEY_ROWS - 1, 2, 1]),
    ):
        test = group.test(f"hash_{name}", "Rows of one chunk beside the change of the key.", rule, ["Extreme"])
        batch: dict[str, Any] = {"hash_key": test.draw("hash_key", 16), "position": 5, "chunk": chunk}
        test.run("label_hash_rows", label_key=test.draw("label_key", 16), rows=rows, **batch)
    fields = circuit_name(Family.RELU, logit_bits=20, fraction_bits=4)
    test = file.group(GARBLING, hashed=True, **fields).test(
        "payload_of_two_chunks", "A chunk of 2,048 instances with two keys, and one of 1.", rule, ["Instances"]
    )
    test.run(
        "garble_payload",
        seed=test.seed(),
        label=b"garble",
        position=5,
        instances=chunk_instances(circuit_from(fields)) + 1,
        delta=join_labels([split_labels(test.draw("delta", 16))[0] | 1]),
        transfers_key=test.draw("transfers_key", 16),
        words_key=test.draw("words_key", 16),
    )


def _garble_case(group: GroupBuilder, name: str, circuit: Circuit, instances: int, position: int) -> None:
    flags = ["Instances"] if instances > 1 else []
    requirements = [*_HALF_GATES, "CAPC-GC-001", *(["CAPC-GC-006"] if circuit.sharing else [])]
    test = group.test(name, "Garbled, and evaluated on one input per instance.", requirements, flags)
    zeros = split_labels(test.draw("input_zero_labels", 16 * circuit.inputs * instances))
    own = circuit.garbler_inputs * instances
    zeros = zeros[:own] + [zero & ~1 for zero in zeros[own:]]
    delta = split_labels(test.draw("delta", 16))[0] | 1
    bits = [byte & 1 for byte in test.draw("bits", circuit.inputs * instances)]
    batch: dict[str, Any] = {"hash_key": test.draw("hash_key", 16), "position": position}
    made = test.run("garble", input_zero_labels=join_labels(zeros), delta=join_labels([delta]), **batch)
    active = [zero ^ (delta if bit else 0) for zero, bit in zip(zeros, bits, strict=True)]
    found = test.run(
        "garbled_evaluate", input_labels=join_labels(active), tables=made["tables"], rows=made["rows"], **batch
    )
    clear = [_clear(circuit, bits[instance::instances]) for instance in range(instances)]
    outputs = [bit for wire in zip(*clear, strict=True) for bit in wire]
    pairs = zip(split_labels(made["output_zero_labels"]), outputs, strict=True)
    expected = [zero ^ (delta if bit else 0) for zero, bit in pairs]
    expect_equal(split_labels(found["output_labels"]), expected, name)
    if circuit.sharing is not None:
        words = [circuit.output_words(each) for each in clear]
        opened = [
            [(a + b) % (1 << circuit.sharing.width) for a, b in zip(*shares, strict=True)]
            for shares in zip(made["shares"], found["shares"], strict=True)
        ]
        expect_equal(opened, words, name)


def _clear(circuit: Circuit, bits: list[int]) -> list[int]:
    """The output bits for one instance's input bits."""
    words = [from_bits(bits[at : at + circuit.input_bits]) for at in range(0, len(bits), circuit.input_bits)]
    return evaluate_in_clear(circuit, words[: circuit.garbler_words], words[circuit.garbler_words :])
