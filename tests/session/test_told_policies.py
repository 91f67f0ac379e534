"""Section 16: fields of a policy that go together, and what a session document is refused for first, by the words."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from itertools import product
from typing import Any

import pytest

from capc.foundation.errors import CapcError, InputError, ParameterError
from capc.session.parameters import Adjacency, Charge, NoiseName, ReleasePolicy, ThresholdMode
from capc.session.widths import ParameterSet
from capc_verify.vectors.operation import Call
from capc_verify.vectors.operations.protocol.sessions import SESSION, SESSIONS
from support.sections import part_after, section

DOCUMENT = json.loads("\n".join(part_after(section("16-sessions-and-payloads.md"), "session_document")[1:-1]))
SOME = Fraction(3, 2)


def is_admitted(policy: dict[str, Any]) -> bool:
    """The eight rules of CAPC-PARAM-060, in their order."""
    mode = policy.get("threshold_mode", ThresholdMode.TWO_DRAWS)
    own, worst = policy["threshold_sigma"] is not None, policy["charge"] is Charge.WORST_CASE
    given = {name for name, value in policy.items() if value is not None}
    labels = given & {"argmax_cost", "argmax_queries"}
    needs_order = policy["mechanism"] is NoiseName.SKELLAM and "argmax_queries" not in given
    return all(
        (
            "threshold" in given or mode is ThresholdMode.TWO_DRAWS,
            own == ("threshold" in given and mode is ThresholdMode.TWO_DRAWS),
            worst or own,
            "renyi_order" in given or not (needs_order or ("joint_cost" in given and "argmax_queries" not in given)),
            "joint_cost" not in given or (own and worst and policy["mechanism"] is NoiseName.ROUNDED_GAUSSIAN),
            not labels or (worst and "joint_cost" not in given and not own),
            "argmax_cost" not in given or "renyi_order" in given,
            "argmax_queries" not in given or not given & {"argmax_cost", "renyi_order"},
        )
    )


def policies() -> list[dict[str, Any]]:
    """Every choice of what is given and what is not."""
    choices: dict[str, tuple[Any, ...]] = {
        "mechanism": tuple(NoiseName),
        "threshold": (None, SOME),
        "threshold_mode": tuple(ThresholdMode),
        "threshold_sigma": (None, SOME),
        "charge": tuple(Charge),
        "renyi_order": (None, SOME),
        "joint_cost": (None, SOME),
        "argmax_cost": (None, SOME),
        "argmax_queries": (None, 3),
    }
    rest = {"sigma": SOME, "adjacency": Adjacency.REPLACE_ONE, "epsilon": SOME, "delta": Fraction(1, 8)}
    return [rest | dict(zip(choices, given, strict=True)) for given in product(*choices.values())]


CHECKED = {"mechanism": NoiseName.ROUNDED_GAUSSIAN, "threshold": SOME, "threshold_sigma": SOME, "renyi_order": SOME}


@pytest.mark.req("CAPC-PARAM-052")
@pytest.mark.parametrize(
    ("name", "beside", "admitted", "refused"),
    [
        ("joint_cost", CHECKED, [Fraction(1, 1000)], [Fraction(0), Fraction(-1, 1000)]),
        ("argmax_cost", {"renyi_order": SOME}, [Fraction(1, 1000)], [Fraction(0), Fraction(-1, 1000)]),
        ("argmax_queries", {}, [1, 2**32 - 1], [0, -1, 2**32]),
    ],
)
def test_costs_and_counts_are_admitted_within_their_ranges_only(
    name: str, beside: dict[str, Any], admitted: list[Any], refused: list[Any]
) -> None:
    policy = {"mechanism": NoiseName.DISCRETE_GAUSSIAN, "threshold": None, "threshold_sigma": None, **beside}
    rest = {"sigma": SOME, "charge": Charge.WORST_CASE, "adjacency": Adjacency.REPLACE_ONE}
    budget = {"epsilon": SOME, "delta": Fraction(1, 8)}
    for value in admitted:
        assert getattr(ReleasePolicy(**policy, **rest, **budget, **{name: value}), name) == value
    for value in refused:
        with pytest.raises(ParameterError, match=f"^{name} = {value}: give a"):
            ReleasePolicy(**policy, **rest, **budget, **{name: value})


@pytest.mark.req("CAPC-PARAM-052")
def test_primes_are_two_or_more_of_2_to_60_bits() -> None:
    widths = ParameterSet.named("toy")
    admitted: list[tuple[int, ...]] = [(60, 2), (60, 60, 60), (56, 2, 2)]
    refused: list[tuple[int, ...]] = [(), (56,), (61, 20), (56, 61), (56, 1), (56, 20, 1), (56, 1, 20)]
    for primes in admitted:
        assert replace(widths, he_coefficient_bits=primes).he_coefficient_bits == primes
    for primes in refused:
        with pytest.raises(ParameterError, match=r"^he_coefficient_bits = .*: give at least two primes of 2 to 60"):
            replace(widths, he_coefficient_bits=primes)


@pytest.mark.req("CAPC-PARAM-060", "CAPC-ACCT-119", "CAPC-ACCT-130")
def test_fields_of_a_policy_go_together_as_the_rules_say() -> None:
    admitted = 0
    for fields in policies():
        try:
            ReleasePolicy(**fields)
        except ParameterError:
            assert not is_admitted(fields), fields
        else:
            assert is_admitted(fields), fields
            admitted += 1
    assert 20 < admitted < len(policies())


def refusal(document: dict[str, Any]) -> type[CapcError] | None:
    """What a session document is refused with."""
    call = Call(None, {"session": SESSION.read(document)}, (), None)
    try:
        SESSIONS.operations["session_tag"].run(call)
    except (InputError, ParameterError) as error:
        return type(error)
    return None


def edited(**edits: Any) -> dict[str, Any]:
    """The example with values at other places: `participants__1__architecture` is the second one's."""
    document: dict[str, Any] = json.loads(json.dumps(DOCUMENT))
    for place, value in edits.items():
        *path, last = (int(part) if part.isdecimal() else part for part in place.split("__"))
        target: Any = document
        for part in path:
            target = target[part]
        target[last] = value
    return document


BROKEN_ARCHITECTURE: dict[str, Any] = {"participants__2__architecture": []}
BROKEN_PARAMETERS: dict[str, Any] = {"parameters__num_classes": 1}
BROKEN_SESSIONS: dict[str, dict[str, Any]] = {
    "session id": {"session_id": "00" * 31},
    "no architecture": {"participants__1__architecture": None},
    "a guardian's": {"participants__3__architecture": DOCUMENT["participants"][1]["architecture"]},
    "a short identity": {"participants__1__identity": "05" * 31},
    "nobody": {"participants": [DOCUMENT["participants"][0], DOCUMENT["participants"][-1]]},
    "an identity twice": {"participants__1__identity": "01" * 32},
    "other features": {"participants__1__architecture__0__operator__inputs": 15},
    "other classes": {"participants__1__architecture__1__operator__outputs": 4},
    "no guardian": {"participants": DOCUMENT["participants"][:-1]},
    "another order": {"participants": DOCUMENT["participants"][::-1]},
    "threshold": {
        "parameters__threshold": "3",
        "parameters__threshold_sigma": "1",
        "parameters__threshold_mode": "two_draws",
    },
    "votes": {"parameters__vote_bits": 6},
}


@pytest.mark.req("CAPC-ROLE-024")
def test_the_example_is_admitted() -> None:
    assert refusal(edited()) is None


@pytest.mark.req("CAPC-ROLE-024")
@pytest.mark.parametrize("edits", BROKEN_SESSIONS.values(), ids=BROKEN_SESSIONS)
def test_sessions_are_refused_with_the_code_of_the_first_rule(edits: dict[str, Any]) -> None:
    """An architecture's fault comes before all others, whatever else is wrong."""
    assert refusal(edited(**edits)) is ParameterError
    if "participants" not in edits:
        assert refusal(edited(**edits, **BROKEN_ARCHITECTURE)) is InputError


@pytest.mark.req("CAPC-ROLE-024")
def test_architectures_come_before_parameters() -> None:
    assert refusal(edited(**BROKEN_ARCHITECTURE)) is InputError
    assert refusal(edited(**BROKEN_PARAMETERS)) is ParameterError
    assert refusal(edited(**BROKEN_ARCHITECTURE, **BROKEN_PARAMETERS)) is InputError
    assert refusal(edited(**BROKEN_PARAMETERS, **BROKEN_SESSIONS["session id"])) is ParameterError
