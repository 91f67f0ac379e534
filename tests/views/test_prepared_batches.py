"""Batches that were prepared before their queries were known: what each party sees tells as little as without.

An answering party also sees the values that the querying party sends online, minus their masks.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from fractions import Fraction
from itertools import product

import pytest

from capc.foundation.parties import QUERYING_PARTY, Party
from capc.models.model import QuantisedModel
from capc.session.envelope import HEADER, MessageType
from capc_verify.views.fixes import (
    FRESH_SHARES_OFFLINE,
    LOGIT_SHARES_OFFLINE,
    QUERY_MASKS,
    first_of,
    in_step,
    owned_by,
    seen_values,
)
from capc_verify.views.law import Law, are_one, conditional, image, worst_conditional_distance
from capc_verify.views.playback import Playback, PlayedView, Until, output_and_randomness, output_of, randomness_of
from capc_verify.views.toy import (
    AP_1,
    AP_2,
    TWO_SIDED,
    VOTES_0,
    VOTES_1,
    all_linear_models,
    hidden_model,
    linear_model,
    toy_parameters,
)
from support.header import payload_of
from support.sizes import examples, ordinarily, some

ALONE = frozenset({QUERYING_PARTY})
QUERIES = ((-1,), (0,), (1,))
SHARES = toy_parameters(2, releases=False)
MASK_OF_THE_QUERY = ordinarily(in_step(QUERY_MASKS, salt=0))
LOGIT_SHARES = ordinarily(in_step(LOGIT_SHARES_OFFLINE, salt=4))


def hidden_models() -> Iterator[QuantisedModel]:
    """One hidden unit that passes the query, its negation, a constant or nothing; two votes after each."""
    for unit in ((1, 0), (-1, 0), (0, 1), (0, 0)):
        for rows in (((1, 0), (0, 0)), ((-1, 0), (0, 1))):
            yield hidden_model(unit, *rows)


def masked_values(seen: Hashable) -> tuple[bytes, ...]:
    """The payloads of all masked values in a view, in order."""
    assert isinstance(seen, PlayedView)
    assert isinstance(seen.view, tuple)
    messages = [what[2] for _, what in seen.view]
    return tuple(
        payload_of(message) for message in messages if HEADER.unpack_from(message)[0] == MessageType.MASKED_VALUE
    )


def law_of_masked_values(model: QuantisedModel, queries: Sequence[tuple[int, ...]], salt: int) -> Law:
    playback = Playback(SHARES, [model], owned_by(frozenset({AP_1}), salt))
    law = playback.batch_law(queries, frozenset({AP_1}), Until.VOTE_SHARES, ahead=True)
    return image(law, masked_values)


@pytest.mark.req("CAPC-AHEAD-002", kind="enumeration")
def test_masked_queries_are_uniform_for_all_queries_and_models() -> None:
    uniform = {(bytes([value]),): Fraction(1, 8) for value in range(8)}
    for model, query in product(list(all_linear_models())[:: examples(ordinary=4, nightly=1)], QUERIES):
        assert law_of_masked_values(model, [query], salt=0) == uniform


@pytest.mark.slow
@pytest.mark.req("CAPC-AHEAD-002", kind="enumeration")
def test_masked_queries_of_a_batch_are_jointly_uniform() -> None:
    uniform = {(bytes(values),): Fraction(1, 64) for values in product(range(8), repeat=2)}
    for queries in product(QUERIES, repeat=2):
        assert law_of_masked_values(VOTES_0, queries, salt=1) == uniform


@pytest.mark.slow
@pytest.mark.req("CAPC-AHEAD-002", "CAPC-AHEAD-003", kind="enumeration")
def test_masked_query_and_masked_hidden_value_are_jointly_uniform() -> None:
    uniform = {tuple(bytes([value]) for value in pair): Fraction(1, 64) for pair in product(range(8), repeat=2)}
    for model, query in product(hidden_models(), QUERIES):
        assert law_of_masked_values(model, [query], salt=2) == uniform


@pytest.mark.req("CAPC-SEC-007", kind="enumeration")
def test_view_of_two_answering_parties_has_one_law_though_both_see_one_masked_query() -> None:
    assert_one_law(frozenset({AP_1, AP_2}), [VOTES_0, VOTES_1])


@pytest.mark.req("CAPC-SEC-002", kind="enumeration")
def test_answering_partys_view_has_one_law_for_all_queries_and_other_models() -> None:
    assert_one_law(frozenset({AP_1}), [VOTES_0])


def assert_one_law(coalition: frozenset[Party], own_models: list[QuantisedModel]) -> None:
    """Up to aggregation; ordinarily what the honest answering party draws is constant, as its own view is another's."""
    fix = first_of(owned_by(coalition, salt=3), ordinarily(in_step(FRESH_SHARES_OFFLINE, salt=4)), LOGIT_SHARES)
    # Ordinarily the first and the last, which differ in query and model; nightly all four.
    compared = [*product(((-1,), (1,)), (VOTES_0, VOTES_1))][:: examples(ordinary=3, nightly=1)]
    laws = [
        Playback(SHARES, [*own_models, honest], fix).law(query, coalition, Until.AGGREGATION, ahead=True)
        for query, honest in compared
    ]
    assert are_one(laws)


@pytest.mark.slow
@pytest.mark.req("CAPC-SEC-001", "CAPC-HE-009", "CAPC-ARG-003", "CAPC-ARG-005", kind="enumeration")
@pytest.mark.parametrize("salt", some([0, 1], ordinary=1))
def test_querying_partys_shares_given_its_mask_have_one_law_for_all_models(salt: int) -> None:
    # The mask of the query is its own draw. Two shares of 4 bits of the products, and two of 2 bits of the vote.
    fix = in_step(QUERY_MASKS, salt)
    models = [VOTES_0, VOTES_1, linear_model((0, 0), (0, 0)), linear_model((0, 1), (1, 0))]
    models = models[: examples(ordinary=2, nightly=4)]
    laws = [Playback(SHARES, [model], fix).law((1,), ALONE, Until.VOTE_SHARES, ahead=True) for model in models]
    assert set(laws[0].values()) == {Fraction(1, 1 << 12)}
    assert are_one(laws)


@pytest.mark.req("CAPC-SEC-001", kind="enumeration")
def test_querying_partys_view_given_its_label_and_masks_has_one_law_for_models_with_other_votes() -> None:
    # Ordinarily, of the answering party's draws those that leave the querying party with given shares of the vote.
    laws = []
    for vote, model in enumerate((VOTES_0, VOTES_1)):
        shares = seen_values(FRESH_SHARES_OFFLINE, {AP_1: [int(c == vote) for c in range(2)]}, {0: 5, 1: 2})
        fix = first_of(ordinarily(shares), LOGIT_SHARES, MASK_OF_THE_QUERY)
        parameters = toy_parameters(3, noise=TWO_SIDED)
        laws.append(Playback(parameters, [model], fix).law((1,), ALONE, ahead=True))
    # What is decrypted, a share of W r, is compared in the test before.
    views = [image(law, without_products) for law in laws]
    assert worst_conditional_distance(views[0], views[1], output_and_randomness) == 0
    assert image(laws[0], output_of) != image(laws[1], output_of)
    assert len(conditional(laws[0], randomness_of)) == examples(ordinary=1, nightly=8)


def without_products(seen: Hashable) -> Hashable:
    """A view, less the decrypted products on masks."""
    assert isinstance(seen, PlayedView)
    assert isinstance(seen.view, tuple)
    return seen._replace(view=tuple(entry for entry in seen.view if entry[1][0] != "decrypted"))
