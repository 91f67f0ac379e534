"""Step 3: the answered bit, noise, what binds a draw, and the receipt."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, settings

from capc.foundation import ring
from capc.foundation.errors import ErrorCode, InputError
from capc.foundation.parties import PRIVACY_GUARDIAN
from capc.foundation.randomness import RandomSource, Seed
from capc.noise.mechanism import CostUnit
from capc.privacy.events import Receipt
from capc.session.envelope import MessageType
from capc.steps.privacy_guardian.aggregation import AggregatedVotes
from capc.steps.privacy_guardian.release import (
    ReleasedQuery,
    add_noise,
    privacy_guardian_read_answered,
    privacy_guardian_release,
)
from capc.steps.querying_party.release import AwaitingRelease
from steps.decoding_bits import a_flipped_one_is_refused_and_costs_nothing
from support.builders import (
    FixedNoise,
    seeds,
)
from support.header import payload_of
from support.runs import POLICIES, fork, voters, with_noise
from support.sizes import examples


@pytest.mark.slow
@pytest.mark.req("CAPC-REL-002")
@pytest.mark.parametrize("policy", ["worst_case", "realised"])
@pytest.mark.parametrize(
    ("winners", "tau", "own", "label"),
    [
        pytest.param((1, 1, 1), 0, 0, 1, id="3 votes, threshold 2"),
        pytest.param((1, 1, 2), 0, 0, 1, id="exactly at the threshold"),
        pytest.param((0, 1, 2), 0, 0, None, id="no consensus"),
        pytest.param((1, 1, 2), -1, 0, None, id="half a vote below, by the noise"),
        pytest.param((0, 1, 2), 2, 0, 2, id="lifted by the noise; the noised label"),
        pytest.param((2, 2, 2), 2, -5, 2, id="the querying party's own noise counts in realised mode only"),
    ],
)
def test_answered_bit_is_the_noised_maximum_against_the_threshold(
    policy: str, winners: tuple[int, ...], tau: int, own: int, label: int | None
) -> None:
    """Grid units of half a vote; the noise on the classes makes 2 win where nothing else does."""
    draws = [[own] * 3, [tau] * 3] if policy == "realised" else [[tau] * 3]
    driver = fork(policy, voters(*winners), suite=with_noise(policy, [[0, 0, 1]], draws))
    outcome = driver.run_query([1, 2])
    expected = None if policy == "realised" and own == -5 else label
    assert (outcome.label, outcome.ideal_label) == (expected, expected)


@pytest.mark.slow
@pytest.mark.req("CAPC-REL-003")
def test_realised_mode_adds_own_noise_and_returns_the_answered_label() -> None:
    for own, expected in ((0, 1), (-3, None)):
        mine = [0, own, 1]
        driver = fork("realised", voters(1, 1, 1), suite=with_noise("realised", [[0, 0, 0]], [mine, [0, 0, 0]]))
        outcome = driver.run_query([0, 0])
        assert (outcome.label, outcome.guardian_bit) == (expected, expected is not None)
        (awaiting,) = driver.states_of(AwaitingRelease)
        (released,) = driver.states_of(ReleasedQuery)
        assert awaiting.threshold_noise == tuple(mine)
        (returned,) = driver.payloads_of(MessageType.ANSWERED_LABEL).values()
        zero, delta = released.output.labels.zero_labels[0][0], released.output.labels.delta
        assert int.from_bytes(returned, "little") == (zero if expected is None else zero ^ delta)


@pytest.mark.slow
@pytest.mark.req("CAPC-REL-003")
@pytest.mark.parametrize("policy", ["plain", "single_draw", "worst_case"])
def test_other_modes_tell_the_guardian_nothing(policy: str) -> None:
    driver = fork(policy, voters(1, 1, 1))
    driver.run_query([0, 0])
    to_guardian = {place.message_type for place in driver.sent if place.receiver == PRIVACY_GUARDIAN}
    assert to_guardian == {MessageType.VOTE_SHARES, MessageType.CHOICE_BITS}
    (awaiting,) = driver.states_of(AwaitingRelease)
    assert awaiting.threshold_noise == ()
    # Nor would it read a bit of the label in the place of an answered bit.
    (released,) = driver.results_of(ReleasedQuery)
    with pytest.raises(InputError, match="no answered bit comes back"):
        privacy_guardian_read_answered(released.renewed(), b"")


@pytest.mark.slow
@pytest.mark.req("CAPC-REL-006")
def test_noise_decides_the_label_and_is_drawn_once_for_every_release() -> None:
    suite = with_noise("plain", [[9, 0, 0], [0, 9, 0], [0, 0, 9], [0, 0, 0]])
    driver = fork("plain", voters(1, 1, 2), suite=suite)
    assert [driver.run_query([0, 0]).label for _ in range(4)] == [0, 1, 2, 1]
    assert len(suite.mechanisms.answer.log) == 4


@pytest.mark.req("CAPC-REL-006")
@pytest.mark.parametrize("policy", POLICIES)
def test_each_release_draws_one_number_per_class_and_as_many_for_a_check_of_its_own(policy: str) -> None:
    draws = None if policy in {"plain", "single_draw"} else [[0, 0, 0]]
    suite = with_noise(policy, [[0, 0, 0]], draws)
    fork(policy, voters(1, 1, 1), suite=suite).run_query([0, 0])
    assert [len(entry) for entry in suite.mechanisms.answer.log] == [3]
    if draws is not None:
        assert [len(entry) for entry in suite.mechanisms.threshold.log] == [3] * (2 if policy == "realised" else 1)


@pytest.mark.req("CAPC-REL-009", "CAPC-REL-010")
@pytest.mark.parametrize(
    ("winners", "draws", "label"),
    [
        pytest.param((1, 1, 2), [0, 0, 0], 1, id="exactly at the threshold"),
        pytest.param((1, 1, 2), [0, -1, 0], None, id="below it, by the draw of the largest"),
        pytest.param((0, 1, 2), [0, 0, 2], 2, id="lifted by the draw that makes it the largest"),
        pytest.param((1, 1, 1), [0, -3, 3], None, id="the noised counts are compared, and not the counts"),
    ],
)
def test_a_single_draw_decides_label_and_answer(winners: tuple[int, ...], draws: list[int], label: int | None) -> None:
    """Grid units of half a vote, and a threshold of two votes."""
    driver = fork("single_draw", voters(*winners), suite=with_noise("single_draw", [draws]))
    outcome = driver.run_query([1, 2])
    assert (outcome.label, outcome.ideal_label) == (label, label)


@pytest.mark.req("CAPC-REL-009")
@pytest.mark.parametrize("policy", POLICIES)
def test_every_word_of_a_release_that_depends_on_votes_has_noise(policy: str) -> None:
    """Draws that name their place: no word of the guardian is its share, and none has another class's draw."""
    apart = policy in {"worst_case", "realised"}
    suite = with_noise(policy, [[100, 200, 300]], [[400, 500, 600]] if apart else None)
    driver = fork(policy, voters(1, 1, 2), suite=suite)
    driver.run_query([1, -1])
    state = driver.call_of(privacy_guardian_release).state.renewed()
    _, words = add_noise(state, Seed(bytes(32)), b"label")
    widths = driver.session.parameters.widths
    shares = ring.scale(state.total, 1 << widths.grid_bits, widths.vote_bits)
    wanted = [400, 500, 600, 100, 200, 300] if apart else [100, 200, 300]
    limit = [] if policy == "plain" else [2 << widths.grid_bits]
    assert words == [*ring.add(shares * (len(wanted) // 3), wanted, widths.vote_bits), *limit]


def release_inputs(policy: str = "plain") -> tuple[AggregatedVotes, Receipt, bytes]:
    """What the guardian of a run got; the state is made unspent again."""
    driver = fork(policy, voters(1, 1, 2))
    driver.run_query([1, -1])
    call = driver.call_of(privacy_guardian_release)
    return call.state.renewed(), *call.arguments[:2]


@pytest.mark.req("CAPC-REL-004", "CAPC-ACCT-006")
@pytest.mark.parametrize(
    "change",
    [
        {"session_tag": bytes(32)},
        {"query": 2},
        {"inputs_digest": bytes(32)},
        {"reserved": Fraction(0)},
        {"unit": CostUnit.MU_SQUARED},
    ],
    ids=lambda change: next(iter(change)),
)
def test_guardian_wants_the_receipt_of_exactly_these_shares(change: dict[str, object]) -> None:
    state, receipt, choice = release_inputs()
    with pytest.raises(InputError, match="was not given for these shares of query 1"):
        privacy_guardian_release(state, replace(receipt, **change), choice, Seed(bytes(32)))
    privacy_guardian_release(state, receipt, choice, Seed(bytes(32)))


class WideNoise(FixedNoise):
    """64 bits per class, so that two draws are never equal by chance."""

    def sample(self, source: RandomSource, count: int) -> list[int]:
        return [source.bits(64) for _ in range(count)]


@pytest.mark.slow
@pytest.mark.req("CAPC-REL-005")
@given(seeds(), seeds())
@settings(max_examples=examples(ordinary=4, nightly=10))
def test_noise_is_bound_to_the_received_shares(seed: Seed, fresh: Seed) -> None:
    state, receipt, choice = release_inputs()
    suite = state.party.suite
    wide = replace(suite, mechanisms=replace(suite.mechanisms, answer=WideNoise(())))
    state = state.renewed(party=state.party.renewed(suite=wide))

    def noise(digest: bytes, with_seed: Seed) -> tuple[int, ...]:
        released, _ = privacy_guardian_release(
            state.renewed(inputs_digest=digest), replace(receipt, inputs_digest=digest), choice, with_seed
        )
        return released.noise.classes

    digest = state.inputs_digest
    assert noise(digest, seed) == noise(digest, seed)
    other_choices = choice[:-1] + bytes([choice[-1] ^ 1])
    other, _ = privacy_guardian_release(state.renewed(), receipt, other_choices, seed)
    assert other.noise.classes != noise(digest, seed)
    assert noise(digest, seed) != noise(bytes(32), seed)
    if seed != fresh:
        assert noise(digest, seed) != noise(digest, fresh)


@pytest.mark.slow
@pytest.mark.req("CAPC-REL-005", "CAPC-NAME-001")
def test_digest_of_the_shares_changes_with_every_share_query_and_session() -> None:
    """Three queries with equal votes: shares are fresh, so digest, noise stream and total differ."""
    driver = fork("plain", voters(1, 1, 2))
    for _ in range(3):
        driver.run_query([0, 0])
    states = driver.states_of(AggregatedVotes)
    assert [state.query for state in states] == [1, 2, 3]
    assert len({state.inputs_digest for state in states}) == 3
    first = states[0]
    shares = {
        place.sender.index: sent
        for place, sent in driver.payloads_of(MessageType.VOTE_SHARES).items()
        if place.query == 1
    }
    received = [shares[index] for index in (1, 2, 3)]
    preimage = b"CaPC/0.1/noise-binding" + driver.session.tag + (1).to_bytes(4, "little") + b"".join(received)
    assert first.inputs_digest == hashlib.sha256(preimage).digest()


@pytest.mark.req("CAPC-GC-003")
def test_other_choices_are_garbled_under_another_hash_key() -> None:
    """One state and seed, two requests of the querying party: two hash keys, so no label is hashed under both."""
    state, receipt, choice = release_inputs()
    other = choice[:-1] + bytes([choice[-1] ^ 1])
    keys = {
        payload_of(privacy_guardian_release(state.renewed(), receipt, request, Seed(bytes(32)))[1])[16:32]
        for request in (choice, other)
    }
    assert len(keys) == 2


@pytest.mark.req("CAPC-REL-008", "CAPC-ROLE-009")
@pytest.mark.parametrize(
    ("policy", "winners", "draws", "label", "code"),
    [
        # Three classes need two bits: label 1 becomes 3, which no correct garbling gives.
        pytest.param("plain", (1, 1, 1), None, 1, ErrorCode.VALUE_OUT_OF_RANGE, id="no class"),
        pytest.param("worst_case", (0, 1, 2), [[-40] * 3], None, ErrorCode.NON_CANONICAL, id="beside no consensus"),
    ],
)
def test_a_label_with_a_flipped_decoding_bit_is_refused_and_costs_nothing(
    policy: str, winners: tuple[int, ...], draws: list[list[int]] | None, label: int | None, code: ErrorCode
) -> None:
    driver = fork(policy, voters(*winners), suite=with_noise(policy, [[0, 0, 0]], draws))
    a_flipped_one_is_refused_and_costs_nothing(driver, label, code)
