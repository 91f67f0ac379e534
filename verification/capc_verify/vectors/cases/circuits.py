"""Circuits: digests, and outputs on edge cases, with formulas of their own as oracles."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from capc.foundation import ring
from capc_verify.vectors.build import FileBuilder, GroupBuilder
from capc_verify.vectors.cases.common import expect_equal
from capc_verify.vectors.cases.relus import relus
from capc_verify.vectors.cases.words import DROPPED, VALUES, describe, number_of, other_words, texts
from capc_verify.vectors.operations.circuits import CIRCUITS, SHARE_WORDS, Family, circuit_name

_PARITIES: dict[str, Callable[[int], int]] = {
    "": lambda _: 0,
    "_odd": lambda _: 1,
    "_odd_but_first": lambda place: int(place > 0),
    "_odd_first": lambda place: int(place == 0),
}
"""Which sums of words are odd, by the ends of names."""


def circuits() -> FileBuilder:
    """All circuits, and the ReLU with windows."""
    file = FileBuilder(
        "circuits",
        "CAPC-CIRCUITS",
        [
            "Gates and outputs of the circuits. A party's words are in the order of section 05; `outputs` are the bits",
            "of the output wires, of shared words before they are shared, least significant first.",
            "Digest: SHA-256 over u32 x 4 (input bits of the garbler, of the evaluator, gates, outputs); per gate",
            "operation u8 (0 XOR, 1 AND, 2 INV), left wire u32, right wire u32 (INV: the same twice); per output its",
            "wire u32; all little-endian. Wires: the garbler's input bits, word after word, least significant first,",
            "the evaluator's, then one per gate. `bristol_sha256` is of the circuit's Bristol Fashion text.",
            "`PooledRelu` is the ReLU of the largest of `window` sums; places in the padding repeat another of them.",
            "`CappedRelu` is the same, at most 2^`cap_bits` - 1; a window of 1 is a ReLU without a pool.",
            "`ReluAtMost` is the same, at most `cap`. `LeakyRelu` has the slope 2^-`leak_bits` below 0; its word is",
            "the value plus 2^m, and has m + 1 bits. `cap_bits` is null where it has none.",
            "`inputs` say in the clear what the words stand for: votes in whole votes, noise in grid units; sums z,",
            "whose words add up to 2 z + `dropped`. Shares of `ShareWords` add up to 2^h z + `error`.",
            "Shares are uniform bytes of the file's seed with labels `<test>/<party>`.",
        ],
    )
    for bits, guard in ((12, 8), (37, 8), (3, 3)):
        _share_words(file, bits, guard)
    relus(file)
    for classes, logit_bits, vote_bits in ((3, 12, 10), (2, 8, 5), (10, 37, 16)):
        _vote(file, classes, logit_bits, vote_bits)
        _vote(file, classes, logit_bits, vote_bits, low_depth=True)
    for classes, vote_bits, grid in ((3, 10, 1), (2, 10, 1), (10, 16, 4)):
        _release(file, classes, vote_bits, grid)
        _thresholds(file, classes, vote_bits, grid)
    return file


def _first_largest(values: Sequence[int]) -> int:
    return list(values).index(max(values))


def _vote(file: FileBuilder, classes: int, logit_bits: int, vote_bits: int, *, low_depth: bool = False) -> None:
    family = Family.VOTE_LOW_DEPTH if low_depth else Family.VOTE
    widths = {"num_classes": classes, "logit_bits": logit_bits, "vote_bits": vote_bits}
    group = file.group(CIRCUITS, **circuit_name(family, **widths))
    name, top = f"{family.value}_c{classes}_l{logit_bits}", (1 << (logit_bits - 2)) - 1
    tournament = classes + (2 * classes - 1) * (logit_bits - 1) + (classes - 2) * (logit_bits + 1)
    all_pairs = classes * (classes - 1) // 2 * logit_bits + (classes - 1) * (classes - 2)
    expect_equal(describe(group, name), all_pairs if low_depth else tournament, name)
    cases: list[tuple[str, list[int], list[str]]] = [
        ("first", [1] + [0] * (classes - 1), []),
        ("last", [0] * (classes - 1) + [1], []),
        ("all_equal", [-7] * classes, ["Tie"]),
        ("tie_of_last_two", [-top] * (classes - 2) + [5, 5], ["Tie"]),
        ("tie_of_first_and_last", [3] + [2] * (classes - 2) + [3], ["Tie"]),
        ("largest_magnitudes", [-top] * (classes - 1) + [top], ["Extreme"]),
        ("largest_magnitudes_first", [top] + [-top] * (classes - 1), ["Extreme"]),
        ("all_negative", [-top + c for c in range(classes)], ["Extreme"]),
    ]
    every = [(case, parity) for case in cases for parity in (_PARITIES if "Tie" in case[2] else ("_odd_but_first",))]
    for (case, logits, flags), parity in every:
        label = f"{name}_{case}{parity}"
        requirements = [*VALUES, "CAPC-ARG-002"] if "Tie" in flags else VALUES
        values = _differences(logits) if low_depth else logits
        dropped = [_PARITIES[parity](place) for place in range(len(values))]
        mine = file.source.elements(f"{label}/garbler", len(values), logit_bits + 1)
        found = group.case(
            "circuit_evaluate",
            label,
            "The vote, on words.",
            requirements,
            [*flags, *DROPPED[: sum(dropped)]],
            meaning={"logits": texts(logits), "dropped": texts(dropped)},
            garbler=mine,
            evaluator=other_words(values, dropped, mine, logit_bits),
        )
        expect_equal(found["outputs"], [int(c == _first_largest(logits)) for c in range(classes)], label)


def _share_words(file: FileBuilder, bits: int, guard: int) -> None:
    """Shares whose error is at either edge of the room, beside 0, and just outside."""
    group = file.group(SHARE_WORDS, logit_bits=bits, guard_bits=guard)
    modulus, least, most = 1 << bits + guard, -(1 << guard - 2) - 1, (1 << guard - 2) - 1
    values = [0, 1, -1, (1 << bits - 1) - 1, -(1 << bits - 1)]
    for name, error in {"least": least, "minus_one": -1, "zero": 0, "one": 1, "most": most}.items():
        label = f"words_l{bits}_h{guard}_{name}"
        mine = [0, modulus - 1, *file.source.elements(f"{label}/garbler", len(values) - 2, bits + guard)]
        theirs = [((z << guard) + error - share) % modulus for z, share in zip(values, mine, strict=True)]
        flags = ["Wrap", *(["Extreme"] if error in (least, most) else [])]
        meaning: dict[str, Any] = {"z": texts(values), "error": str(error)}
        found = group.case(
            "share_words", label, "Words of shares.", VALUES, flags, meaning=meaning, garbler=mine, evaluator=theirs
        )
        expect_equal(found["values"], [z % (1 << bits) for z in values], label)
    for name, error, off in (("below", least - 1, -1), ("above", most + 1, 1)):
        label, shares = f"words_l{bits}_h{guard}_{name}", _shares_outside(bits, guard, error, off)
        meaning = {"z": "0", "error": str(error)}
        fields: dict[str, Any] = {"garbler": [shares[0]], "evaluator": [shares[1]]}
        text, flags = "An error outside: the next value.", ["OutsideOfRoom"]
        found = group.case("share_words", label, text, VALUES, flags, meaning=meaning, **fields)
        expect_equal(found["values"], [off % (1 << bits)], label)


def _shares_outside(bits: int, guard: int, error: int, off: int) -> tuple[int, int]:
    """The garbler's and the evaluator's share of 0 and such an error, which give the next value."""
    modulus, half = 1 << bits + guard, 1 << guard - 1
    for mine in range(modulus):
        theirs = (error - mine) % modulus
        total = theirs // half + (mine + 3 * half // 2) % modulus // half
        if total % (2 << bits) >> 1 == off % (1 << bits):
            return mine, theirs
    raise ValueError(f"an error of {error} is within the room")


def _differences(values: Sequence[int]) -> list[int]:
    return [values[c] - values[d] for c in range(len(values)) for d in range(c + 1, len(values))]


def _release_cases(classes: int, width: int) -> list[tuple[str, list[int], list[int], list[str]]]:
    rest, half = [0] * (classes - 2), 1 << width - 1
    return [
        ("no_noise", [2, 0, *rest], [0] * classes, []),
        ("tie", [1, 1, *rest], [0] * classes, ["Tie"]),
        ("noise_breaks_tie", [1, 1, *rest], [0, 1, *rest], []),
        ("noise_moves_label", [1, 0, *rest], [-1, 1, *rest], []),
        ("all_noisy_negative", [1, 1, *rest], [-9 - c for c in range(classes)], ["Extreme"]),
        ("last_wins", [*rest, 0, 3], [*rest, 2, -1], []),
        ("ends_of_the_range", [0] * classes, [half - 1, -half, *rest], ["Extreme"]),
        ("a_sum_that_wraps", [0] * classes, [half, -half + 1, *[-half] * len(rest)], ["Extreme"]),
    ]


def _release(file: FileBuilder, classes: int, width: int, grid: int) -> None:
    group = file.group(CIRCUITS, **circuit_name(Family.RELEASE, num_classes=classes, vote_bits=width))
    name, modulus = f"release_c{classes}_w{width}", 1 << width
    describe(group, name)
    for case, votes, noise, flags in _release_cases(classes, width):
        label = f"{name}_{case}"
        meaning = {"votes": texts(votes), "noise": texts(noise)}
        theirs = file.source.elements(f"{label}/evaluator", classes, width)
        noisy = [ring.signed(((v << grid) + n) % modulus, width) for v, n in zip(votes, noise, strict=True)]
        mine = [(v - e) % modulus for v, e in zip(noisy, theirs, strict=True)]
        found = group.case(
            "circuit_evaluate",
            label,
            "The label of the noisy votes.",
            VALUES,
            flags,
            meaning=meaning,
            garbler=mine,
            evaluator=theirs,
        )
        expect_equal(number_of(found["outputs"]), _first_largest(noisy), label)


_Case = tuple[str, list[int], list[int], int, list[int], list[int], list[str]]
"""Name, votes, the label's noise, threshold in grid units, draws of the check: the guardian's, the querying party's."""


def _thresholds(file: FileBuilder, classes: int, width: int, grid: int) -> None:
    """Each circuit with a threshold, on what it may compare."""
    widths = {"num_classes": classes, "vote_bits": width}
    single = file.group(CIRCUITS, **circuit_name(Family.SINGLE_DRAW_RELEASE, **widths))
    cases = [*_any_check(classes, grid, width), *_single_draw(classes, grid, width)]
    _with_threshold(single, f"single_draw_c{classes}_w{width}", cases, width, grid)
    for realised in (False, True):
        group = file.group(CIRCUITS, **circuit_name(Family.CONFIDENT_RELEASE, **widths, realised=realised))
        cases = [*_any_check(classes, grid, width), *_two_draws(classes, grid, width)]
        if realised:
            cases += _own_draws(classes, grid)
        name = f"confident_c{classes}_w{width}_{'realised' if realised else 'worst_case'}"
        _with_threshold(group, name, cases, width, grid)


def _any_check(classes: int, grid: int, width: int) -> list[_Case]:
    rest, none, unit, half = [0] * (classes - 2), [0] * classes, 1 << grid, 1 << width - 1
    return [
        ("at_threshold", [2, 1, *rest], none, 2 * unit, none, none, ["AtThreshold"]),
        ("one_grid_unit_below", [2, 1, *rest], none, 2 * unit + 1, none, none, ["NoConsensus"]),
        ("withheld_label_is_zero", [*rest, 0, 2], none, 3 * unit, none, none, ["NoConsensus"]),
        ("tie", [1, 1, *rest], none, 1, none, none, ["Tie"]),
        ("threshold_zero", none, none, 0, none, none, ["AtThreshold", "Tie"]),
        ("lowest_words", none, [-half] * classes, 1, [-half] * classes, none, ["Extreme", "NoConsensus"]),
        ("highest_threshold", none, [-1] * classes, half - 1, [-1] * classes, none, ["Extreme", "NoConsensus"]),
    ]


def _single_draw(classes: int, grid: int, width: int) -> list[_Case]:
    rest, none, unit, half = [0] * (classes - 2), [0] * classes, 1 << grid, 1 << width - 1
    return [
        ("draw_reaches_it", [2, 1, *rest], [1, 0, *rest], 2 * unit + 1, none, none, ["AtThreshold"]),
        ("draw_misses_it", [2, 1, *rest], [-1, 0, *rest], 2 * unit, none, none, ["NoConsensus"]),
        ("draw_of_another_class", [2, 1, *rest], [-1, unit, *rest], 2 * unit, none, none, ["AtThreshold"]),
        ("ends_of_the_range", none, [half - 1, -half, *rest], 1, none, none, ["Extreme"]),
    ]


def _two_draws(classes: int, grid: int, width: int) -> list[_Case]:
    rest, none, unit, half = [0] * (classes - 2), [0] * classes, 1 << grid, 1 << width - 1
    return [
        ("draw_reaches_it", [2, 1, *rest], none, 2 * unit + 1, [1, 0, *rest], none, ["AtThreshold"]),
        ("draw_misses_it", [2, 1, *rest], none, 2 * unit, [-1, 0, *rest], none, ["NoConsensus"]),
        ("draw_of_another_class", [2, 1, *rest], none, 2 * unit, [-1, unit, *rest], none, ["AtThreshold"]),
        ("label_noise_does_not_count", [2, 1, *rest], [9] * classes, 2 * unit + 1, none, none, ["NoConsensus"]),
        ("label_from_noisy_votes", [*rest, 2, 1], [*rest, 0, 3 * unit], 2 * unit, none, none, ["AtThreshold"]),
        ("ends_of_the_range", none, [half - 1, -half, *rest], 1, [half - 1, -half, *rest], none, ["Extreme"]),
    ]


def _own_draws(classes: int, grid: int) -> list[_Case]:
    rest, none, unit = [0] * (classes - 2), [0] * classes, 1 << grid
    return [
        ("both_draws_add_up", [2, 1, *rest], none, 2 * unit + 2, [1, 0, *rest], [1, 0, *rest], ["AtThreshold"]),
        ("draws_cancel", [2, 1, *rest], none, 2 * unit, [5] * classes, [-5] * classes, ["AtThreshold"]),
        ("own_draw_misses_it", [2, 1, *rest], none, 2 * unit, none, [-1, 0, *rest], ["NoConsensus"]),
    ]


def _with_threshold(group: GroupBuilder, name: str, cases: Sequence[_Case], width: int, grid: int) -> None:
    describe(group, name)
    for case in cases:
        _threshold_case(group, name, case, width, grid)


def _threshold_case(group: GroupBuilder, name: str, case: _Case, width: int, grid: int) -> None:
    title, votes, noise, threshold, draws, own, flags = case
    label, modulus = f"{name}_{title}", 1 << width
    meaning: dict[str, Any] = {"votes": texts(votes), "noise": texts(noise), "threshold": str(threshold)}
    requirements = [*VALUES, "CAPC-REL-002"] if "NoConsensus" in flags else VALUES
    shares = group.source.elements(f"{label}/evaluator", len(votes), width)
    evaluator = list(shares)

    def added(left: Sequence[int], right: Sequence[int]) -> list[int]:
        return [ring.signed((a + b) % modulus, width) for a, b in zip(left, right, strict=True)]

    noisy = checked = added([v << grid for v in votes], noise)
    garbler = [(v - e) % modulus for v, e in zip(noisy, shares, strict=True)]
    if name.startswith("confident"):
        meaning["threshold_noise"] = texts(draws)
        checked = added([v << grid for v in votes], draws)
        garbler = [*((v - e) % modulus for v, e in zip(checked, shares, strict=True)), *garbler]
    if name.endswith("realised"):
        meaning["own_threshold_noise"] = texts(own)
        checked = added(checked, own)
        evaluator += [(e + n) % modulus for e, n in zip(shares, own, strict=True)]
    found = group.case(
        "circuit_evaluate",
        label,
        "Answered bit, then the label's bits.",
        requirements,
        flags,
        meaning=meaning,
        garbler=[*garbler, threshold % modulus],
        evaluator=evaluator,
    )
    answered = max(checked) >= threshold
    opened = (found["outputs"][0], number_of(found["outputs"][1:]))
    expect_equal(opened, (answered, _first_largest(noisy) if answered else 0), label)
