"""Whose first layers sum over the same windows gets the same ciphertexts; other windows have sums of their own."""

from __future__ import annotations

import pytest

from capc.linear.ideal import IdealLinear
from capc.models.architecture import Activation, Architecture, StageShape
from capc.models.model import QuantisedLayer, QuantisedModel
from capc.models.operators import Dense, Grid, SumPool
from capc.session.envelope import MessageType
from capc.session.session import Session
from capc.steps.suite import reference_suite
from support.builders import counter_seeds, make_account, make_parameters, make_participants
from support.driver import Driver

COLUMNS, ROWS = (4, 1), (1, 4)
WEIGHTS = ((1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0))
QUERY = (0, 0, 0, 4, 4, 4, 4, 4, 0, 0, 0, 4, 0, 0, 1, 4)
"""Of 4 x 4 features the second row is the largest of the first three, and the third column."""


def voter(window: tuple[int, int]) -> QuantisedModel:
    """One layer, which votes for the first, second or third sum of its windows over 4 x 4 features."""
    stage = StageShape(Dense(4, 3), 0, Activation.VOTE, sum_pool=SumPool(Grid(1, 4, 4, window)))
    return QuantisedModel(Architecture((stage,)), (QuantisedLayer(WEIGHTS, (0, 0, 0)),), 2)


@pytest.mark.slow
@pytest.mark.req("CAPC-BATCH-003")
def test_first_layers_share_a_request_where_they_have_the_same_pool() -> None:
    models = [voter(window) for window in (COLUMNS, ROWS, ROWS)]
    parameters = make_parameters(num_features=16)
    session = Session(parameters, bytes(32), make_participants([model.architecture for model in models]))
    suite = reference_suite(parameters, IdealLinear(parameters.widths.logit_bits))
    driver = Driver(session, models, suite, make_account(parameters), counter_seeds("pools"))
    driver.set_up()
    outcome = driver.run_query(QUERY)
    assert outcome.label == outcome.ideal_label
    requests = list(driver.payloads_of(MessageType.LINEAR_REQUEST).values())
    assert len(requests) == 3
    assert requests[0] != requests[1] == requests[2]
