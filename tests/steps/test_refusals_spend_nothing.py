"""A batch of a vote in rounds cannot be prepared ahead: who tries is refused, and may go on at once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from capc.foundation.errors import InputError
from capc.session.parameters import VoteVariant
from capc.steps.answering_party.inference import answering_party_enter_batch
from capc.steps.answering_party.offline import answering_party_enter_offline
from capc.steps.suite import hybrid_suite
from support.builders import constant_model, counter_seeds, make_account, make_parameters, make_session
from support.driver import Driver

SIZES = ((2, 3), (2, 3))


@pytest.mark.req("CAPC-AHEAD-005", "CAPC-ROUND-008")
def test_a_batch_of_rounds_that_is_not_prepared_is_still_answered_at_once() -> None:
    parameters = replace(make_parameters(), vote_variant=VoteVariant.MULTI_ROUND)
    models = [constant_model(sizes, 1, 2) for sizes in SIZES]
    suite = hybrid_suite(parameters)
    session = make_session(parameters, SIZES)
    driver = Driver(session, models, suite, make_account(parameters), counter_seeds())
    driver.set_up()
    driver.run_query([0, 0])
    entered = [call.state.renewed() for call in driver.calls if call.step is answering_party_enter_batch]
    assert len(entered) == len(SIZES)
    for state in entered:
        for _ in range(2):
            with pytest.raises(InputError, match="rounds"):
                answering_party_enter_offline(state)
        answering_party_enter_batch(state)
