"""Whole runs: models, queries and seeds in; labels, bytes and rounds out."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from capc.foundation.errors import RandomnessExhaustedError
from capc.foundation.randomness import Seed
from capc.privacy.account import Account
from capc.protocol.collaboration import Collaboration
from capc.protocol.costs import Step
from capc_verify.vectors.operation import Call, GroupType, Operation, Result, named
from capc_verify.vectors.operations.protocol.sessions import SESSION
from capc_verify.vectors.operations.protocol.step import MODEL, Protocol, model_from, protocol_from
from capc_verify.vectors.values import COUNT, DATA, INTEGERS, RATIONAL, choice, many, optional, record


def _run(call: Call) -> Result:
    protocol: Protocol = call.environment
    parameters = protocol.session.parameters
    budget: Fraction = call["budget"]
    account = Account(parameters.release, parameters.widths.grid_bits, budget)
    seeds: Iterator[Seed] = iter(call["seeds"])

    def next_seed() -> Seed:
        for seed in seeds:
            return seed
        raise RandomnessExhaustedError("the vector lists fewer seeds than the run takes")

    models = [model_from(fields) for fields in call["models"]]
    run = Collaboration(protocol.session, models, protocol.suite, account, draw_seed=next_seed)
    results = [run.label(features) for features in call["queries"]]
    costs = [{"step": Step(name), "bytes": cost.bytes, "rounds": cost.rounds} for name, cost in run.costs.items()]
    shown = {"ideal_labels": [result.ideal_label for result in results]}
    return Result({"labels": [result.label for result in results], "spent": account.spent, "costs": costs}, (), shown)


RUNS = GroupType(
    "Run",
    named(
        Operation(
            "run_session",
            _run,
            {"models": many(MODEL), "queries": many(INTEGERS), "budget": RATIONAL, "seeds": many(DATA)},
            {
                "labels": many(optional(COUNT)),
                "spent": RATIONAL,
                "costs": many(record({"step": choice(Step), "bytes": COUNT, "rounds": COUNT})),
            },
            {"ideal_labels": many(optional(COUNT))},
        )
    ),
    {"session": SESSION},
    protocol_from,
)
