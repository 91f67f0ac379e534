"""What the querying party sees, alone: its label, and nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import product

import pytest

from capc.foundation.parties import QUERYING_PARTY, answering_party
from capc.models.model import QuantisedModel
from capc.session.parameters import Charge, ThresholdMode
from capc_verify.views.fixes import FRESH_SHARES, LOGIT_SHARES, ZERO_SUM, Fix, first_of, in_step, seen_values
from capc_verify.views.law import Law, distance, image, worst_conditional_distance
from capc_verify.views.playback import Playback, Until, output_and_randomness, output_of
from capc_verify.views.toy import (
    TIES,
    TWO_SIDED,
    VOTES_0,
    all_linear_models,
    hidden_model,
    linear_model,
    scaled_products,
    toy_parameters,
)
from support.sizes import examples, is_nightly, ordinarily, some

ALONE = frozenset({QUERYING_PARTY})
VOTES_1 = linear_model((0, -1), (0, 1))


@pytest.mark.slow
@pytest.mark.req("CAPC-SEC-001", "CAPC-HE-009", "CAPC-ARG-003", "CAPC-ARG-005", kind="enumeration")
def test_shares_of_an_inference_have_one_law_for_all_models() -> None:
    parameters = toy_parameters(vote_bits=2, releases=False)
    reference = Playback(parameters, [VOTES_0]).law((1,), ALONE, Until.VOTE_SHARES)
    # Two shares of 4 bits of the logits and two of 2 bits of the vote, jointly uniform.
    assert set(reference.values()) == {Fraction(1, 1 << 12)}
    models = list(all_linear_models())
    assert len(models) == 25
    # Ordinarily two, with votes for either class.
    for model in models[:: examples(ordinary=13, nightly=1)]:
        assert distance(Playback(parameters, [model]).law((1,), ALONE, Until.VOTE_SHARES), reference) == 0


@pytest.mark.slow
@pytest.mark.req("CAPC-SEC-001", "CAPC-HE-009", kind="enumeration")
def test_shares_of_a_hidden_unit_have_one_law_for_all_models() -> None:
    # 2^19 outcomes: those are played in which the querying party sees given shares of the vote, one in sixteen; and
    # ordinarily a given share of the product of the first layer, one in sixteen again.
    parameters = toy_parameters(vote_bits=2, releases=False)
    models = [hidden_model((1, 0), (1, 0), (0, 0)), hidden_model((-1, 0), (1, 0), (0, 1))]
    laws = []
    for model in models:
        vote = {answering_party(1): [int(c == _vote(model)) for c in range(2)]}
        shares = seen_values(FRESH_SHARES, vote, {0: 1, 1: 2}, layer=1)
        fix = first_of(shares, ordinarily(_seen_products([model], {0: 5})))
        laws.append(Playback(parameters, [model], fix).law((1,), ALONE, Until.VOTE_SHARES))
    # A fresh share of 3 bits, and shares of 4 bits of the logits; nightly one more of the product.
    assert set(laws[0].values()) == {Fraction(1, 1 << (15 if is_nightly() else 11))}
    assert distance(laws[0], laws[1]) == 0


@pytest.mark.slow
@pytest.mark.req("CAPC-SEC-001", kind="enumeration")
def test_view_given_the_label_has_one_law_for_models_with_other_votes() -> None:
    # 2^16 outcomes: those with 3 as share for class 0 are played, ordinarily with 6 as that for class 1. That
    # these are uniform was shown above.
    seen = {0: 3} if is_nightly() else {0: 3, 1: 6}
    laws = [
        Playback(toy_parameters(3, noise=TWO_SIDED), [model], _seen_products([model], seen)).law((1,), ALONE)
        for model in (VOTES_0, VOTES_1)
    ]
    assert worst_conditional_distance(laws[0], laws[1], output_and_randomness) == 0
    assert distance(laws[0], laws[1]) > 0


@pytest.mark.slow
@pytest.mark.req("CAPC-SEC-001", kind="enumeration")
@pytest.mark.parametrize("seen", some([{0: 0, 1: 3}, {0: 6, 1: 1}], ordinary=1))
def test_view_given_the_label_has_one_law_for_all_models_where_the_masked_logits_are(seen: dict[int, int]) -> None:
    laws = {}
    # Ordinarily every fourth: of these two vote for class 1.
    for model in [VOTES_0, *list(all_linear_models())[:: examples(ordinary=4, nightly=1)]]:
        fix = _seen_products([model], seen)
        laws[model] = Playback(toy_parameters(vote_bits=3, noise=TWO_SIDED), [model], fix).law((1,), ALONE)
    reference = laws[VOTES_0]
    for model, law in laws.items():
        assert worst_conditional_distance(law, reference, output_and_randomness) == 0
        same_vote = _vote(model) == _vote(VOTES_0)
        assert (distance(law, reference) == 0) == same_vote


@pytest.mark.req("CAPC-REL-006")
@pytest.mark.parametrize("model", [VOTES_0, TIES, VOTES_1], ids=["votes_0", "ties", "votes_1"])
def test_released_label_has_the_exact_noisy_law(model: QuantisedModel) -> None:
    fix = _seen_products([model], {0: 2, 1: 7})
    law = Playback(toy_parameters(vote_bits=3, noise=TWO_SIDED), [model], fix).law((1,), ALONE)
    votes = [int(c == _vote(model)) for c in range(2)]
    assert image(law, output_of) == _noisy_label_law(votes)


@pytest.mark.req("CAPC-PARAM-043", "CAPC-REL-001")
def test_every_logit_mask_and_noise_gives_the_label_of_the_ideal_functionality() -> None:
    # Rounding shares of logits on their own, instead of the logits, would change a vote at some mask.
    fix = in_step(FRESH_SHARES, salt=0)
    for model in some((TIES, VOTES_0, VOTES_1, linear_model((0, 0), (0, 0))), ordinary=2):
        law = Playback(toy_parameters(vote_bits=3, noise=TWO_SIDED), [model], fix).law((1,), ALONE)
        assert len(law) > 1 << 6


@pytest.mark.slow
@pytest.mark.req("CAPC-SEC-001", kind="enumeration")
@pytest.mark.parametrize(
    ("charge", "mode", "withheld"),
    [
        # 1 vote and 0 votes, T = 1: withheld where both draws are -1.
        (Charge.WORST_CASE, ThresholdMode.SINGLE_DRAW, Fraction(1, 4)),
        (Charge.WORST_CASE, ThresholdMode.TWO_DRAWS, Fraction(1, 4)),
        # Where the first sum of two draws is -2, and the second is not 2.
        (Charge.REALISED, ThresholdMode.TWO_DRAWS, Fraction(3, 16)),
    ],
    ids=["single_draw", "worst_case", "realised"],
)
def test_view_with_a_threshold_given_own_noise_and_label_has_one_law(
    charge: Charge, mode: ThresholdMode, withheld: Fraction
) -> None:
    parameters = toy_parameters(3, threshold=1, charge=charge, noise=TWO_SIDED, mode=mode)
    laws = []
    for model in (VOTES_0, TIES, VOTES_1):
        # Ordinarily with given shares of the vote, too, which were shown to be uniform.
        vote = {answering_party(1): [int(c == _vote(model)) for c in range(2)]}
        shares = ordinarily(seen_values(FRESH_SHARES, vote, {0: 5, 1: 2}))
        fix = first_of(_seen_products([model], {0: 4, 1: 1}), shares)
        laws.append(Playback(parameters, [model], fix).law((1,), ALONE))
    assert worst_conditional_distance(laws[0], laws[1], output_and_randomness) == 0
    assert worst_conditional_distance(laws[0], laws[2], output_and_randomness) == 0
    assert distance(laws[0], laws[1]) == 0
    assert distance(laws[0], laws[2]) > 0
    assert image(laws[0], output_of)[None] == withheld


@pytest.mark.slow
@pytest.mark.req("CAPC-SEC-001", kind="enumeration")
def test_view_of_two_answers_with_a_threshold_depends_on_the_released_outcome_only() -> None:
    # Two votes for one class, or one for each: the check passes with other probabilities.
    laws = []
    for models in ((VOTES_0, VOTES_0), (VOTES_0, VOTES_1), (VOTES_1, VOTES_0)):
        first_vote = [int(c == _vote(models[0])) for c in range(2)]
        fix = first_of(
            _seen_products(models, {0: 3, 1: 6}),
            seen_values(FRESH_SHARES, {answering_party(1): first_vote}, {0: 5, 1: 2}),
            in_step(ZERO_SUM, salt=0),
        )
        laws.append(Playback(toy_parameters(3, threshold=2), models, fix).law((1,), ALONE))
    assert worst_conditional_distance(laws[0], laws[1], output_and_randomness) == 0
    assert distance(laws[1], laws[2]) == 0
    assert distance(laws[0], laws[1]) > 0


def _seen_products(models: Sequence[QuantisedModel], seen: Mapping[int, int]) -> Fix:
    """The condition that the querying party sees these shares of W x from every answering party, at x = 1."""
    products = {answering_party(i + 1): scaled_products(model, 1) for i, model in enumerate(models)}
    return seen_values(LOGIT_SHARES, products, seen)


def _vote(model: QuantisedModel) -> int:
    logits = model.logits((1,))
    return int(logits[1] > logits[0])


def _noisy_label_law(votes: list[int]) -> Law:
    """By hand: noise is -1 or 1 on each class, and class 1 wins only if it is strictly above class 0."""
    labels = Counter(int(votes[1] + b > votes[0] + a) for a, b in product((-1, 1), repeat=2))
    return {label: Fraction(count, 4) for label, count in labels.items()}
