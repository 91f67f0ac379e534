"""Whole runs in one process: labels, costs, bytes and rounds."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

from capc.models.architecture import Activation, Architecture, StageShape
from capc.models.operators import Dense
from capc.privacy.query_cost import query_cost
from capc.session.parameters import Charge, ReleasePolicy
from capc.session.session import Participant
from capc_verify.vectors.build import FileBuilder
from capc_verify.vectors.cases.common import confident, expect_equal, policy, toy_session
from capc_verify.vectors.cases.protocol.honest_session import MODELS, features_where
from capc_verify.vectors.operation import Fault
from capc_verify.vectors.operations.protocol.runs import RUNS
from capc_verify.vectors.operations.protocol.sessions import SESSION

_SETUP_SEEDS = 7
_QUERY_SEEDS = 8


def run() -> FileBuilder:
    """Plain, threshold and realised."""
    file = FileBuilder(
        "run",
        "CAPC-RUN",
        [
            "Whole sessions, with ideal linear layers as in protocol_*.json and everything else real.",
            "Seeds in the order in which steps take them. Set-up: each answering party's begin_setup, the querying",
            "party's, each answering party's answer_setup, the guardian's, then the querying party's finish_setup. Per",
            "query: for each answering party, for each layer, evaluate_layer and garble_layer; then request_release;",
            "then release.",
            "Bytes count whole messages, headers included. A round is a flight of messages of two parties that had",
            "to wait for the flight before it; a step's rounds are its longest pair's, summed over set-up and queries.",
            "`spent` is the account's sum after the last query, in the unit of the mechanism.",
        ],
    )
    queries = [features_where(agree=True), features_where(agree=False), [0, 0]]
    for name, release in (
        ("plain", policy()),
        ("worst_case", confident()),
        ("realised", confident(charge=Charge.REALISED)),
    ):
        _runs(file, name, release, queries)
    _runs(file, "other_relus", policy(), queries, _OTHER_RELUS)
    return file


_OTHER_RELUS = (StageShape(Dense(2, 2), 0, Activation.RELU, leak_bits=2, cap_bits=4),)
"""The first layer of AP_1 with a leak: what its circuit makes is not yet its share."""


def _runs(
    file: FileBuilder,
    name: str,
    release: ReleasePolicy,
    queries: list[list[int]],
    first: tuple[StageShape, ...] = (),
) -> None:
    """A session, in which the layers of AP_1 begin with ``first``."""
    session = toy_session(file.source, release, name)
    if first:
        theirs = session.participants[1]
        own = session.architecture(theirs.party).stages[len(first) :]
        changed = Participant(theirs.party, theirs.identity, Architecture((*first, *own)))
        session = replace(session, participants=(session.participants[0], changed, *session.participants[2:]))
    group = file.group(RUNS, session=SESSION.read(session.document()))
    cost = query_cost(release, session.parameters.widths.grid_bits).worst_case
    seeds = [file.source.step_seed(f"{name}/{number}") for number in range(_SETUP_SEEDS + _QUERY_SEEDS * len(queries))]
    test = group.test(f"run_{name}", "Three queries.", ["CAPC-REL-007", "CAPC-REL-001"])
    fields: dict[str, Any] = {"models": MODELS, "queries": queries, "seeds": seeds}
    found = test.run("run_session", budget=cost * len(queries), **fields)
    expect_equal(found["labels"], found["ideal_labels"], test.name)
    fault = Fault.of_caller("budget_exhausted")
    group.case(
        "run_session",
        f"run_{name}_over_budget",
        "The budget is too small by a hair.",
        ["CAPC-ACCT-002"],
        ["BudgetExhausted"],
        budget=cost - Fraction(1, 10**9),
        fault=fault,
        **fields,
    )
