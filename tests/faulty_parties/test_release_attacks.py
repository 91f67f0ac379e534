"""What a cheating party does to a release: offsets on shares, missing noise, aborts and bits that tell.

Each test is the figure of a row of section 90. Nothing here is refused by anybody, unless the row says so.
"""

from __future__ import annotations

from fractions import Fraction

import pytest

from capc.foundation.errors import ErrorCode
from capc.foundation.parties import PRIVACY_GUARDIAN
from capc.noise.mechanism import ReleaseMechanisms
from capc.session.parameters import Charge
from support.builders import fixed_mechanisms
from support.refusals import refused
from support.release_stage import NUM_CLASSES, Cheats, Stage, split_votes

REPEATS = 12
NO_NOISE = fixed_mechanisms([[0] * NUM_CLASSES], [[0] * NUM_CLASSES])


@pytest.mark.slow
@pytest.mark.req("CAPC-SEC-022")
def test_ballot_stuffing() -> None:
    """One answering party of 20 adds 500 votes for a class: that class is released whatever the others vote."""
    stage = Stage(name="stuffing")
    stuffed = [500 * (c == 7) for c in range(NUM_CLASSES)]
    labels = [stage.release([3] * 20, Cheats(answering=stuffed)).answer.label for _ in range(REPEATS)]
    assert labels == [7] * REPEATS


@pytest.mark.slow
@pytest.mark.req("CAPC-SEC-022")
def test_forged_consensus() -> None:
    """The same offset on all classes keeps the label's law and always answers; a negative one never does."""
    stage = Stage(name="consensus")
    votes = split_votes(1, 1, 7, 2) + list(range(10)) + [0] * 8
    always = [stage.release(votes, Cheats(answering=[500] * NUM_CLASSES)).answer.label for _ in range(REPEATS)]
    never = [stage.release([3] * 20, Cheats(answering=[-500] * NUM_CLASSES)).answer.label for _ in range(REPEATS)]
    assert None not in always
    assert never == [None] * REPEATS


@pytest.mark.slow
@pytest.mark.req("CAPC-SEC-023")
def test_guardian_without_noise() -> None:
    """A lead of one vote, under declared noise of 40 votes, is released in 20 of 20 queries; honest noise hides it."""
    stage = Stage(threshold=None, name="without noise")
    votes = split_votes(10, 9, 7)
    quiet = Cheats(guardian_mechanisms=ReleaseMechanisms(NO_NOISE.answer, None))
    cheated = [stage.release(votes, quiet).answer.label for _ in range(20)]
    honest = [stage.release(votes).answer.label for _ in range(20)]
    assert cheated == [2] * 20
    # By chance a fair draw among ten classes; all 20 alike has probability below 10^-9.
    assert len(set(honest)) > 3


@pytest.mark.slow
@pytest.mark.req("CAPC-SEC-023")
def test_guardian_with_small_noise() -> None:
    """A tenth of the declared noise: a unanimous label in 19 of 20 queries; honest noise gives it in 10 at most."""
    stage = Stage(threshold=None, name="small noise")
    generator_stage = Stage(threshold=None, name="small noise draws")
    small = [
        [entry // 10 for entry in generator_stage.suite.mechanisms.answer.sample(generator_stage.source, NUM_CLASSES)]
        for _ in range(20)
    ]
    mechanisms = fixed_mechanisms(small)
    cheated = [stage.release([3] * 20, Cheats(guardian_mechanisms=mechanisms)).answer.label for _ in range(20)]
    honest = [stage.release([3] * 20).answer.label for _ in range(20)]
    assert cheated.count(3) >= 19
    assert honest.count(3) <= 10


@pytest.mark.req("CAPC-SEC-023")
def test_guardian_changes_the_label() -> None:
    """One bit of the decoding bits: the querying party takes the neighbouring class for the label."""
    stage = Stage(threshold=None, name="decoding")
    quiet = ReleaseMechanisms(NO_NOISE.answer, None)
    for vote in range(NUM_CLASSES):
        cheats = Cheats(guardian_mechanisms=quiet, decoding=1)
        assert stage.release([vote] * 20, cheats).answer.label == vote ^ 1


@pytest.mark.req("CAPC-SEC-023")
def test_abort_tells_a_bit() -> None:
    """Decoding bits that make the label no class in half of the cases: whether the querying party refuses tells which.

    The guardian's words have no noise and leave two classes in the race, so the bit is an exact comparison of counts.
    """
    stage = Stage(threshold=None, name="abort")
    race = [0 if c in (0, 7) else -500 for c in range(NUM_CLASSES)]
    quiet = ReleaseMechanisms(NO_NOISE.answer, None)
    for first in range(8, 13):
        votes = [0] * first + [7] * (20 - first)
        # 0 becomes 8, a class; 7 becomes 15, none.
        cheats = Cheats(guardian=race, guardian_mechanisms=quiet, decoding=8)
        if first >= 20 - first:
            assert stage.release(votes, cheats).answer.label == 8
            continue
        with refused(ErrorCode.VALUE_OUT_OF_RANGE, PRIVACY_GUARDIAN):
            stage.release(votes, cheats)
    # Each release was charged, and none needed another message.
    assert stage.account.spent == 5 * stage.account.cost.worst_case


@pytest.mark.slow
@pytest.mark.req("CAPC-SEC-021")
def test_answered_label_of_another_bit() -> None:
    """With Delta the querying party returns the other label: it keeps the class, and the answer's charge comes back."""
    stage = Stage(charge=Charge.REALISED, name="lie")
    forced = [500] * NUM_CLASSES
    seen = [stage.release([3] * 20, Cheats(querying=forced, lies_about_the_bit=True)) for _ in range(REPEATS)]
    assert all(entry.answer.label is not None and entry.bit is False for entry in seen)
    paid = stage.account.spent
    honest = Stage(charge=Charge.REALISED, name="no lie")
    for _ in range(REPEATS):
        honest.release([3] * 20, Cheats(querying=forced))
    assert honest.account.spent == REPEATS * honest.account.cost.worst_case
    assert paid < honest.account.spent


@pytest.mark.slow
@pytest.mark.req("CAPC-SEC-021")
def test_querying_party_without_threshold_noise() -> None:
    """Realised mode: the guardian, which knows its draws, then reads whether max(votes + tau) >= T exactly."""
    stage = Stage(charge=Charge.REALISED, name="no own noise")
    taus = [[tau << stage.grid_bits] * NUM_CLASSES for tau in range(-14, 0)]
    mechanisms = fixed_mechanisms([[0] * NUM_CLASSES], taus)
    without = fixed_mechanisms([[0] * NUM_CLASSES], [[0] * NUM_CLASSES])
    votes = split_votes(17, 3, 7)
    bits = [stage.release(votes, Cheats(guardian_mechanisms=mechanisms, querying_mechanisms=without)).bit for _ in taus]
    assert bits == [17 + tau >= 10 for tau in range(-14, 0)]


@pytest.mark.slow
@pytest.mark.req("CAPC-SEC-021")
def test_offset_without_a_threshold_meets_the_noise() -> None:
    """There the offset only changes which function of the noisy votes is released: a lead of two votes stays hidden."""
    stage = Stage(threshold=None, name="biased")
    race = [0 if c in (2, 3) else -500 for c in range(NUM_CLASSES)]
    labels = [stage.release(split_votes(11, 9, 7), Cheats(querying=race)).answer.label for _ in range(20)]
    assert set(labels) == {2, 3}
    assert Fraction(labels.count(2), 20) < Fraction(9, 10)
