"""Offsets on shares of a release, of any party: they choose a function of noised counts, and never one of counts.

What an un-noised check told: with two counts at the ends of the ring, whether one is larger, exactly and in one query.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capc.noise.mechanism import ReleaseMechanisms
from support.builders import fixed_mechanisms
from support.release_stage import MODES, NUM_CLASSES, VOTE_BITS, Cheats, RoundView, Stage, comparing, split_votes
from support.sizes import examples

REPEATS = 12
ROLES = ("querying", "answering", "guardian")
UNIT = 16
"""Grid units of a vote."""
RING = 1 << VOTE_BITS


def stage_of(mode: str, name: str, voters: int = 20) -> Stage:
    return Stage(voters=voters, name=f"{name} {mode}", **MODES[mode])


def is_answered(seen: RoundView) -> bool:
    return seen.answer.label is not None


@pytest.mark.slow
@pytest.mark.req("CAPC-SEC-030", "CAPC-REL-009")
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("role", ROLES)
def test_counts_at_the_ends_of_the_ring_tell_nothing(role: str, mode: str) -> None:
    """The offsets that compared two counts: each query is answered now, whichever of them is larger."""
    stage, told = stage_of(mode, f"ends {role}", voters=50), []
    for first, second in ((20, 20), (19, 20), (0, 1), (1, 1)):
        cheats = Cheats(**{role: comparing(2, 3, 0, stage.vote_bits)})
        seen = [stage.release(split_votes(first, second, 7, 50), cheats) for _ in range(REPEATS)]
        told.append([is_answered(each) for each in seen])
        if mode == "realised":
            # The guardian reads the same bit.
            assert [each.bit for each in seen] == told[-1]
    assert told == [[True] * REPEATS] * 4
    assert stage.account.spent == 4 * REPEATS * stage.account.cost.worst_case
    # Where the noised counts are about as large as T, the noise decides.
    lower = Cheats(**{role: [-70] * NUM_CLASSES})
    assert {is_answered(stage.release(split_votes(20, 20, 7, 50), lower)) for _ in range(REPEATS)} == {True, False}


@pytest.mark.slow
@pytest.mark.req("CAPC-SEC-030", "CAPC-REL-009")
@pytest.mark.parametrize("mode", MODES)
def test_a_count_at_the_wrap_boundary_is_hidden_by_the_noise(mode: str) -> None:
    """One count pushed to where its word wraps, all others to the bottom: a vote more or less is lost in the noise."""
    stage = stage_of(mode, "boundary")
    half = 1 << (stage.vote_bits - 1 - stage.grid_bits)
    offsets = [half - 10 if c == 2 else -half // 2 for c in range(NUM_CLASSES)]
    right = 0
    for count in (9, 10) * (2 * REPEATS):
        # Without noise a word of 10 votes wraps and one of 9 does not.
        seen = stage.release(split_votes(count, 0, 7), Cheats(querying=offsets))
        right += is_answered(seen) == (count == 9)
    # Of 48 guesses 24 are right by chance, with a deviation of 3.5; the seed is fixed.
    assert 12 <= right <= 36


@pytest.mark.slow
@pytest.mark.req("CAPC-SEC-030")
@pytest.mark.parametrize("mode", MODES)
def test_a_binary_search_by_offsets_finds_no_histogram(mode: str) -> None:
    """54 queries read one set of votes where counts were compared; now the answers do not depend on the votes."""
    found = []
    for votes in ([0] * 3 + [1] * 2 + [3] * 8 + [4] + [8] * 5 + [9], [2] * 20):
        stage, differences = stage_of(mode, "histogram"), [0]
        for c in range(1, NUM_CLASSES):
            low, high = -stage.voters, stage.voters
            while low < high:
                middle = (low + high) // 2
                seen = stage.release(votes, Cheats(querying=comparing(c, 0, middle + 1, stage.vote_bits)))
                low, high = (low, middle) if is_answered(seen) else (middle + 1, high)
            differences.append(low)
        found.append(differences)
    assert found[0] == found[1]


@dataclass(frozen=True)
class Pair:
    """Two queries whose noised counts are the same: other votes, and draws that make up for them."""

    votes: list[int]
    others: list[int]
    label_draws: list[int]
    check_draws: list[int]
    offsets: list[int]

    def moved(self, draws: list[int]) -> list[int]:
        """The draws of the second query."""
        lost = [self.votes.count(c) - self.others.count(c) for c in range(NUM_CLASSES)]
        return [draw + UNIT * count for draw, count in zip(draws, lost, strict=True)]


@st.composite
def pairs(draw: st.DrawFn) -> Pair:
    classes = st.lists(st.integers(0, NUM_CLASSES - 1), min_size=20, max_size=20)
    words = st.integers(-RING // 2, RING // 2 - 1)
    draws = st.lists(words | st.integers(-40, 40), min_size=NUM_CLASSES, max_size=NUM_CLASSES)
    ends = [0, -RING // UNIT // 2, RING // UNIT // 2 - 1, RING // UNIT // 4, -RING // UNIT // 4]
    offsets = st.lists(st.sampled_from(ends) | st.integers(-40, 40), min_size=NUM_CLASSES, max_size=NUM_CLASSES)
    return Pair(draw(classes), draw(classes), draw(draws), draw(draws), draw(offsets))


@pytest.mark.slow
@pytest.mark.req("CAPC-SEC-030", "CAPC-REL-009", "CAPC-REL-010")
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("role", ROLES)
@settings(max_examples=examples(ordinary=6, nightly=300), deadline=None)
@given(pair=pairs())
def test_a_release_is_a_function_of_the_noised_counts(role: str, mode: str, pair: Pair) -> None:
    """Whatever is added to a share: equal noised counts give the equal outcome, however far the votes are apart."""
    stage, outcomes = stage_of(mode, "function"), []
    for votes, move in ((pair.votes, False), (pair.others, True)):
        draws = [pair.moved(each) if move else each for each in (pair.label_draws, pair.check_draws)]
        # The querying party's own draws, which the check adds, are the same in both.
        own = fixed_mechanisms([[0] * NUM_CLASSES], [[3] * NUM_CLASSES])
        cheats = Cheats(
            **{role: pair.offsets},
            guardian_mechanisms=fixed_mechanisms([draws[0]], None if mode == "single_draw" else [draws[1]]),
            querying_mechanisms=own if mode == "realised" else ReleaseMechanisms(own.answer, None),
        )
        seen = stage.release(votes, cheats)
        outcomes.append((seen.answer.label, seen.bit))
    assert outcomes[0] == outcomes[1]
