"""An answering party refuses models and queries beyond what its HE responses may tell of the weights."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from capc.foundation.errors import BudgetExhaustedError, ParameterError, StateReuseError
from capc.foundation.parties import answering_party
from capc.foundation.randomness import Seed
from capc.linear.bfv import BfvLinear
from capc.models.model import QuantisedLayer, dense_model
from capc.privacy.allowance import PrivacyAllowance
from capc.session.parameters import NoiseName, Parameters, ParameterSet
from capc.steps.answering_party.party import AnsweringParty, answering_party_open_batch
from capc.steps.answering_party.setup import answering_party_begin_setup
from capc.steps.suite import hybrid_suite
from support.builders import counter_seeds, make_account, make_parameters, make_policy, make_session
from support.driver import Driver

ME = answering_party(1)
SEED = Seed(bytes(32))


def parameters_of(name: str, **changes: object) -> Parameters:
    widths = replace(ParameterSet.named(name), **changes)
    return make_parameters(widths, make_policy(mechanism=NoiseName.ROUNDED_GAUSSIAN), num_classes=3, num_features=8)


def model_of(parameters: Parameters, weight: int):
    return dense_model([QuantisedLayer(((weight,) * 8,) * 3, (0,) * 3)], parameters.widths.fraction_bits)


def begin(parameters: Parameters, weight: int):
    session = make_session(parameters, num_answering=1)
    suite = replace(hybrid_suite(parameters), linear=BfvLinear(parameters.widths))
    state, _ = answering_party_begin_setup(session, suite, ME, model_of(parameters, weight), SEED)
    return session, suite, state


@pytest.mark.req("CAPC-HE-011")
@pytest.mark.parametrize("weight", [0, 1, 4096, 1 << 16])
def test_the_default_set_keeps_its_distance_over_all_queries(weight: int) -> None:
    _, _, state = begin(parameters_of("default"), weight)
    per_query = sum(state.suite.linear.distance_per_query(layer) for layer in state.prepared_layers)
    assert (state.allowance.queries, state.allowance.charged) == (1 << 16, 0)
    assert per_query * state.allowance.queries <= state.allowance.distance == Fraction(1, 1 << 40)


@pytest.mark.req("CAPC-HE-011")
@pytest.mark.parametrize("name", ["test", "fast"])
def test_a_set_that_floods_too_little_is_refused_unless_it_claims_nothing(name: str) -> None:
    """The same figures with a claim are refused; as published, they claim nothing and have no allowance."""
    with pytest.raises(ParameterError, match=r"reach a statistical distance of 2\^-\d+, needed is 2\^-40"):
        begin(parameters_of(name, he_distance_bits=40), 4096)
    _, _, state = begin(parameters_of(name), 4096)
    assert state.allowance is None


def ready(parameters: Parameters, weight: int) -> AnsweringParty:
    """An answering party after its set-up, with ideal two-party computation."""
    session, suite, _ = begin(parameters, weight)
    driver = Driver(session, [model_of(parameters, weight)], suite, make_account(parameters), counter_seeds())
    driver.set_up()
    return driver.answering_parties[0]


@pytest.mark.req("CAPC-HE-011", "CAPC-BATCH-002")
def test_queries_beyond_the_declared_ones_are_refused() -> None:
    party = ready(parameters_of("default"), 1)
    party = replace(party, allowance=replace(party.allowance, queries=5))
    party, _ = answering_party_open_batch(party, 1)
    party, _ = answering_party_open_batch(party, 2)
    with pytest.raises(BudgetExhaustedError, match="3 of the 5 queries"):
        answering_party_open_batch(party, 3)
    # What was refused is not charged.
    party, _ = answering_party_open_batch(party, 2)
    with pytest.raises(BudgetExhaustedError, match="5 of the 5 queries"):
        answering_party_open_batch(party, 1)


@pytest.mark.req("CAPC-HE-011", "CAPC-BATCH-002")
@pytest.mark.parametrize("count", [1, 2, 70])
def test_a_batch_is_charged_in_full_before_its_first_message(count: int) -> None:
    """The distance of all responses that the batch will have, for its own count, when nothing has been sent yet."""
    party = ready(parameters_of("default"), 4096)
    before = party.allowance
    after, _ = answering_party_open_batch(party, count)
    assert (before.charged, after.allowance.charged) == (0, count)
    wanted = sum(after.suite.linear.statistical_distance(layer, count) for layer in after.prepared_layers)
    assert after.allowance.reached - before.reached == wanted > 0
    with pytest.raises(StateReuseError):
        answering_party_open_batch(party, count)


@pytest.mark.req("CAPC-HE-011")
def test_an_earlier_sessions_charges_count() -> None:
    parameters = parameters_of("default")
    session, suite, _ = begin(parameters, 1)
    spent = PrivacyAllowance(queries=1, charged=1)
    model = model_of(parameters, 1)
    state, _ = answering_party_begin_setup(session, suite, ME, model, SEED, spent)
    assert state.allowance == spent
    reached = replace(PrivacyAllowance(), reached=PrivacyAllowance().distance)
    with pytest.raises(ParameterError, match="queries reach a statistical distance"):
        answering_party_begin_setup(session, suite, ME, model, SEED, reached)
