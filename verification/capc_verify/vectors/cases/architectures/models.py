"""Whole models in the clear, the bits they need, architectures that do not fit, and sessions with such models."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from capc.foundation.parties import PRIVACY_GUARDIAN, QUERYING_PARTY, answering_party
from capc.models.architecture import Activation, Architecture, StageShape, dense_architecture
from capc.models.model import QuantisedLayer, QuantisedModel
from capc.models.operators import Dense
from capc.session.parameters import Parameters
from capc.session.session import Participant, Session
from capc.session.widths import ParameterSet
from capc_spec.registry import TAGS
from capc_verify.vectors.build import FileBuilder, GroupBuilder
from capc_verify.vectors.cases.architectures.faulty import FAULTY, VOTE_ONLY
from capc_verify.vectors.cases.architectures.session_rules import order_of_rules
from capc_verify.vectors.cases.architectures.shapes import LENGTHS, SHAPES
from capc_verify.vectors.cases.architectures.tensors import Trace, trace
from capc_verify.vectors.cases.common import expect_equal, policy
from capc_verify.vectors.derive import Source
from capc_verify.vectors.operation import Fault
from capc_verify.vectors.operations.operators import ARCHITECTURES, MODELS
from capc_verify.vectors.operations.protocol.sessions import SESSION, SESSIONS

_REFUSED = Fault.of_caller("input_error")
_FRACTION_BITS = 2


def _drawn(source: Source, name: str, architecture: Architecture, *, bias_for_each_sum: bool = False) -> QuantisedModel:
    """A model with weights of 4 bits and biases of 6, both signed."""
    layers = []
    for number, stage in enumerate(architecture.stages):
        rows, columns = stage.operator.rows, stage.operator.columns
        weights = [w - 8 for w in source.elements(f"{name}/{number}/weights", rows * columns, 4)]
        count = stage.operator.outputs if bias_for_each_sum else rows
        biases = [b - 32 for b in source.elements(f"{name}/{number}/biases", count, 6)]
        matrix = tuple(tuple(weights[row * columns : (row + 1) * columns]) for row in range(rows))
        layers.append(QuantisedLayer(matrix, tuple(biases)))
    return QuantisedModel(architecture, tuple(layers), _FRACTION_BITS)


def _model_group(file: FileBuilder, model: QuantisedModel) -> GroupBuilder:
    layers = [{"weights": layer.weights, "biases": layer.biases} for layer in model.layers]
    architecture, fraction = model.architecture.document(), model.fraction_bits
    return file.group(MODELS, architecture=architecture, layers=layers, fraction_bits=fraction)


def models(file: FileBuilder) -> None:
    """Logits, and the bits that range analysis asks for."""
    for name, architecture in SHAPES.items():
        model = _drawn(file.source, name, architecture)
        group = _model_group(file, model)
        _logits(group, name, model)
        _ranges(group, name, model)
    name = "bias_for_each_sum"
    model = _drawn(file.source, name, SHAPES["max_pooled"], bias_for_each_sum=True)
    group = _model_group(file, model)
    _logits(group, name, model)
    _ranges(group, name, model)
    _range_ends(file)


def _logits(group: GroupBuilder, name: str, model: QuantisedModel) -> None:
    inputs, unit = model.architecture.inputs, 1 << model.fraction_bits
    stages = model.architecture.stages
    requirements = ["CAPC-HE-010"]
    if len(stages) > 1:
        requirements.append("CAPC-PARAM-042")
    if any(stage.max_pool for stage in stages):
        requirements.append("CAPC-ARG-009")
    if any(stage.cap_bits or stage.cap for stage in stages):
        requirements.append("CAPC-ARG-023")
    if any(stage.leak_bits is not None for stage in stages):
        requirements += ["CAPC-ARG-024", "CAPC-PARAM-066"]
    cases: list[tuple[str, list[int], list[str]]] = [
        ("zeros", [0] * inputs, []),
        ("all_largest", [unit] * inputs, ["Extreme"]),
        ("all_smallest", [-unit] * inputs, ["Extreme"]),
        *((f"drawn_{i}", _features(group.source, f"logits_{name}_drawn_{i}", inputs, unit), []) for i in range(3)),
    ]
    for case, features, flags in cases:
        found = group.case(
            "model_logits", f"logits_{name}_{case}", "The logits in the clear.", requirements, flags, features=features
        )
        expect_equal(found["logits"], trace(model, features).logits, f"logits_{name}_{case}")


def _features(source: Source, label: str, count: int, unit: int) -> list[int]:
    """Quantised features in [-1, 1]: elements of 16 bits, reduced."""
    return [value % (2 * unit + 1) - unit for value in source.elements(f"{label}/values", count, 16)]


def _bound(model: QuantisedModel) -> Trace:
    """The largest magnitudes of all sums: absolute weights and biases on features that are all 1."""
    return trace(model, [1 << model.fraction_bits] * model.architecture.inputs, magnitudes=True)


def _ranges(group: GroupBuilder, name: str, model: QuantisedModel, bits: int | None = None) -> None:
    needed = _bound(model).bits_needed
    if bits is not None:
        expect_equal(needed, bits, name)
    requirements = ["CAPC-PARAM-030"]
    for enough in (needed, needed + 1):
        group.case(
            "model_check_ranges",
            f"range_{name}_{enough}_bits",
            f"The model needs {needed} bits.",
            requirements,
            logit_bits=enough,
        )
    group.case(
        "model_check_ranges",
        f"range_{name}_{needed - 1}_bits",
        f"The model needs {needed} bits.",
        requirements,
        ["CouldWrap"],
        logit_bits=needed - 1,
        fault=_REFUSED,
    )


def _stated_sums(**figures: int) -> Architecture:
    """One stage that states these, with a cap on what it takes, and a vote."""
    vote = StageShape(Dense(2, 2), 1, Activation.VOTE, **figures)  # type: ignore[arg-type]  # of integers only
    return Architecture((StageShape(Dense(2, 2), 0, Activation.RELU, cap_bits=3), vote))


_Layer = tuple[tuple[tuple[int, ...], ...], tuple[int, ...]]


def _branch(skips: tuple[int, ...]) -> Architecture:
    """A stage that is left as sums, and one that may add them."""
    return Architecture(
        (StageShape(Dense(1, 2), 0, Activation.NONE), StageShape(Dense(1, 2), 0, Activation.VOTE, skips))
    )


def _stated(**figures: int | Fraction) -> Architecture:
    """A hidden layer that states these, and a vote."""
    hidden = StageShape(Dense(1, 1), 0, Activation.RELU, **figures)  # type: ignore[arg-type]  # of numbers only
    return Architecture((hidden, StageShape(Dense(1, 2), 1, Activation.VOTE)))


def _range_ends(file: FileBuilder) -> None:
    """Small models whose bound was computed by hand; f = 2, so features reach 4."""
    chain = dense_architecture((1, 1, 2))
    small: _Layer = (((1,), (1,)), (0, 0))
    cases: list[tuple[str, Architecture, list[_Layer], int]] = [
        # 63 x 4 + 3 = 255 = 2^8 - 1, and one more.
        ("just_below", dense_architecture((1, 2)), [(((63,), (0,)), (3, 0))], 10),
        ("just_reached", dense_architecture((1, 2)), [(((63,), (0,)), (4, 0))], 11),
        ("signs_do_not_cancel", dense_architecture((2, 2)), [(((32, -32), (0, 0)), (0, 0))], 11),
        ("bias_of_other_sign", dense_architecture((1, 2)), [(((63,), (0,)), (-4, 0))], 11),
        ("all_zero", dense_architecture((1, 2)), [(((0,), (0,)), (0, 0))], 2),
        # The hidden sum is at most 256; the logits at most 64.
        ("hidden_layer_decides", chain, [(((64,),), (0,)), small], 11),
        # The hidden sum is negative for every query, and yet its 259 count as 64 after the ReLU: 64 x 8 = 512.
        ("relu_of_negative_sums", chain, [(((1,),), (-255,)), (((8,), (0,)), (0, 0))], 12),
        # 255 in a stage without activation, and 4 more in the sum that adds it.
        ("skip_decides", _branch((1,)), [(((63,), (0,)), (3, 0)), small], 11),
        # The hidden sum of 63 x 4 = 252 becomes 63, or 15 at a cap of 4 bits, or 126 and 31 where it drops fewer or
        # more bits: times 16.
        ("uncapped", _stated(), [(((63,),), (0,)), (((16,), (0,)), (0, 0))], 12),
        ("cap_decides", _stated(cap_bits=4), [(((63,),), (0,)), (((16,), (0,)), (0, 0))], 10),
        ("cap_above_the_bound", _stated(cap_bits=6), [(((63,),), (0,)), (((16,), (0,)), (0, 0))], 12),
        # 6 x 4 = 24, times 16; and of a cap above the bound nothing follows.
        ("rational_cap_decides", _stated(cap=Fraction(6)), [(((63,),), (0,)), (((16,), (0,)), (0, 0))], 11),
        ("rational_cap_above", _stated(cap=Fraction(16)), [(((63,),), (0,)), (((16,), (0,)), (0, 0))], 12),
        # A hidden sum of 1 becomes 0, and one of -1 becomes -1, so that 512 is reached; at the cap 15 counts.
        ("leak_of_small_sums", _stated(leak_bits=1), [(((0,),), (1,)), (((512,), (0,)), (0, 0))], 12),
        ("leak_at_its_cap", _stated(leak_bits=3, cap_bits=4), [(((63,),), (0,)), (((16,), (0,)), (0, 0))], 10),
        ("fewer_weight_bits", _stated(weight_bits=1), [(((63,),), (0,)), (((16,), (0,)), (0, 0))], 13),
        ("more_weight_bits", _stated(weight_bits=3), [(((63,),), (0,)), (((16,), (0,)), (0, 0))], 11),
        # The bound that is stated decides, not the weights: 2^9 - 1.
        ("stated_sums_decide", _stated_sums(sum_bits=9), [(((1, 0), (0, 1)), (0, 0)), (((2, 0), (0, 2)), (0, 0))], 11),
        # 7 x (40 + 32) + 7 = 511.
        ("row_at_its_bound", _stated_sums(sum_bits=9), [*_IDENTITY, (((40, -32), (0, 1)), (-7, 0))], 11),
        ("stage_without_activation_decides", _branch(()), [(((64,), (0,)), (0, 0)), small], 11),
    ]
    for name, architecture, weights, bits in cases:
        layers = tuple(QuantisedLayer(rows, biases) for rows, biases in weights)
        model = QuantisedModel(architecture, layers, _FRACTION_BITS)
        _ranges(_model_group(file, model), name, model, bits)
    _above_what_is_stated(file)


_IDENTITY: list[_Layer] = [(((1, 0), (0, 1)), (0, 0))]


def _above_what_is_stated(file: FileBuilder) -> None:
    """Rows that are above the bound of their stage, and a bound on what nothing bounds."""
    uncapped = Architecture(
        (StageShape(Dense(2, 2), 0, Activation.RELU), StageShape(Dense(2, 2), 1, Activation.VOTE, sum_bits=9))
    )
    cases: list[tuple[str, Architecture, _Layer]] = [
        ("row_above_its_bound", _stated_sums(sum_bits=9), (((40, -32), (0, 1)), (-8, 0))),
        ("last_row_above_its_bound", _stated_sums(sum_bits=9), (((0, 0), (-73, 0)), (0, 1))),
        ("nothing_bounds_what_is_taken", uncapped, (((1, 0), (0, 1)), (0, 0))),
    ]
    for name, architecture, layer in cases:
        layers = tuple(QuantisedLayer(rows, biases) for rows, biases in [*_IDENTITY, layer])
        _model_group(file, QuantisedModel(architecture, layers, _FRACTION_BITS)).case(
            "model_check_ranges",
            f"range_{name}",
            "The model does not keep to what its architecture states, however wide the ring is.",
            ["CAPC-PARAM-057"],
            ["CouldWrap"],
            logit_bits=40,
            fault=_REFUSED,
        )


def architectures(file: FileBuilder) -> None:
    """Lengths of values, and one fault at a time."""
    group = file.group(ARCHITECTURES)
    for name, architecture in {**SHAPES, "most_stages": dense_architecture((2,) * 256)}.items():
        found = group.case(
            "architecture_lengths",
            f"lengths_{name}",
            "The lengths of all values.",
            ["CAPC-HE-010"],
            architecture=architecture.document(),
        )
        expect_equal(found["lengths"], LENGTHS[name], f"lengths_{name}")
    for name, comment, requirement, stages in FAULTY:
        group.case(
            "architecture_lengths",
            f"refused_{name}",
            comment,
            [requirement],
            ["BadArchitecture"],
            architecture=stages,
            fault=_REFUSED,
        )


def sessions(file: FileBuilder) -> None:
    """Tags of sessions whose first answering party has such a model; the second's is fully connected."""
    group = file.group(SESSIONS)
    tags = set()
    for name, architecture in SHAPES.items():
        document = _session_document(file.source, architecture)
        tag = group.case(
            "session_tag",
            f"session_{name}",
            "The session's tag.",
            ["CAPC-PARAM-003", "CAPC-ROLE-005"],
            session=document,
        )["tag"]
        expect_equal(tag, _tag(SESSION.write(document)), f"session_{name}")
        tags.add(tag)
    expect_equal(len(tags), len(SHAPES), "different tags")
    _refused_sessions(group)
    order_of_rules(group)


def _refused_sessions(group: GroupBuilder) -> None:
    changes: tuple[tuple[str, Sequence[Any] | None, str], ...] = (
        ("without_vote", [{**VOTE_ONLY, "activation": "relu"}], "input_error"),
        ("without_stages", [], "input_error"),
        ("without_model", None, "parameter_error"),
        ("of_other_features", dense_architecture((31, 3)).document(), "parameter_error"),
        ("of_other_classes", dense_architecture((32, 4)).document(), "parameter_error"),
    )
    for name, stages, code in changes:
        document = _session_document(group.source, SHAPES["max_pooled"])
        document["participants"][1]["architecture"] = stages
        flag = "BadArchitecture" if code == "input_error" else "BadParameter"
        group.case(
            "session_tag",
            f"session_model_{name}",
            "The session is refused.",
            ["CAPC-ROLE-003"],
            [flag],
            session=document,
            fault=Fault.of_caller(code),
        )


def _session_document(source: Source, architecture: Architecture) -> dict[str, Any]:
    features, classes = architecture.inputs, architecture.outputs
    identities = [source.draw(f"session/identity/{index}", 32) for index in range(4)]
    participants = (
        Participant(QUERYING_PARTY, identities[0]),
        Participant(answering_party(1), identities[1], architecture),
        Participant(answering_party(2), identities[2], dense_architecture((features, 2, classes))),
        Participant(PRIVACY_GUARDIAN, identities[3]),
    )
    parameters = Parameters(ParameterSet.named("toy"), classes, features, policy())
    made = Session(parameters, source.draw("session/session_id", 32), participants)
    document: dict[str, Any] = SESSION.read(made.document())
    return document


def _tag(document: dict[str, Any]) -> bytes:
    """The tag from the JSON document alone."""

    def canonical(value: object) -> bytes:
        return json.dumps(value, sort_keys=True, separators=(",", ":")).encode("ascii")

    digest = hashlib.sha256(TAGS["parameters"] + canonical(document["parameters"])).digest()
    return hashlib.sha256(TAGS["session"] + digest + canonical(document)).digest()
