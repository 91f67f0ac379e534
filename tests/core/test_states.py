"""Every state is used once and shows its type only."""

from __future__ import annotations

import pytest

from capc.errors import StateReuseError
from capc.linear import IdealLinear
from capc.privacy_guardian import Released
from capc.querying_party import (
    VoteShare,
)
from capc.session import SingleUse
from capc.suite import reference_suite
from support.builders import (
    counter_seeds,
    make_account,
    make_session,
)
from support.driver import Driver
from support.runs import POLICIES, SIZES, fork, parameters_for, voters
from support.secrets import secrets_in

NAMES = [
    "JoiningQueryingParty",
    "QueryingParty",
    "OpenBatch",
    "LayerInput",
    "AwaitingResponse",
    "AwaitingCircuits",
    "ReleaseTurn",
    "AwaitingRelease",
    "JoiningAnsweringParty",
    "AwaitingTrees",
    "AnsweringParty",
    "AwaitingTransfers",
    "AwaitingRequest",
    "AwaitingChoice",
    "VoteReady",
    "JoiningPrivacyGuardian",
    "PrivacyGuardian",
    "Collecting",
    "Aggregated",
]
AHEAD = ["AwaitingAheadChoice", "AwaitingLabels", "AwaitingValue", "PreparedBatch"]


@pytest.mark.slow
@pytest.mark.req("CAPC-ROLE-008", "CAPC-GC-008", "CAPC-AHEAD-003")
@pytest.mark.parametrize("policy", POLICIES)
def test_every_state_of_every_role_is_used_once(policy: str) -> None:
    parameters = parameters_for(policy)
    suite = reference_suite(parameters, IdealLinear(14))
    driver = Driver(make_session(parameters, SIZES), voters(1, 1, 1), suite, make_account(parameters), counter_seeds())
    driver.set_up()
    driver.run_query([1, 2])
    driver.run_prepared([[1, 2], [2, 1]])
    expected = {*NAMES, *AHEAD}
    if policy == "realised":
        expected.add("Released")
    assert {type(call.state).__name__ for call in driver.calls} == expected
    for call in driver.calls:
        with pytest.raises(StateReuseError, match=f"^{type(call.state).__name__} was used before"):
            call.step(call.state, *call.arguments)


@pytest.mark.slow
@pytest.mark.req("CAPC-ROLE-013")
@pytest.mark.parametrize("policy", POLICIES)
def test_states_show_their_type_only(policy: str) -> None:
    driver = fork(policy, voters(1, 1, 1))
    driver.run_query([1, 2])
    driver.run_prepared([[1, 2]])
    states = [call.state for call in driver.calls]
    states += [entry for entry in driver.results if isinstance(entry, SingleUse | VoteShare)]
    found = 0
    for state in states:
        assert repr(state) == str(state) == f"<{type(state).__name__}>"
        found += sum(1 for _ in secrets_in(state))
    assert found > 1000


@pytest.mark.req("CAPC-ROLE-013")
def test_answers_and_noise_show_no_secret() -> None:
    driver = fork("realised", voters(1, 1, 1))
    driver.run_query([1, 2])
    (released,) = [call.state for call in driver.calls if isinstance(call.state, Released)]
    assert repr(released.noise) == "<ReleaseNoise>"
    (answer,) = [entry for entry in driver.results if type(entry).__name__ == "Answer"]
    assert repr(answer) == "Answer(query=1, label=1)"
