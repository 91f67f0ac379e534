"""Faults in F*_CaPC: it would give other labels than a session does, or hide what a cheat can do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from capc.noise.release_noise import ReleaseNoise
from capc.protocol import functionality
from capc.protocol.functionality import Choices, IdealOutput, RoundChoice
from capc_verify.faults.patching import replace_everywhere, replace_in
from capc_verify.faults.planting import Fault

_CIRCUITS = "tests/verification/test_starred_circuits.py::test_"
_SESSIONS = "tests/faulty_parties/test_starred_functionality.py::test_"


def starred_without_noise() -> None:
    """F* compares the counts as they are, while a session compares noised ones."""
    correct = functionality.malicious_functionality

    def quiet(parameters: Any, models: Any, query: Any, noise: ReleaseNoise, *rest: Any) -> IdealOutput:  # noqa: ANN401
        zeros = ReleaseNoise((0,) * len(noise.classes), (0,) * len(noise.threshold))
        return correct(parameters, models, query, zeros, *rest)

    replace_everywhere(correct, quiet)


def starred_counts_beyond_the_ring() -> None:
    """F* compares sums as integers, and not as the ring's numbers: offsets at the wrap boundary are missed."""

    def unwrapped(counts: Sequence[int], width: int) -> list[int]:  # noqa: ARG001
        return list(counts)

    replace_in(functionality, "_wrapped", unwrapped)


def starred_check_of_the_same_shares() -> None:
    """In realised mode F* checks the copy of the shares that the label is made of."""
    correct = functionality.malicious_functionality

    def same(parameters: Any, models: Any, query: Any, noise: Any, choices: Choices, *rest: Any) -> IdealOutput:  # noqa: ANN401
        return correct(parameters, models, query, noise, replace(choices, checks=choices.counts), *rest)

    replace_everywhere(correct, same)


def starred_shifts_of_one_side() -> None:
    """In a vote in rounds F* shifts a winner by the same number whichever side won."""
    correct = functionality._class_in_rounds

    def one_side(widths: Any, own: Any, other: Any, rounds: Sequence[RoundChoice]) -> int:  # noqa: ANN401
        moved = [replace(each, shifts=[(left, left) for left, _ in each.shifts]) for each in rounds]
        return correct(widths, own, other, moved)

    replace_in(functionality, "_class_in_rounds", one_side)


def starred_offsets_without_guard_bits() -> None:
    """F* drops the guard bits of an offset by themselves, so that they never carry."""
    correct = functionality._opened

    def cut(widths: Any, mine: Any, theirs: Any, offsets: Sequence[int]) -> list[int]:  # noqa: ANN401
        whole = [offset >> widths.guard_bits << widths.guard_bits for offset in offsets]
        return correct(widths, mine, theirs, whole)

    replace_in(functionality, "_opened", cut)


def starred_vote_counts_twice() -> None:
    """F* counts each answering party's vote twice: another model would move the counts by two votes."""
    correct = functionality.malicious_functionality

    def twice(parameters: Any, models: Any, query: Any, noise: Any, choices: Choices, *rest: Any) -> IdealOutput:  # noqa: ANN401
        return correct(parameters, [*models] * 2, query, noise, replace(choices, parties=[*choices.parties] * 2), *rest)

    replace_everywhere(correct, twice)


FAULTS = {
    "starred_without_noise": Fault(
        starred_without_noise, None, (_CIRCUITS + "a_release_on_all_words_is_the_starred_one[plain-2-3]",)
    ),
    "starred_counts_beyond_the_ring": Fault(
        starred_counts_beyond_the_ring,
        None,
        (_CIRCUITS + "a_release_on_all_words_is_the_starred_one[single_draw-2-3]",),
    ),
    "starred_check_of_the_same_shares": Fault(
        starred_check_of_the_same_shares,
        None,
        (_CIRCUITS + "a_release_on_all_words_is_the_starred_one[realised-2-2]",),
    ),
    "starred_shifts_of_one_side": Fault(
        starred_shifts_of_one_side, None, (_CIRCUITS + "a_last_round_on_all_words_is_the_starred_vote[3-3]",)
    ),
    "starred_offsets_without_guard_bits": Fault(
        starred_offsets_without_guard_bits,
        None,
        (_CIRCUITS + "all_pairs_on_any_words_are_the_starred_vote[3]",),
    ),
    "starred_vote_counts_twice": Fault(
        starred_vote_counts_twice,
        None,
        (
            _SESSIONS + "without_choices_the_starred_functionality_is_the_ideal_one[tournament]",
            _SESSIONS + "one_model_more_or_less_is_one_vote_whatever_is_chosen[all_pairs]",
        ),
    ),
}
"""These faults, and the tests that must notice them."""
