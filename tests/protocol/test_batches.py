"""Batches, and batches prepared ahead: the labels are those of the ideal functionality, as for one query at a time."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capc.he import BfvLinear
from capc.linear import IdealLinear
from capc.vectorised import VectorisedTwoParty
from protocol.cases import Case, cases
from protocol.stages import LOGIT_BITS, staged_cases
from support.sizes import examples


def check(case: Case, linear, count: int) -> None:
    """The case's queries, repeated to ``count``, in one batch and in one that was prepared."""
    queries = [case.queries[number % len(case.queries)] for number in range(count)]
    collaboration = case.collaborate(linear)
    prepared = collaboration.prepare(count)
    results = collaboration.label_batch(queries)
    results += collaboration.label_prepared(prepared, queries)
    assert [result.label for result in results] == [result.ideal_label for result in results]
    assert sorted(result.index for result in results) == list(range(1, 2 * count + 1))


@pytest.mark.slow
@pytest.mark.req("CAPC-REL-001")
@settings(max_examples=examples(ordinary=150, nightly=3000))
@given(st.one_of(staged_cases(), cases("worst_case"), cases("realised")), st.integers(1, 4))
def test_batches_equal_the_ideal_functionality_in_the_hybrid_model(case: Case, count: int) -> None:
    check(case, None, count)


@pytest.mark.slow
@pytest.mark.req("CAPC-REL-001")
@settings(max_examples=examples(ordinary=15, nightly=300))
@given(staged_cases(), st.integers(1, 3))
def test_batches_equal_the_ideal_functionality_with_real_garbling(case: Case, count: int) -> None:
    check(case, IdealLinear(LOGIT_BITS), count)


@pytest.mark.slow
@pytest.mark.req("CAPC-REL-001", "CAPC-HE-001")
@settings(max_examples=examples(ordinary=8, nightly=100))
@given(staged_cases(), st.integers(1, 3))
def test_batches_equal_the_ideal_functionality_with_real_he(case: Case, count: int) -> None:
    check(case, BfvLinear(case.session.parameters.widths), count)


@pytest.mark.slow
@pytest.mark.req("CAPC-REL-001", "CAPC-GC-009", "CAPC-AHEAD-001")
@settings(max_examples=examples(ordinary=6, nightly=100))
@given(staged_cases(), st.permutations([0, 1, 2]))
def test_prepared_batches_may_be_used_in_any_order_with_the_fast_engine(case: Case, order: list[int]) -> None:
    collaboration = case.collaborate(IdealLinear(LOGIT_BITS), two_party=VectorisedTwoParty())
    prepared = [collaboration.prepare(1), collaboration.prepare(2), collaboration.prepare(1)]
    results = collaboration.label_batch([case.queries[0]])
    for number in order:
        results += collaboration.label_prepared(prepared[number], [case.queries[0]] * (2 if number == 1 else 1))
    assert [result.label for result in results] == [result.ideal_label for result in results]
