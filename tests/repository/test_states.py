"""States are kept apart by their types: of the roles by a lint, of the kinds of batch by mypy."""

from __future__ import annotations

import re
import typing
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from mypy import api

from capc.foundation.single_use import SingleUse
from capc_verify.vectors.text.states import states_of
from capc_verify.vectors.text.states import step_functions as told_steps
from support.sections import rows_after, section
from support.step_functions import ROLES, Step, step_functions

ROOT = Path(__file__).parents[2]


def states_in(annotation: object, seen: frozenset[object] = frozenset()) -> Iterator[type[SingleUse]]:
    """Every state that a type names, or that a state which it names holds."""
    for part in typing.get_args(annotation):
        yield from states_in(part, seen)
    annotation = typing.get_origin(annotation) or annotation
    if isinstance(annotation, type) and issubclass(annotation, SingleUse) and annotation not in seen:
        yield annotation
        for held in typing.get_type_hints(annotation).values():
            yield from states_in(held, seen | {annotation})


def role_of(step: Step) -> str:
    return next(role for role in ROLES if step.__name__.startswith(role))


def signatures() -> dict[Step, dict[str, object]]:
    return {step: typing.get_type_hints(step) for step in step_functions()}


@pytest.mark.req("CAPC-AHEAD-005")
def test_no_step_takes_a_state_of_another_role() -> None:
    """A state is of the role whose steps return it; what it holds counts as well."""
    roles: defaultdict[type[SingleUse], set[str]] = defaultdict(set)
    for step, hints in signatures().items():
        for state in states_in(hints["return"]):
            roles[state].add(role_of(step))
    both = {state.__name__ for state, found in roles.items() if len(found) > 1}
    taken = {
        (step.__name__, state.__name__)
        for step, hints in signatures().items()
        for name, hint in hints.items()
        if name != "return"
        for state in states_in(hint)
        if roles[state] - {role_of(step)}
    }
    # What a two-party scheme hands to either party is no party's state.
    assert both <= {"Transfers"}
    assert {entry for entry in taken if entry[1] not in both} == set()
    assert len([state for state in roles if state.__name__ not in both]) > 30


PROGRAM = """
from collections.abc import Sequence
from capc.steps.answering_party.inference import *
from capc.steps.answering_party.offline import *
from capc.steps.answering_party.vote_rounds import *
from capc.steps.privacy_guardian.party import *
from capc.steps.querying_party.inference import *
from capc.steps.querying_party.offline import *
from capc.steps.querying_party.vote_rounds import *
from capc.steps.querying_party.external import *
from capc.foundation.randomness import Seed
from capc.models.operators import Operator
from capc.steps.suite import *

seed, message, queries = Seed(bytes(32)), b"", [[0]]
scheme: TwoParty
linear: Linear
operator: Operator
"""
RIGHT = """
def at_once(opened: Sequence[OpenBatch], transfers: BatchTransfers) -> object:
    asked, _ = querying_party_request_layer(querying_party_enter_batch(opened, queries)[0])
    circuits, bits = querying_party_choose_labels(asked, message)
    sums, _ = answering_party_evaluate_layer(answering_party_enter_batch(transfers), message, seed)
    return querying_party_evaluate_vote(circuits, message), answering_party_garble_vote(sums, bits, seed)[0]

def prepared(opened: Sequence[OpenBatch], transfers: BatchTransfers) -> object:
    asked, _ = querying_party_request_offline(querying_party_mask_batch(opened, seed)[0])
    circuits, bits = querying_party_choose_labels_offline(asked, message)
    sums, _ = answering_party_evaluate_offline(answering_party_enter_offline(transfers), message, seed)
    mine = querying_party_finish_offline(querying_party_keep_circuits(circuits, message, seed))
    theirs, _ = answering_party_garble_offline(sums, bits, seed)
    return mine, answering_party_finish_offline(theirs)
"""
WRONG = (
    # What holds masks into steps for true values.
    ("OfflineInput", "querying_party_request_layer(x)"),
    ("OfflineResponse", "querying_party_keep_sums(x, message)"),
    ("OfflineResponse", "querying_party_choose_labels(x, message)"),
    ("OfflineResponse", "querying_party_begin_rounds(x, message)"),
    ("OfflineResponse", "querying_party_enter_argmax(x, message)"),
    ("OfflineCircuits", "querying_party_evaluate_layer(x, message)"),
    ("OfflineCircuits", "querying_party_evaluate_vote(x, message)"),
    ("OfflineRequest", "answering_party_evaluate_layer(x, message, seed)"),
    ("OfflineChoice", "answering_party_keep_sums(x)"),
    ("OfflineChoice", "answering_party_garble_vote(x, message, seed)"),
    # What holds true values into steps for masks.
    ("LayerInput", "querying_party_request_offline(x)"),
    ("LayerInput", "querying_party_finish_offline(x)"),
    ("AwaitingResponse", "querying_party_choose_labels_offline(x, message)"),
    ("AwaitingCircuits", "querying_party_keep_circuits(x, message, seed)"),
    ("AwaitingRequest", "answering_party_evaluate_offline(x, message, seed)"),
    ("AwaitingChoice", "answering_party_garble_offline(x, message, seed)"),
    ("AwaitingRequest", "answering_party_finish_offline(x)"),
    # Offline into online, and back.
    ("OfflineInput", "querying_party_enter_online([x], queries)"),
    ("OfflineCircuits", "querying_party_evaluate_online(x, message)"),
    ("OfflineRequest", "answering_party_send_labels(x, message)"),
    ("OnlineValue", "answering_party_evaluate_offline(x, message, seed)"),
    ("OnlineValue", "answering_party_evaluate_layer(x, message, seed)"),
    ("OnlineCircuits", "querying_party_evaluate_vote(x, message)"),
    ("OnlineBatch", "querying_party_enter_batch([x], queries)"),
    # Another role's, and a layer's where the last one's is wanted.
    ("AwaitingRequest", "querying_party_request_layer(x)"),
    ("VoteShare", "answering_party_send_vote(x)"),
    ("VoteCollection", "answering_party_send_vote(x)"),
    ("LayerInput", "querying_party_take_votes(x, [])"),
    # Keys and ends of a scheme in each other's places.
    ("SecretKey", "scheme.extend_evaluator(x, 0, [])"),
    ("GarblerKey", "scheme.extend_evaluator(x, 0, [])"),
    ("EvaluatorKey", "scheme.extend_garbler(x, 0, [], message)"),
    ("OfferState", "scheme.garbler_finish(x, message)"),
    ("EncodedWeights", "linear.encrypt(x, operator, [])"),
)
"""States, and a step that must not take them."""


@pytest.mark.slow
@pytest.mark.req("CAPC-AHEAD-005")
def test_mypy_refuses_programs_that_mix_states(tmp_path: Path) -> None:
    """One run over right programs, where it finds nothing, and wrong ones, of which each has one error."""
    before = PROGRAM + RIGHT
    wrong = [f"def f(x: {state}) -> object: return {call}\n" for state, call in WRONG]
    program = tmp_path / "program.py"
    program.write_text(before + "".join(wrong), "utf-8")
    options = ["--strict", "--config-file", str(ROOT / "pyproject.toml"), "--cache-dir", str(ROOT / ".mypy_cache")]
    # One name for all wrong programs; star imports of names that modules import themselves.
    allowed = ["--disable-error-code=no-redef", "--implicit-reexport", "--follow-imports=silent", "--no-error-summary"]
    report, trouble, _ = api.run([*options, *allowed, str(program)])
    assert trouble == ""
    first = before.count("\n") + 1
    found = re.findall(r"program\.py:(\d+): error: (.*)", report)
    assert [int(line) - first for line, _ in found] == list(range(len(WRONG))), report
    for (_, error), (state, _) in zip(found, WRONG, strict=True):
        assert re.match(
            rf'(Argument 1 to "\w+"( of "\w+")?|List item 0) has incompatible type "{state}"; expected', error
        )


@pytest.mark.req("CAPC-ROLE-021")
def test_states_are_those_of_the_table() -> None:
    """Of all steps of the house, wherever they are: for that every package is loaded."""
    rows = rows_after(section("17-operations.md"), "step_states")
    assert {row[0].strip("`") for row in rows} == {step.__name__ for step in step_functions()}
    by_name = {step.__name__: step for step in told_steps()}
    for name, taken, given_states, _ in rows:
        lists = [", ".join(side) for side in states_of(by_name[name.strip("`")])]
        assert [taken, given_states] == lists
