"""Noise: streams in, integers out."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from capc.foundation.errors import RandomnessExhaustedError
from capc.noise.mechanism import mechanism_for
from capc.privacy.accountants.ball_arithmetic import exact_lower, exact_upper, round_down, round_up
from capc.privacy.analysis.argmax_law import IntegerNoise, noise_masses
from capc.session.parameters import NoiseName
from capc_verify.vectors.build import FileBuilder, GenerationError, GroupBuilder
from capc_verify.vectors.cases.common import expect_equal
from capc_verify.vectors.operation import Fault
from capc_verify.vectors.operations.noise import NOISE
from capc_verify.vectors.replay import Run

_REQUIREMENTS = ("CAPC-NOISE-003",)
_LAWS = ("CAPC-NOISE-001", "CAPC-NOISE-002", "CAPC-NOISE-005")
_TABLE_LENGTH = 9
_CANDIDATES = 400
_STREAM_BYTES = 600
_SIGMAS = (Fraction(1, 10), Fraction(1, 2), Fraction(1), Fraction(7, 3), Fraction(80), Fraction(1001, 7))


def noise() -> FileBuilder:
    """Rounded and discrete Gaussian, Skellam, and what they are made of."""
    file = FileBuilder(
        "noise",
        "CAPC-NOISE",
        [
            "A given byte stream becomes the given integers; `consumed` is the number of bytes that were read.",
            "Not tested: that the integers follow their law. That is shown by tests of the reference, and follows for",
            "every port that turns the same bytes into the same integers. `noise_law` is the law itself, for small",
            "scales: P(0), P(1), ..., each between two decimals of 12 digits.",
            f"Unlucky streams are the longest of {_CANDIDATES} candidates, stream label `<test>/candidate/<n>`.",
        ],
    )
    group = file.group(NOISE)
    samplers: list[tuple[str, str, Sequence[Any]]] = [
        ("bernoulli", "probability", [Fraction(0), Fraction(1), Fraction(1, 2), Fraction(3, 257)]),
        ("bernoulli_exp_minus", "gamma", [Fraction(0), Fraction(1, 3), Fraction(1), Fraction(5, 2), Fraction(9)]),
        ("discrete_laplace", "scale", [1, 2, 300]),
        ("discrete_gaussian", "variance", [sigma**2 for sigma in _SIGMAS]),
        ("round_gaussian", "sigma", list(_SIGMAS)),
        ("poisson", "mean", [Fraction(1, 10), Fraction(1, 2), Fraction(7, 3), Fraction(20)]),
        ("skellam", "variance", [Fraction(1, 10), Fraction(1), Fraction(49, 9), Fraction(30)]),
    ]
    for op, parameter, values in samplers:
        for value in values:
            _positive(group, op, 8, **{parameter: value})
    for op, parameter, values in samplers[2:]:
        for value in values[1:4]:
            _unlucky(group, op, **{parameter: value})
    for mechanism in NoiseName:
        # Skellam noise takes bytes in proportion to its variance.
        sigma, grid_bits = (Fraction(3, 2), 1) if mechanism is NoiseName.SKELLAM else (Fraction(40), 4)
        fields: dict[str, Any] = {"mechanism": mechanism, "sigma_votes": sigma, "grid_bits": grid_bits}
        _positive(group, "mechanism_sample", 10, **fields)
        _exhausted(group, "mechanism_sample", 2, **fields)
    _tables(group)
    _mistakes(group)
    return file


def _tables(group: GroupBuilder) -> None:
    """P(0), P(1), ... of each law at small scales, between decimals of 12 digits."""
    for mechanism in NoiseName:
        for sigma in (Fraction(1, 2), Fraction(1), Fraction(7, 3)):
            test = group.test(_name(group, f"law_{mechanism.value}"), "Its law on the integers.", _LAWS)
            fields: dict[str, Any] = {"mechanism": mechanism, "sigma_votes": sigma, "grid_bits": 0}
            noise = mechanism_for(mechanism, sigma, 0)
            if not isinstance(noise, IntegerNoise):
                raise GenerationError(f"{mechanism.value} has no table")
            masses, _ = noise_masses(noise)
            table = masses[len(masses) // 2 :][:_TABLE_LENGTH]
            bounds: dict[str, Any] = {
                "at_least": [round_down(exact_lower(mass)) for mass in table],
                "at_most": [round_up(exact_upper(mass)) for mass in table],
            }
            expect_equal(test.run("noise_law", **fields, **bounds)["inside"], True, "a law is inside its table")
        test = group.test(f"law_{mechanism.value}_refused", "No law has this deviation.", _LAWS, ["CallerMistake"])
        refused: dict[str, Any] = {"mechanism": mechanism, "sigma_votes": Fraction(0), "grid_bits": 0}
        test.run("noise_law", at_least=[], at_most=[], fault=Fault.of_caller("input_error"), **refused)


def _positive(group: GroupBuilder, op: str, count: int, **fields: Any) -> None:  # noqa: ANN401
    test = group.test(_name(group, op), f"{count} draws, one after another.", _REQUIREMENTS)
    stream = _trimmed(group, op, test.draw("stream", 250 * count), count=count, **fields)
    test.run(op, stream=stream, count=count, **fields)


def _unlucky(group: GroupBuilder, op: str, **fields: Any) -> None:  # noqa: ANN401
    name = f"{_name(group, op)}_unlucky"
    test = group.test(name, "A draw that takes many bytes.", _REQUIREMENTS, ["Rejection"])
    longest = b""
    for number in range(_CANDIDATES):
        stream = group.source.draw(f"{name}/candidate/{number}", _STREAM_BYTES)
        taken = _trimmed(group, op, stream, count=1, **fields)
        longest = max(longest, taken, key=len)
    test.run(op, stream=longest, count=1, **fields)
    test = group.test(f"{name}_exhausted", "The same stream without its last byte.", ["CAPC-NOISE-004"], ["Exhausted"])
    fault = Fault.of_caller("randomness_exhausted")
    test.run(op, stream=longest[:-1], count=1, fault=fault, **fields)


def _exhausted(group: GroupBuilder, op: str, count: int, **fields: Any) -> None:  # noqa: ANN401
    test = group.test(f"{_name(group, op)}_exhausted", "The last byte is missing.", ["CAPC-NOISE-004"], ["Exhausted"])
    stream = _trimmed(group, op, test.draw("stream", _STREAM_BYTES), count=count, **fields)
    test.run(op, stream=stream[:-1], count=count, fault=Fault.of_caller("randomness_exhausted"), **fields)


def _mistakes(group: GroupBuilder) -> None:
    mistakes: list[tuple[str, dict[str, Any]]] = [
        ("bernoulli", {"probability": Fraction(5, 4)}),
        ("bernoulli", {"probability": Fraction(-1, 4)}),
        ("bernoulli_exp_minus", {"gamma": Fraction(-1)}),
        ("discrete_laplace", {"scale": 0}),
        ("discrete_gaussian", {"variance": Fraction(0)}),
        ("round_gaussian", {"sigma": Fraction(0)}),
        ("round_gaussian", {"sigma": Fraction(-1, 2)}),
        ("poisson", {"mean": Fraction(0)}),
        ("skellam", {"variance": Fraction(-1)}),
    ]
    for op, fields in mistakes:
        test = group.test(f"{_name(group, op)}_refused", "No law has this parameter.", _REQUIREMENTS, ["CallerMistake"])
        test.run(op, stream=test.draw("stream", 16), count=1, fault=Fault.of_caller("input_error"), **fields)


def _name(group: GroupBuilder, op: str) -> str:
    return f"{op}_{sum(name.startswith(f'{op}_') for name in group.tests)}"


def _trimmed(group: GroupBuilder, op: str, stream: bytes, **fields: Any) -> bytes:  # noqa: ANN401
    """The part of the stream that the draws consume."""
    operation = group.kind.operations[op]
    written = {name: kind.write({**fields, "stream": stream}[name]) for name, kind in operation.takes.items()}
    found, _ = Run(group.kind, group.params, {}).perform({"op": op, "in": written})
    if "error" in found:
        raise RandomnessExhaustedError(f"{op}: {len(stream)} bytes are too few for a case")
    return stream[: found["out"]["consumed"]]
