"""Circuits of ReLUs: with windows, caps and leaks."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

from capc_verify.vectors.build import FileBuilder, GroupBuilder
from capc_verify.vectors.cases.common import expect_equal
from capc_verify.vectors.cases.words import DROPPED, VALUES, describe, number_of, other_words, texts
from capc_verify.vectors.operations.circuits import (
    AT_MOST,
    CAPPED,
    CIRCUITS,
    LEAKY,
    POOLED_RELU,
    Family,
    circuit_name,
)


def relus(file: FileBuilder) -> None:
    """All of them."""
    for bits, fraction in ((12, 2), (37, 12), (8, 0)):
        _relu(file, bits, fraction)
    for window, bits, fraction in ((2, 12, 2), (4, 12, 2), (9, 12, 2), (4, 37, 12), (2, 8, 0)):
        _pooled_relu(file, window, bits, fraction)
    for window, bits, fraction, cap in ((1, 12, 2, 3), (4, 12, 2, 3), (1, 37, 12, 15), (4, 37, 14, 15), (1, 8, 0, 6)):
        _pooled_relu(file, window, bits, fraction, cap)
    for window, bits, fraction, most in ((1, 12, 2, 24), (4, 12, 2, 24), (1, 37, 12, 6 << 12), (1, 8, 0, 13)):
        _relu_at_most(file, window, bits, fraction, most)
    for window, bits, fraction, leak, leaky_cap in (
        (1, 12, 2, 3, None),
        (4, 12, 2, 1, None),
        (1, 12, 2, 1, 3),
        (4, 12, 2, 2, 5),
        (1, 37, 12, 3, 15),
        (1, 8, 0, 9, 4),
        (1, 12, 2, 0, None),
        (4, 12, 2, 0, 3),
    ):
        _leaky_relu(file, window, bits, fraction, leak, leaky_cap)


def _relu(file: FileBuilder, bits: int, fraction: int) -> None:
    group = file.group(CIRCUITS, **circuit_name(Family.RELU, logit_bits=bits, fraction_bits=fraction))
    name, modulus, unit = f"relu_l{bits}_f{fraction}", 1 << bits, 1 << fraction
    expect_equal(describe(group, name), 2 * bits - 1 - fraction, name)
    values = sorted({0, 1, -1, unit - 1, unit, 3 * unit - 1, -unit, modulus // 2 - 1, -modulus // 2})
    for z, dropped in product(values, (0, 1)):
        label = f"{name}_{'minus_' if z < 0 else ''}{abs(z)}{'_odd' * dropped}"
        flags = ["Wrap", *DROPPED[:dropped], *(["Extreme"] if abs(z) > modulus // 4 else [])]
        mine = file.source.elements(f"{label}/garbler", 1, bits + 1)
        found = group.case(
            "circuit_evaluate",
            label,
            "ReLU and truncation on words.",
            [*VALUES, "CAPC-PARAM-042"],
            flags,
            meaning={"z": str(z), "dropped": str(dropped)},
            garbler=mine,
            evaluator=other_words([z], [dropped], mine, bits),
        )
        expect_equal(number_of(found["outputs"]), max(z, 0) >> fraction, label)


def _pooled_relu(file: FileBuilder, window: int, bits: int, fraction: int, cap: int | None = None) -> None:
    fields: dict[str, Any] = {"logit_bits": bits, "fraction_bits": fraction, "window": window}
    group = file.group(POOLED_RELU, **fields) if cap is None else file.group(CAPPED, **fields, cap_bits=cap)
    name, top = f"relu_window{window}_l{bits}_f{fraction}" + (f"_cap{cap}" if cap else ""), (1 << bits - 2) - 1
    ands = window * bits + (window - 1) * (2 * bits - 1) + bits - 1 - (2 if window > 1 else 1) * fraction
    expect_equal(describe(group, name), ands, name)
    most = (1 << bits) - 1 if cap is None else (1 << cap) - 1
    cases = _windows(window, fraction, top) if window > 1 else []
    for number, (case, sums, flags) in enumerate(cases + (_edges(window, bits, fraction, most) if cap else [])):
        label = f"{name}_{case}"
        requirements = [*VALUES, "CAPC-PARAM-042", *(["CAPC-ARG-023"] if cap else ["CAPC-ARG-009"])]
        mine = file.source.elements(f"{label}/garbler", window, bits + 1)
        dropped = [number + place & 1 for place in range(window)]
        found = group.case(
            "circuit_evaluate",
            label,
            "ReLU and truncation of the largest, on words.",
            requirements,
            ["Wrap", *DROPPED, *flags],
            meaning={"z": texts(sums), "dropped": texts(dropped)},
            garbler=mine,
            evaluator=other_words(sums, dropped, mine, bits),
        )
        expect_equal(number_of(found["outputs"]), min(max(0, *sums) >> fraction, most), label)


def _relu_at_most(file: FileBuilder, window: int, bits: int, fraction: int, most: int) -> None:
    group = file.group(AT_MOST, logit_bits=bits, fraction_bits=fraction, window=window, cap=most)
    name, text = f"relu_window{window}_l{bits}_f{fraction}_most{most}", f"{most:b}"
    # Of the cap's bits those are free that are equal at its end.
    ands = window * bits + (window - 1) * (2 * bits - 1) + bits - 1 - (2 if window > 1 else 1) * fraction
    expect_equal(describe(group, name), ands + len(text.rstrip(text[-1])), name)
    cases = (_windows(window, fraction, (1 << bits - 2) - 1) if window > 1 else []) + _edges(
        window, bits, fraction, most
    )
    _relu_cases(group, name, cases, lambda z: min(max(0, z) >> fraction, most), ["CAPC-ARG-023"])


def _leaky_relu(file: FileBuilder, window: int, bits: int, fraction: int, leak: int, cap: int | None) -> None:
    group = file.group(LEAKY, logit_bits=bits, fraction_bits=fraction, leak_bits=leak, window=window, cap_bits=cap)
    name = f"leaky_relu{leak}_window{window}_l{bits}_f{fraction}" + (f"_cap{cap}" if cap else "")
    ands = window * bits + (window - 1) * (2 * bits - 1) + bits - 1 - (2 if window > 1 else 1) * fraction
    size = bits - 1 - fraction if cap is None else cap
    expect_equal(describe(group, name), ands + (cap - 1 if cap else 0) - (0 if leak else size), name)
    most = (1 << size) - 1 if cap else 3
    least = (-(1 << size) if cap else -5) << fraction
    cases = (_windows(window, fraction, (1 << bits - 2) - 1) if window > 1 else []) + _edges(
        window, bits, fraction, most
    )
    below: list[tuple[str, int]] = [("at_least", least), ("below_least", least - 1), ("above_least", least + 1)]
    below += [("minus_unit", -(1 << fraction)), ("minus_slope", -(1 << fraction + leak)), ("low", 1 - (1 << bits - 2))]
    cases += [(case, [z] * window, []) for case, z in below if z > -(1 << bits - 2)]

    def word(z: int) -> int:
        made = z // (1 << fraction)
        if cap is not None:
            made = sorted([-(1 << cap), made, (1 << cap) - 1])[1]
        return (made if made >= 0 else made // (1 << leak)) + (1 << size)

    _relu_cases(group, name, cases, word, ["CAPC-ARG-024", "CAPC-PARAM-066"])


def _relu_cases(
    group: GroupBuilder,
    name: str,
    cases: list[tuple[str, list[int], list[str]]],
    word: Callable[[int], int],
    statements: list[str],
) -> None:
    """Windows of sums, and the word that comes of the largest."""
    window, bits = group.params["window"], group.params["logit_bits"]
    for number, (case, sums, flags) in enumerate(cases):
        label = f"{name}_{case}"
        mine = group.source.elements(f"{label}/garbler", window, bits + 1)
        dropped = [number + place & 1 for place in range(window)]
        found = group.case(
            "circuit_evaluate",
            label,
            "ReLU and truncation of the largest, on words.",
            [*VALUES, *statements],
            ["Wrap", *DROPPED, *flags],
            meaning={"z": texts(sums), "dropped": texts(dropped)},
            garbler=mine,
            evaluator=other_words(sums, dropped, mine, bits),
        )
        expect_equal(number_of(found["outputs"]), word(max(sums)), label)


def _edges(window: int, bits: int, fraction: int, most: int) -> list[tuple[str, list[int], list[str]]]:
    """Beside the cap, each with the rest below it; of one sum also beside 0 and at the ends of the ring."""
    unit, top, rest = 1 << fraction, (1 << bits - 2) - 1, [-1] * (window - 1)
    sums = {"below_cap": most * unit - 1, "at_cap": most * unit, "at_cap_odd": most * unit + unit - 1}
    sums |= {"above_cap": (most + 1) * unit, "top": top, "zero": 0, "minus": -1}
    ends = {"end_of_ring": 2 * top + 1, "other_end_of_ring": -2 * top - 2} if window == 1 else {}
    return [(name, [*rest, z], ["Extreme"] if z > top or z < -top else []) for name, z in {**sums, **ends}.items()]


def _windows(window: int, fraction: int, top: int) -> list[tuple[str, list[int], list[str]]]:
    """Name, sums and flags."""
    unit, rest = 1 << fraction, window - 2
    return [
        ("first_is_largest", [3 * unit, *range(-1, window - 2)], []),
        ("last_is_largest", [*range(-1, window - 2), 5 * unit + unit - 1], []),
        ("middle_is_largest", [-unit] * (window // 2) + [2 * unit] + [unit] * ((window - 1) // 2), []),
        ("tie_of_all", [2 * unit] * window, []),
        ("tie_of_first_and_last", [4 * unit, *[unit] * rest, 4 * unit], []),
        ("differ_below_truncation", [4 * unit, *[0] * rest, 4 * unit + unit - 1], []),
        ("padding_repeats_largest", [7 * unit] * (window - 1) + [-unit], ["EdgeWindow"]),
        ("padding_repeats_smallest", [-unit] * (window - 1) + [6 * unit], ["EdgeWindow"]),
        ("padding_repeats_negative", [-2 * unit] * (window - 1) + [-unit], ["EdgeWindow"]),
        ("all_negative", [-1 - i for i in range(window)], []),
        ("all_negative_equal", [-top] * window, ["Extreme"]),
        ("negative_and_zero", [-unit] * (window - 1) + [0], []),
        ("all_zero", [0] * window, []),
        ("largest_magnitudes", [-top] * (window - 1) + [top], ["Extreme"]),
        ("largest_magnitudes_first", [top] + [-top] * (window - 1), ["Extreme"]),
    ]
