"""Faults in what a session, a party, a model or an input is refused for, and in what names a session."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

from capc.foundation import fixed_point, ring
from capc.foundation.parties import Party
from capc.foundation.randomness import Seed
from capc.models.model import QuantisedModel
from capc.session import session as sessions
from capc.session.parameters import Parameters
from capc.session.session import Session
from capc.steps.answering_party import setup
from capc.steps.privacy_guardian import aggregation
from capc.steps.privacy_guardian.aggregation import AggregatedVotes
from capc.steps.privacy_guardian.party import VoteCollection
from capc.steps.querying_party import inference
from capc.steps.suite import Suite
from capc_verify.faults.patching import replace_everywhere
from capc_verify.faults.planting import Fault


def equal_identities() -> None:
    """Two participants of a session may have one identity."""
    correct = Session.__post_init__

    def check(self: Session) -> None:
        kept = self.participants
        if all(len(entry.identity) == sessions.IDENTITY_BYTES for entry in kept):
            others = (replace(entry, identity=bytes([place] * 32)) for place, entry in enumerate(kept))
            object.__setattr__(self, "participants", tuple(others))
        try:
            correct(self)
        finally:
            object.__setattr__(self, "participants", kept)

    Session.__post_init__ = check  # type: ignore[method-assign]


def tag_without_participants() -> None:
    """The session tag is one of the parameters and the session id alone."""

    def tag(self: Session) -> bytes:
        return hashlib.sha256(self.parameters.digest + self.session_id).digest()

    Session.tag = property(tag)  # type: ignore[assignment, method-assign]


def query_numbers_twice() -> None:
    """The next batch begins at the number of the last query of the batch before."""
    correct = sessions.following_query

    def following(query: int, count: int = 1) -> int:
        return correct(query, count) - 1

    replace_everywhere(correct, following)


def other_parameters() -> None:
    """A party takes part in a session whose parameters are not those of its noise and its HE layer."""

    def check(self: Suite, session: Session) -> None:
        pass

    Suite.check_session = check  # type: ignore[method-assign]


def features_of_any_size() -> None:
    """A feature outside of [-1, 1] is taken."""

    def check(session: Session, features: Sequence[int]) -> tuple[int, ...]:
        return tuple(ring.reduce(value, session.parameters.widths.logit_bits) for value in features)

    replace_everywhere(inference.check_features, check)


def models_that_wrap() -> None:
    """An answering party admits a model whose sums may leave the logit ring."""

    def check(self: QuantisedModel, logit_bits: int) -> None:
        pass

    QuantisedModel.check_ranges = check  # type: ignore[method-assign]


def other_models() -> None:
    """An answering party takes part with a model of another shape than the session declares."""
    correct = setup.answering_party_begin_setup

    def begin(session: Session, suite: Suite, me: Party, model: QuantisedModel, seed: Seed) -> object:
        kept = Session.architecture
        Session.architecture = lambda *_: model.architecture  # type: ignore[method-assign]
        try:
            return correct(session, suite, me, model, seed)
        finally:
            Session.architecture = kept  # type: ignore[method-assign]

    replace_everywhere(correct, begin)


def absent_parties_left_out() -> None:
    """The guardian adds up the shares that came, whoever is missing."""
    correct = aggregation.privacy_guardian_aggregate

    def aggregate(state: VoteCollection, messages: Mapping[Party, bytes]) -> AggregatedVotes:
        kept = Session.answering_parties
        here = tuple(peer for peer in state.party.session.answering_parties if peer in messages)
        Session.answering_parties = property(lambda _: here)  # type: ignore[assignment, method-assign]
        try:
            return correct(state, messages)
        finally:
            Session.answering_parties = kept  # type: ignore[method-assign]

    replace_everywhere(correct, aggregate)


def thresholds_of_any_height() -> None:
    """A session may ask for more votes than there are parties."""

    def check(self: Parameters, num_answering: int) -> None:
        pass

    Parameters.check_threshold = check  # type: ignore[method-assign]


def votes_without_noise_in_range() -> None:
    """The vote ring is checked for the votes alone, and noise may wrap."""

    def bound(self: Parameters, sigma: Fraction) -> int:  # noqa: ARG001
        return 0

    Parameters.noise_bound = bound  # type: ignore[method-assign]


def infinities_taken_for_zero() -> None:
    """What is not a finite number is quantised as 0."""
    correct = fixed_point.quantise

    def quantise(values: Iterable[float], fraction_bits: int) -> list[int]:
        return correct([value if abs(value) < float("inf") else 0.0 for value in values], fraction_bits)

    replace_everywhere(correct, quantise)


_SESSION = "tests/session/test_session.py::test_"
_STEPS = "tests/steps/test_steps.py::test_"

FAULTS = {
    "equal_identities": Fault(equal_identities, None, (_SESSION + "malformed_participant_sets_are_refused[shared]",)),
    "tag_without_participants": Fault(
        tag_without_participants, None, (_SESSION + "every_change_gives_a_tag_of_its_own",)
    ),
    "query_numbers_twice": Fault(query_numbers_twice, None, (_STEPS + "queries_are_numbered_from_1_at_every_party",)),
    "other_parameters": Fault(
        other_parameters,
        None,
        ("tests/protocol/test_collaboration.py::test_sessions_suites_and_accounts_of_other_policies_do_not_meet",),
    ),
    "features_of_any_size": Fault(
        features_of_any_size, None, (_STEPS + "queries_of_other_lengths_or_ranges_are_refused",)
    ),
    "models_that_wrap": Fault(
        models_that_wrap,
        None,
        (
            "tests/models/test_model.py::test_range_analysis_of_a_layer_is_tight",
            "tests/job/test_job.py::test_a_model_that_could_wrap_is_refused_before_the_session_is_set_up[tame-toy]",
        ),
    ),
    "other_models": Fault(other_models, None, (_STEPS + "models_that_differ_from_the_session_are_refused[classes]",)),
    "absent_parties_left_out": Fault(
        absent_parties_left_out,
        None,
        (
            "tests/faulty_parties/test_deviations.py::test_deviation_is_refused_blamed_and_harmless[circuits-sends_nothing]",
        ),
    ),
    "thresholds_of_any_height": Fault(
        thresholds_of_any_height,
        None,
        (_SESSION + "a_threshold_above_all_votes_is_refused_when_the_session_is_made",),
    ),
    "votes_without_noise_in_range": Fault(
        votes_without_noise_in_range,
        None,
        (
            _SESSION + "votes_that_do_not_fit_are_refused_when_the_session_is_made",
            "tests/session/test_parameters.py::test_realised_mode_needs_room_for_both_draws[threshold_sigma0]",
        ),
    ),
    "infinities_taken_for_zero": Fault(
        infinities_taken_for_zero,
        None,
        ("tests/foundation/test_fixed_point.py::test_what_is_not_finite_is_refused_by_position[-inf]",),
    ),
}
"""These faults, and the tests that must notice them."""
