"""Samplers draw by draw, and circuits gate by gate."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from capc.foundation.randomness import BytesSource
from capc_verify.vectors.build import FileBuilder, GroupBuilder
from capc_verify.vectors.cases.common import expect_equal
from capc_verify.vectors.operations.worked.gates import GATES
from capc_verify.vectors.operations.worked.told_samplers import Tracer
from capc_verify.vectors.operations.worked.traces import PAIRS, TRACES, TracedSampler

_STREAM_BYTES = 600
_DRAWN = "CAPC-NOISE-003"
_OF: dict[TracedSampler, tuple[str, list[Fraction]]] = {
    TracedSampler.BERNOULLI: (_DRAWN, [Fraction(3, 257)]),
    TracedSampler.TRIAL: ("CAPC-NOISE-007", [Fraction(0), Fraction(1, 3), Fraction(1), Fraction(5, 2)]),
    TracedSampler.LAPLACE: ("CAPC-NOISE-010", [Fraction(1), Fraction(300)]),
    TracedSampler.DISCRETE: ("CAPC-NOISE-010", [Fraction(1, 4), Fraction(49, 9), Fraction(6400)]),
    TracedSampler.ROUNDED: ("CAPC-NOISE-009", [Fraction(1, 2), Fraction(7, 3), Fraction(40), Fraction(1001, 7)]),
    TracedSampler.POISSON: ("CAPC-NOISE-011", [Fraction(1, 10), Fraction(7, 3)]),
    TracedSampler.SKELLAM: ("CAPC-NOISE-011", [Fraction(1), Fraction(49, 9)]),
}
"""Statements, and parameters that are traced."""
_EACH = 3


def noise_traces() -> FileBuilder:
    """A few numbers of each sampler."""
    file = FileBuilder(
        "noise_traces",
        "CAPC-NOISE-TRACE",
        [
            "One number from a given stream, and as intermediate values every draw on the way, as in section 13: the",
            "step that draws, the call, the bytes that it took (of `below`, of all its attempts), and its value.",
            "A port need not expose the draws. Where it does and the number is wrong, the first draw that differs is",
            "told. `parameter` is the probability, gamma, scale, variance, sigma, mean or variance of the sampler.",
        ],
    )
    group = file.group(TRACES)
    for sampler, (statement, parameters) in _OF.items():
        for number, parameter in enumerate(parameters):
            for run in range(_EACH):
                name = f"{sampler.value}_{number}_{run}"
                _traced(group, name, sampler, parameter, statement)
    return file


def _traced(group: GroupBuilder, name: str, sampler: TracedSampler, parameter: Fraction, statement: str) -> None:
    test = group.test(name, "One number, draw by draw.", [statement])
    data, pair = test.draw("stream", _STREAM_BYTES), PAIRS[sampler]
    tracer, source = Tracer(data), BytesSource(data)
    told, shipped = pair.told(tracer, parameter), int(pair.shipped(source, parameter))
    expect_equal((told, tracer.consumed), (shipped, source.consumed), name)
    found = test.run("sampler_trace", sampler=sampler, parameter=parameter, stream=data[: source.consumed])
    taken = "".join(draw.split(" | ")[2] for draw in found["draws"]).replace("-", "")
    expect_equal(taken, data[: source.consumed].hex(), name)


_C, _L, _W = "num_classes", "logit_bits", "vote_bits"
_SMALLEST: list[dict[str, Any]] = [
    {"kind": "relu", _L: 3, "fraction_bits": 0, "words": 1},
    {"kind": "relu", _L: 3, "fraction_bits": 1, "words": 2},
    {"kind": "capped_relu", _L: 4, "fraction_bits": 0, "words": 1, "cap_bits": 1},
    {"kind": "relu_at_most", _L: 4, "fraction_bits": 0, "words": 1, "cap": 2},
    {"kind": "leaky_relu", _L: 3, "fraction_bits": 0, "leak_bits": 1, "words": 1},
    {"kind": "leaky_relu", _L: 3, "fraction_bits": 0, "leak_bits": 0, "words": 1},
    {"kind": "capped_leaky_relu", _L: 4, "fraction_bits": 0, "leak_bits": 1, "words": 1, "cap_bits": 2},
    *({"kind": "vote", _C: classes, _L: 3, _W: 4} for classes in (2, 3)),
    *({"kind": "vote_low_depth", _C: classes, _L: 3, _W: 4} for classes in (2, 3)),
    {"kind": "release", _C: 2, _W: 2},
    {"kind": "release", _C: 3, _W: 2},
    {"kind": "single_draw_release", _C: 2, _W: 2},
    *({"kind": "confident_release", _C: 2, _W: 2, "realised": realised} for realised in (False, True)),
    {"kind": "signs", "words": 2, _L: 3, "width": 4},
    *({"kind": "final", _C: classes, _L: 3, _W: 4} for classes in (2, 3)),
]


def gate_lists() -> FileBuilder:
    """The smallest circuits of every family."""
    file = FileBuilder(
        "gate_lists",
        "CAPC-GATES",
        [
            "Every gate of the smallest circuits, in order: `XOR a b`, `AND a b` or `INV a`. The first gate drives the",
            "wire after the inputs. `stages` are the wires of each stage of garbling: ANDs, then the free gates that",
            "follow; `bristol` the lines of the circuit's text, each without its line feed.",
        ],
    )
    group = file.group(GATES)
    for circuit in _SMALLEST:
        numbers = "_".join(str(int(value)) for key, value in circuit.items() if key != "kind")
        name = f"{circuit['kind']}_{numbers}"
        statements = ["CAPC-ARG-017", "CAPC-ARG-018", "CAPC-ARG-020"]
        group.case("circuit_gates", name, "Gate by gate.", statements, circuit=circuit)
    return file
