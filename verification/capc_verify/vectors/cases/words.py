"""What the vectors of all circuits have: sizes, and words that stand for values."""

from __future__ import annotations

from collections.abc import Sequence

from capc_verify.vectors.build import GroupBuilder
from capc_verify.vectors.operation import Fault

_GATES = ("CAPC-ARG-008", "CAPC-ARG-007")
VALUES = ("CAPC-ARG-001",)
"""What outputs are evidence for."""
DROPPED = ("DroppedBit",)
"""The flag of words whose sum is odd."""


def describe(group: GroupBuilder, name: str) -> int:
    """Sizes and wrong inputs; returns the number of AND gates."""
    out = group.case("circuit_describe", f"{name}_gates", "Sizes, AND count and digest of the gate list.", _GATES)
    mine, theirs, bound = [0] * out["garbler_words"], [0] * out["evaluator_words"], 1 << out["input_bits"]
    refused: list[tuple[str, str, list[int], list[int]]] = [
        ("word_missing", "The garbler's words lack one.", mine[1:], theirs),
        ("word_surplus", "The evaluator's words have one more.", mine, [0, *theirs]),
        ("word_too_large", "The garbler's last word has a bit too many.", [*mine[1:], bound], theirs),
        ("word_negative", "The evaluator's first word is negative.", mine, [-1, *theirs[1:]]),
    ]
    for case, comment, garbler, evaluator in refused:
        group.case(
            "circuit_evaluate",
            f"{name}_{case}",
            comment,
            VALUES,
            ["CallerMistake"],
            garbler=garbler,
            evaluator=evaluator,
            fault=Fault.of_caller("input_error"),
        )
    return int(out["and_gates"])


def number_of(bits: Sequence[int]) -> int:
    """The word that bits are, the lowest first."""
    return sum(bit << position for position, bit in enumerate(bits))


def texts(values: Sequence[int]) -> list[str]:
    """Integers as the vectors write them."""
    return [str(value) for value in values]


def other_words(values: Sequence[int], dropped: Sequence[int], mine: Sequence[int], bits: int) -> list[int]:
    """The evaluator's words: with the garbler's they add up to 2 z and the bit that is dropped."""
    return [(2 * z + bit - word) % (2 << bits) for z, bit, word in zip(values, dropped, mine, strict=True)]
