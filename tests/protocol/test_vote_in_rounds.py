"""Sessions whose parameters name the vote in rounds: the same labels, fewer bytes, more rounds."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from capc.circuits.tournament import matches_per_round
from capc.errors import InputError, ParameterError
from capc.linear import IdealLinear
from capc.parameters import VoteVariant
from capc.protocol import Collaboration
from capc.suite import hybrid_suite, reference_suite
from capc.vectorised import VectorisedTwoParty
from protocol.cases import MODES, Case, cases
from support.builders import constant_model, make_account, make_parameters, make_session
from support.sizes import examples

RELAXED = settings(deadline=None, suppress_health_check=list(HealthCheck))


def in_rounds(case: Case) -> Case:
    parameters = replace(case.session.parameters, vote_variant=VoteVariant.MULTI_ROUND)
    return replace(case, session=replace(case.session, parameters=parameters))


def check(case: Case, linear: IdealLinear | None) -> None:
    collaboration = in_rounds(case).collaborate(linear)
    results = [collaboration.label(query) for query in case.queries]
    results += collaboration.label_batch(case.queries)
    assert all(result.label == result.ideal_label for result in results)


@pytest.mark.req("CAPC-ROUND-008", "CAPC-REL-001")
@pytest.mark.parametrize("mode", MODES)
@settings(RELAXED, max_examples=examples(ordinary=25, nightly=500))
@given(data=st.data())
def test_hybrid_protocol_equals_ideal_functionality(mode: str, data: st.DataObject) -> None:
    check(data.draw(cases(mode)), None)


@pytest.mark.req("CAPC-ROUND-008", "CAPC-ROUND-001", "CAPC-REL-001")
@pytest.mark.parametrize("mode", MODES)
@settings(RELAXED, max_examples=examples(ordinary=6, nightly=200))
@given(data=st.data())
def test_protocol_equals_ideal_functionality(mode: str, data: st.DataObject) -> None:
    case = data.draw(cases(mode))
    check(case, IdealLinear(case.session.parameters.widths.logit_bits))
