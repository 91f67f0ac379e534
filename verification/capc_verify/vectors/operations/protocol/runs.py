"""Whole runs: models, queries and seeds in; labels, bytes and rounds out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import cast

from capc.foundation.errors import RandomnessExhaustedError
from capc.foundation.randomness import RandomSource, Seed
from capc.models.model import QuantisedModel
from capc.noise.mechanism import Mechanism, ReleaseMechanisms
from capc.privacy.account import Account
from capc.protocol.collaboration import Collaboration
from capc.protocol.costs import Step
from capc.session.parameters import Charge
from capc_verify.vectors.operation import Call, GroupType, Operation, Result, named
from capc_verify.vectors.operations.protocol.feeding import WrappedNoise
from capc_verify.vectors.operations.protocol.sessions import SESSION
from capc_verify.vectors.operations.protocol.step import MODEL, Protocol, protocol_from
from capc_verify.vectors.operations.shapes import layers_from
from capc_verify.vectors.values import COUNT, DATA, INTEGERS, RATIONAL, choice, many, optional, record


class _Draws:
    """The suite of a run, and what its mechanisms draw."""

    def __init__(self, protocol: Protocol) -> None:
        real = protocol.suite.mechanisms
        self._classes: list[list[int]] = []
        self._checks: list[list[int]] = []
        self._realised = protocol.session.parameters.release.charge is Charge.REALISED
        threshold = real.threshold and cast(Mechanism, _Noted(real.threshold, self._checks))
        mechanisms = ReleaseMechanisms(cast(Mechanism, _Noted(real.answer, self._classes)), threshold)
        self.suite = replace(protocol.suite, mechanisms=mechanisms)

    def noise(self) -> dict[str, list[list[int]]]:
        """Query by query: the guardian's draws for classes and check, and the querying party's own for the check."""
        # In one process the querying party's draws come before the guardian's.
        turns = 2 if self._realised else 1
        own = self._checks[::turns] if self._realised else []
        return {"class_noise": self._classes, "threshold_noise": self._checks[turns - 1 :: turns], "own_noise": own}


@dataclass(frozen=True, eq=False)
class _Noted(WrappedNoise):
    """A mechanism that writes down what it draws."""

    drawn: list[list[int]]

    def sample(self, source: RandomSource, count: int) -> list[int]:
        """Its draws."""
        self.drawn.append(self.real.sample(source, count))
        return self.drawn[-1]


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

    session = protocol.session
    models = [
        QuantisedModel(session.architecture(party), layers_from(fields["layers"]), fields["fraction_bits"])
        for party, fields in zip(session.answering_parties, call["models"], strict=True)
    ]
    drawn = _Draws(protocol)
    run = Collaboration(protocol.session, models, drawn.suite, account, draw_seed=next_seed)
    results = [run.label(features) for features in call["queries"]]
    costs = [{"step": Step(name), "bytes": cost.bytes, "rounds": cost.rounds} for name, cost in run.costs.items()]
    shown = {"ideal_labels": [result.ideal_label for result in results], **drawn.noise()}
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
            {
                "ideal_labels": many(optional(COUNT)),
                **dict.fromkeys(("class_noise", "threshold_noise", "own_noise"), many(INTEGERS)),
            },
        )
    ),
    {"session": SESSION},
    protocol_from,
)
