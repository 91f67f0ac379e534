"""What the privacy guardian sees, alone and with an answering party."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import pytest

from capc.foundation.parties import PRIVACY_GUARDIAN
from capc.models.model import QuantisedModel
from capc.session.parameters import Charge
from capc_verify.views.fixes import FRESH_SHARES, LOGIT_SHARES, ZERO_SUM, Fix, first_of, in_step, owned_by
from capc_verify.views.law import Law, are_one, conditional, distance, image, worst_conditional_distance
from capc_verify.views.playback import (
    Playback,
    Until,
    output_and_randomness,
    output_of,
    randomness_of,
    with_answered_bit,
    without_output,
)
from capc_verify.views.toy import AP_1, TIES, VOTES_0, VOTES_1, toy_parameters
from support.sizes import examples, ordinarily, some

VOTES = [(VOTES_0, VOTES_0), (VOTES_0, VOTES_1), (VOTES_1, VOTES_0)]
"""Both parties agree at x = 1, or they split."""
ALONE = frozenset({PRIVACY_GUARDIAN})
WITH_AP_1 = frozenset({PRIVACY_GUARDIAN, AP_1})
MASKS = in_step(LOGIT_SHARES, salt=0)
"""The guardian sees nothing that depends on step 1b: its masks are constants."""


@pytest.mark.slow
@pytest.mark.req("CAPC-SEC-003", kind="enumeration")
def test_vote_shares_of_two_parties_have_one_law_for_all_queries_and_models() -> None:
    inputs = [(1, (VOTES_0, VOTES_0)), (1, (VOTES_0, VOTES_1)), (-1, (VOTES_0, VOTES_0)), (0, (TIES, VOTES_1))]
    # Each party's fresh shares hide its vote from the guardian, whatever the zero-sum masks.
    fix = first_of(MASKS, ordinarily(in_step(ZERO_SUM, salt=0)))
    laws = [
        Playback(toy_parameters(2, releases=False), models, fix).law((x,), ALONE, Until.AGGREGATION)
        for x, models in inputs
    ]
    assert set(laws[0].values()) == {Fraction(1, 1 << 8)}
    assert are_one(laws)


@pytest.mark.slow
@pytest.mark.req("CAPC-SEC-003", kind="enumeration")
def test_view_in_worst_case_mode_has_one_law_for_all_votes() -> None:
    laws = [law_of_two_votes(models, Charge.WORST_CASE, in_step(ZERO_SUM, salt=1)) for models in VOTES]
    views = [without_output(law) for law in laws]
    assert are_one(views)
    # The check's outcome does depend on the votes: it is the view that does not show it.
    assert distance(laws[0], laws[1]) > 0


@pytest.mark.slow
@pytest.mark.req("CAPC-SEC-004", kind="enumeration")
@pytest.mark.parametrize("constant", some([FRESH_SHARES, ZERO_SUM], ordinary=1))
def test_view_in_realised_mode_depends_on_the_answered_bit_only(constant: str) -> None:
    agreed, split, *split_again = (
        with_answered_bit(law_of_two_votes(models, Charge.REALISED, in_step(constant, salt=1)))
        for models in VOTES[: examples(ordinary=2, nightly=3)]
    )
    assert all(distance(split, again) == 0 for again in split_again)
    # Given the answered bit and its own noise, the guardian cannot tell two votes for a class from one for each.
    assert worst_conditional_distance(agreed, split, output_and_randomness) == 0
    assert image(agreed, output_of) != image(split, output_of)


@pytest.mark.slow
@pytest.mark.req("CAPC-REL-003")
def test_in_realised_mode_the_guardians_own_noise_does_not_decide_the_answered_bit() -> None:
    law = with_answered_bit(law_of_two_votes(VOTES[0], Charge.REALISED, in_step(ZERO_SUM, salt=1)))
    outputs = [set(map(output_of, part)) for part in conditional(law, randomness_of).values()]
    assert {True, False} in outputs


@pytest.mark.slow
@pytest.mark.req("CAPC-SEC-006", kind="enumeration")
@pytest.mark.parametrize("salt", some([0, 1], ordinary=1))
def test_vote_share_of_an_honest_party_has_one_law_for_the_guardian_with_an_answering_party(salt: int) -> None:
    fix = first_of(owned_by(WITH_AP_1, salt), ordinarily(MASKS))
    laws = [
        Playback(toy_parameters(2, releases=False), (VOTES_0, honest), fix).law((x,), WITH_AP_1, Until.AGGREGATION)
        for x, honest in some([(1, VOTES_0), (1, VOTES_1), (-1, VOTES_1), (0, TIES)], ordinary=2)
    ]
    assert are_one(laws)


@pytest.mark.slow
@pytest.mark.req("CAPC-SEC-006", kind="enumeration")
def test_view_in_worst_case_mode_has_one_law_for_the_guardian_with_an_answering_party() -> None:
    # The noise is enumerated here: it is the coalition's own randomness.
    fix = first_of(owned_by(frozenset({AP_1}), salt=2), MASKS)
    laws = [
        Playback(toy_parameters(3, threshold=1), (VOTES_0, honest), fix).law((x,), WITH_AP_1)
        for x, honest in [(1, VOTES_0), (1, VOTES_1), (-1, VOTES_1), (0, TIES)][: examples(ordinary=2, nightly=4)]
    ]
    views = [without_output(law) for law in laws]
    assert are_one(views)
    assert distance(laws[0], laws[1]) > 0


def law_of_two_votes(models: Sequence[QuantisedModel], charge: Charge, fix: Fix) -> Law:
    """The guardian's law with a threshold of 1 vote. AP_1's shares are constants; AP_2's or the pair's are played."""
    parameters = toy_parameters(3, threshold=1, charge=charge)
    first_share = in_step(FRESH_SHARES, salt=1, owners=frozenset({AP_1}))
    return Playback(parameters, models, first_of(fix, first_share, MASKS)).law((1,), ALONE)
