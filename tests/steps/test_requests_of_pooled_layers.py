"""Whose request serves whom, where first layers begin with the sums of a pool."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from capc.models.architecture import Activation, Architecture, StageShape
from capc.models.model import QuantisedLayer, QuantisedModel
from capc.models.operators import Dense, Grid, SumPool
from capc.session.envelope import MessageType
from capc.steps.suite import hybrid_suite
from support.builders import counter_seeds, make_account, make_parameters, make_session
from support.driver import Driver, Outcome

ACROSS = SumPool(Grid(1, 2, 4, (1, 2), (1, 2)))
DOWN = SumPool(Grid(1, 2, 4, (2, 1), (2, 1)))
LAYER = QuantisedLayer(((4, 0, 0, 0), (0, 0, 4, 0), (0, 0, 0, 4)), (0, 0, 0))
QUERY = [0, 0, 4, 4, -4, 0, 0, 0]
"""The sums across are 0, 8, -4, 0 and those down -4, 0, 4, 4: votes for class 0 and for class 1."""


def pooled(pool: SumPool) -> QuantisedModel:
    return QuantisedModel(Architecture((StageShape(Dense(4, 3), 0, Activation.VOTE, sum_pool=pool),)), (LAYER,), 2)


@pytest.mark.req("CAPC-HE-013", "CAPC-BATCH-003")
@pytest.mark.parametrize("run", [Driver.run_batch, Driver.run_prepared])
def test_first_layers_of_other_sum_pools_get_requests_of_their_own(
    run: Callable[[Driver, list[list[int]]], list[Outcome]],
) -> None:
    models = [pooled(pool) for pool in (ACROSS, DOWN, ACROSS)]
    parameters = make_parameters(num_features=8, num_classes=3)
    session = make_session(parameters, [model.architecture for model in models])
    driver = Driver(session, models, hybrid_suite(parameters), make_account(parameters), counter_seeds())
    driver.set_up()
    (outcome,) = run(driver, [QUERY])
    assert outcome.label == outcome.ideal_label
    across, down, across_too = driver.payloads_of(MessageType.LINEAR_REQUEST).values()
    assert across == across_too != down
