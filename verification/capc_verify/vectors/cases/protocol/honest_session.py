"""Plays honest sessions into a vector by the roles' programs, and remembers every step for the faults that follow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import count
from typing import Any

from capc.foundation.cleartext import one_hot_argmax
from capc.foundation.parties import Party
from capc.foundation.randomness import Seed
from capc.foundation.single_use import SingleUse
from capc.models.architecture import Activation
from capc.models.model import QuantisedModel
from capc.privacy.account import Account
from capc.protocol.collaboration import Table
from capc.protocol.embedded_methods import EMBEDDED
from capc.protocol.exchange import NoObserver
from capc.protocol.functionality import ideal_functionality
from capc.session.session import Session
from capc.steps.answering_party.inference import AnsweringVoteShare, AwaitingChoice, AwaitingRequest, BatchTransfers
from capc.steps.answering_party.offline import OfflineChoice, OfflineRequest, OnlineValue
from capc.steps.answering_party.party import AnsweringParty, AwaitingTransfers
from capc.steps.answering_party.reverse_setup import AwaitingReverseChoice
from capc.steps.answering_party.setup import AwaitingTrees, JoiningAnsweringParty
from capc.steps.answering_party.vote_rounds import AwaitingRoundChoice
from capc.steps.privacy_guardian.aggregation import AggregatedVotes
from capc.steps.privacy_guardian.party import PrivacyGuardian, VoteCollection
from capc.steps.privacy_guardian.release import ReleasedQuery
from capc.steps.privacy_guardian.setup import JoiningPrivacyGuardian
from capc.steps.querying_party.inference import AwaitingCircuits, AwaitingResponse, LayerInput, VoteShare
from capc.steps.querying_party.offline import (
    OfflineCircuits,
    OfflineInput,
    OfflineResponse,
    OnlineBatch,
    OnlineCircuits,
)
from capc.steps.querying_party.party import OpenBatch, QueryingParty, ReleaseTurn
from capc.steps.querying_party.release import AwaitingRelease
from capc.steps.querying_party.reverse_setup import AwaitingReverseTrees
from capc.steps.querying_party.setup import JoiningQueryingParty
from capc.steps.querying_party.vote_rounds import AwaitingRound
from capc_verify.vectors.build import GenerationError, GroupBuilder, TestBuilder
from capc_verify.vectors.cases.common import expect_equal
from capc_verify.vectors.cases.protocol.recording import Call, Script, recorded
from capc_verify.vectors.operations.protocol.step import fields_of, model_from, parts_of, suite_of

MODELS: tuple[dict[str, Any], ...] = (
    {
        "fraction_bits": 2,
        "layers": [
            {"weights": [[3, -2], [-4, 5]], "biases": [2, -1]},
            {"weights": [[3, -1], [-2, 4], [1, 1]], "biases": [0, -3, 5]},
        ],
    },
    {"fraction_bits": 2, "layers": [{"weights": [[4, -3], [-5, 2], [1, 3]], "biases": [1, 0, -2]}]},
)
"""Of AP_1 and AP_2, with the widths of the toy session."""
HANDLES: Mapping[type[SingleUse], str] = {
    JoiningAnsweringParty: "joining_{0.me}",
    AwaitingTrees: "awaiting_{0.joining.me}",
    AnsweringParty: "{0.me}_{0.next_query}",
    AwaitingReverseChoice: "offered_{0.party.me}",
    AwaitingTransfers: "transfers_{0.batch.first}_{0.party.me.index}",
    # The first layer's: the batch is of one kind or the other when it is entered.
    BatchTransfers: "request_{0.batch.first}_{0.party.me.index}_0",
    AwaitingRequest: "request_{0.batch.first}_{0.party.me.index}_{0.layer}",
    OfflineRequest: "request_{0.batch.first}_{0.party.me.index}_{0.layer}",
    AwaitingChoice: "choice_{0.request.batch.first}_{0.request.party.me.index}_{0.request.layer}",
    OfflineChoice: "choice_{0.request.batch.first}_{0.request.party.me.index}_{0.request.layer}",
    AwaitingRoundChoice: (
        "garbler_{0.request.batch.first}_{0.request.party.me.index}_{0.request.layer}_{0.turn.number}"
    ),
    OnlineValue: "value_{0.batch.first}_{0.party.me.index}_{0.layer}",
    AnsweringVoteShare: "vote_{0.query}_{0.party.me.index}",
    JoiningQueryingParty: "joining_qp",
    QueryingParty: "qp_{0.next_query}",
    AwaitingReverseTrees: "choosing_qp",
    OpenBatch: "open_{0.batch.first}_{0.peer.index}",
    LayerInput: "input_{0.batch.first}_{0.peer.index}_{0.layer}",
    OfflineInput: "input_{0.batch.first}_{0.peer.index}_{0.layer}",
    OfflineResponse: "response_{0.layer_input.batch.first}_{0.layer_input.peer.index}_{0.layer_input.layer}",
    OfflineCircuits: "circuits_{0.layer_input.batch.first}_{0.layer_input.peer.index}_{0.layer_input.layer}",
    AwaitingResponse: "response_{0.layer_input.batch.first}_{0.layer_input.peer.index}_{0.layer_input.layer}",
    AwaitingCircuits: "circuits_{0.layer_input.batch.first}_{0.layer_input.peer.index}_{0.layer_input.layer}",
    AwaitingRound: (
        "evaluator_{0.layer_input.batch.first}_{0.layer_input.peer.index}_{0.layer_input.layer}_{0.turn.number}"
    ),
    OnlineBatch: "prepared_{0.last.batch.first}_{0.last.peer.index}",
    OnlineCircuits: "labels_{0.prepared.last.batch.first}_{0.peer.index}_{0.position}",
    VoteShare: "share_{0.query}_{0.peer.index}",
    ReleaseTurn: "turn_{0.query}",
    AwaitingRelease: "release_{0.query}",
    JoiningPrivacyGuardian: "joining_pg",
    PrivacyGuardian: "pg_{0.next_query}",
    VoteCollection: "collecting_{0.query}",
    AggregatedVotes: "aggregated_{0.query}",
    ReleasedQuery: "released_{0.query}",
}
"""What a state is called in a vector."""


@dataclass(frozen=True)
class Performed:
    """One step of an honest session.

    Attributes:
        op: the operation.
        party: who took it.
        number: how many operations came before it.
        states: handles that it took.
        leaves: handles that it left.
        fields: its inputs.
    """

    op: str
    party: Party
    number: int
    states: tuple[str, ...]
    leaves: tuple[str, ...]
    fields: dict[str, Any]


def models() -> list[QuantisedModel]:
    """The models as the core has them."""
    return [model_from(fields) for fields in MODELS]


def features_where(agree: bool) -> list[int]:
    """The first query on the grid, away from its corners, on which both models agree, or do not."""
    for first in range(-3, 4):
        for second in range(-3, 4):
            votes = [one_hot_argmax(model.logits([first, second])) for model in models()]
            if (votes[0] == votes[1]) is agree:
                return [first, second]
    raise AssertionError("the toy models have no such query")


class HonestSession:
    """A session that the roles' programs play into one test.

    Args:
        group: the test's.
        test: where it is written down.
        session: of the group.
        script: the batches.
        played: the models; None for those of the toy session.

    Attributes:
        steps: every step, in the vector's order.
        labels: the label of every query, None for no consensus.
    """

    def __init__(
        self,
        group: GroupBuilder,
        test: TestBuilder,
        session: Session,
        script: Script,
        played: Sequence[QuantisedModel] | None = None,
    ) -> None:
        self.test = test
        self.steps: list[Performed] = []
        known = models() if played is None else list(played)
        steps = [operation for operation in group.kind.operations.values() if operation.calls]
        # A step's seed is named after its place in the vector, which a session with any seeds tells.
        calls = recorded(
            _table(session, known, (Seed(number.to_bytes(32, "big")) for number in count())), steps, script
        )
        drawn = ((fields_of(call.operation, call.given).get("seed"), place) for place, call in enumerate(calls))
        places = [place for seed, place in sorted(pair for pair in drawn if pair[0] is not None)]
        table = _table(session, known, map(test.seed, places))
        found = [self._write(call) for call in recorded(table, steps, script)]
        answers = table.querying.answers
        self.labels = [answer.label for answer, _ in answers]
        queries = [query for _, batch in script for query in batch]
        ideal = [
            ideal_functionality(session.parameters, [model.logits(query) for model in known], noise, own)
            for query, noise, (_, own) in zip(queries, table.guardian.noise, answers, strict=True)
        ]
        answered = [bit for _, bit in (each.privacy_guardian for each in ideal) if bit is not None]
        expect_equal(self.labels, [each.querying_party for each in ideal], "labels")
        expect_equal([values["answered"] for values in found if "answered" in values], answered, "answered bits")

    def _write(self, call: Call) -> dict[str, Any]:
        """Writes a step down, performed anew; what it gave the program, it must give again."""
        op, number = call.operation.name, len(self.test.operations)
        states, leaves = _handles(call.given), _handles(call.made)
        fields = fields_of(call.operation, call.given)
        self.steps.append(Performed(op, call.party, number, states, leaves, fields))
        found = self.test.run(op, call.party, states=states, leaves=leaves, snapshot=True, **fields)
        sent = [part for part in parts_of(call.made) if isinstance(part, bytes | dict)]
        if any(message not in found.values() for message in sent):
            raise GenerationError(f"{self.test.name}: {op} gives other bytes than the role's program had from it")
        return found


def _handles(made: object) -> tuple[str, ...]:
    states = (part for part in parts_of(made) if isinstance(part, SingleUse))
    return tuple(_handle(state) for state in states)


def _handle(state: SingleUse) -> str:
    if isinstance(state, AwaitingChoice | OfflineChoice) and state.request.stage.activation is Activation.NONE:
        # In vectors the answer to a request ends in the state for the next one.
        request = state.request
        return f"request_{request.batch.first}_{request.party.me.index}_{request.layer + 1}"
    return HANDLES[type(state)].format(state)


def _table(session: Session, known: list[QuantisedModel], seeds: Iterator[Seed]) -> Table:
    """All roles, with the building blocks of the vectors and an account that nothing exhausts."""
    release, grid_bits = session.parameters.release, session.parameters.widths.grid_bits
    account, nobody = Account(release, grid_bits, Fraction(1 << 20)), NoObserver()
    suite = suite_of(session)
    return Table(session, known, suite, account, EMBEDDED, seeds.__next__, nobody)
