"""What the querying party sees together with an answering party, or (against the trust model) with the guardian."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import pytest

from capc.foundation.parties import PRIVACY_GUARDIAN, QUERYING_PARTY, answering_party
from capc.models.model import QuantisedModel
from capc_verify.views.fixes import FRESH_SHARES, LOGIT_SHARES, first_of, owned_by, seen_values
from capc_verify.views.law import Law, are_one, distance, image, worst_conditional_distance
from capc_verify.views.playback import Playback, Until, output_and_randomness, output_of
from capc_verify.views.toy import AP_1, AP_2, TIES, VOTES_0, VOTES_1, linear_model, scaled_products, toy_parameters
from support.sizes import ordinarily, some

WITH_AP_1 = frozenset({QUERYING_PARTY, AP_1})
WITH_GUARDIAN = frozenset({QUERYING_PARTY, PRIVACY_GUARDIAN})


@pytest.mark.slow
@pytest.mark.req("CAPC-SEC-005", kind="enumeration")
@pytest.mark.parametrize("salt", some([0, 1], ordinary=1))
def test_shares_with_an_answering_party_have_one_law_for_all_honest_models(salt: int) -> None:
    laws = [
        Playback(toy_parameters(2, releases=False), (VOTES_0, honest), owned_by(WITH_AP_1, salt)).law(
            (1,), WITH_AP_1, Until.AGGREGATION
        )
        for honest in some((VOTES_0, VOTES_1, TIES, linear_model((0, 0), (0, 0))), ordinary=2)
    ]
    assert set(laws[0].values()) == {Fraction(1, 1 << 12)}
    assert are_one(laws)


@pytest.mark.slow
@pytest.mark.req("CAPC-SEC-005", kind="enumeration")
@pytest.mark.parametrize("seen", [0, 5])
def test_view_with_an_answering_party_given_the_label_has_one_law_for_all_honest_models(seen: int) -> None:
    laws = []
    for honest in (VOTES_0, VOTES_1, TIES):
        products = {AP_2: scaled_products(honest, 1)}
        masks, other = (seen_values(LOGIT_SHARES, products, {output: seen + output}) for output in range(2))
        fix = first_of(owned_by(WITH_AP_1, salt=seen), masks, ordinarily(other))
        laws.append(Playback(toy_parameters(3), (VOTES_1, honest), fix).law((1,), WITH_AP_1))
    assert worst_conditional_distance(laws[0], laws[1], output_and_randomness) == 0
    assert distance(laws[0], laws[2]) == 0
    assert image(laws[0], output_of) != image(laws[1], output_of)


@pytest.mark.req("CAPC-SEC-008", "CAPC-AGG-003", kind="enumeration")
@pytest.mark.parametrize("seen", [{0: 0, 1: 5}, {0: 3, 1: 6}])
def test_querying_party_and_guardian_see_the_vote_histogram_only(seen: dict[int, int]) -> None:
    one_each = _law_with_guardian((VOTES_0, VOTES_1), seen)
    assert distance(one_each, _law_with_guardian((VOTES_1, VOTES_0), seen)) == 0
    assert distance(one_each, _law_with_guardian((VOTES_1, TIES), seen)) == 0
    assert distance(one_each, _law_with_guardian((VOTES_0, VOTES_0), seen)) == 1


def _law_with_guardian(models: Sequence[QuantisedModel], seen: dict[int, int]) -> Law:
    """Up to aggregation, where the querying party sees these shares of products from both answering parties.

    Ordinarily it also sees given shares of the first one's vote. Zero-sum masks and the other's shares are played.
    """
    products = {answering_party(i + 1): scaled_products(model, 1) for i, model in enumerate(models)}
    first, second = models[0].logits((1,))
    winner = int(second > first)
    shares = seen_values(FRESH_SHARES, {AP_1: [int(c == winner) for c in range(2)]}, {0: 1, 1: 2})
    fix = first_of(seen_values(LOGIT_SHARES, products, seen), ordinarily(shares))
    return Playback(toy_parameters(2, releases=False), models, fix).law((1,), WITH_GUARDIAN, Until.AGGREGATION)
