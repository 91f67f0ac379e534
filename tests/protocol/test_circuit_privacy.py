"""An answering party refuses models and queries beyond what its HE responses may tell of the weights."""

from __future__ import annotations

from dataclasses import replace

import pytest

from capc.allowance import PrivacyAllowance
from capc.answering_party import answering_party_begin_setup, answering_party_finish_setup, answering_party_open_query
from capc.errors import BudgetExhaustedError, ParameterError
from capc.he import BfvLinear
from capc.model import QuantisedLayer, dense_model
from capc.parameters import NoiseName, Parameters, ParameterSet
from capc.parties import answering_party
from capc.querying_party import querying_party_begin_setup
from capc.randomness import Seed
from capc.suite import reference_suite
from support.builders import make_parameters, make_policy, make_session

ME = answering_party(1)
SEED = Seed(bytes(32))


def parameters_of(name: str, **changes: object) -> Parameters:
    widths = replace(ParameterSet.named(name), **changes)
    return make_parameters(widths, make_policy(mechanism=NoiseName.ROUNDED_GAUSSIAN), num_classes=3, num_features=8)


def model_of(parameters: Parameters, weight: int):
    return dense_model([QuantisedLayer(((weight,) * 8,) * 3, (0,) * 3)], parameters.widths.fraction_bits)


def begin(parameters: Parameters, weight: int):
    session = make_session(parameters, num_answering=1)
    suite = reference_suite(parameters, BfvLinear(parameters.widths))
    state, _ = answering_party_begin_setup(session, suite, ME, model_of(parameters, weight), SEED)
    return session, suite, state


@pytest.mark.req("CAPC-HE-011")
@pytest.mark.parametrize("weight", [0, 1, 4096, 1 << 16])
def test_the_default_set_keeps_its_distance_over_all_queries(weight: int) -> None:
    _, _, state = begin(parameters_of("default"), weight)
    assert state.allowance.queries == 1 << 16
    assert state.allowance.per_query * state.allowance.queries <= 2.0**-40


@pytest.mark.req("CAPC-HE-011")
@pytest.mark.parametrize("name", ["test", "fast"])
def test_a_set_that_floods_too_little_is_refused_unless_it_claims_nothing(name: str) -> None:
    """The same figures with a claim are refused; as published, they claim nothing and have no allowance."""
    with pytest.raises(ParameterError, match=r"reach a statistical distance of 2\^-\d+, needed is 2\^-40"):
        begin(parameters_of(name, he_distance_bits=40), 4096)
    _, _, state = begin(parameters_of(name), 4096)
    assert state.allowance is None


@pytest.mark.req("CAPC-HE-011")
def test_a_query_beyond_the_declared_ones_is_refused() -> None:
    session, suite, state = begin(parameters_of("default"), 1)
    _, keys, offers = querying_party_begin_setup(session, suite, SEED)
    party, _ = answering_party_finish_setup(state, keys[ME], offers[ME], {}, SEED)
    assert isinstance(party.allowance, PrivacyAllowance)
    party = replace(party, allowance=replace(party.allowance, queries=2))
    for _ in range(2):
        party, _ = answering_party_open_query(party)
    with pytest.raises(BudgetExhaustedError, match="all 2 queries"):
        answering_party_open_query(party)
