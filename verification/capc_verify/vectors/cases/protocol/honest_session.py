"""Plays honest sessions step by step into a vector, and remembers every step for the faults that come after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from capc.foundation.cleartext import one_hot_argmax
from capc.foundation.parties import PRIVACY_GUARDIAN, QUERYING_PARTY, Party
from capc.models.model import QuantisedModel
from capc.noise.release_noise import ReleaseNoise
from capc.privacy.query_cost import query_cost
from capc.protocol.functionality import ideal_functionality
from capc.session.session import Session
from capc_verify.vectors.build import TestBuilder
from capc_verify.vectors.cases.common import expect_equal
from capc_verify.vectors.operations.protocol.steps import model_from

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


@dataclass(frozen=True)
class Performed:
    """One step of an honest session.

    Attributes:
        op: the step function.
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


@dataclass
class HonestSession:
    """Plays a session into one test.

    Attributes:
        test: where it is written down.
        session: the session of the test's group.
        steps: every step so far.
        labels: the label of every query, None for no consensus.
    """

    test: TestBuilder
    session: Session
    steps: list[Performed] = field(default_factory=list)
    labels: list[int | None] = field(default_factory=list)

    def step(
        self,
        op: str,
        party: Party,
        states: Sequence[str] = (),
        leaves: Sequence[str] = (),
        **fields: Any,  # noqa: ANN401
    ) -> dict[str, Any]:
        """Takes a step."""
        number = len(self.test.operations)
        self.steps.append(Performed(op, party, number, tuple(states), tuple(leaves), fields))
        return self.test.run(op, party, states=states, leaves=leaves, snapshot=True, **fields)

    def set_up(self) -> None:
        """Step 0: mask keys, session checks, HE keys, base OTs."""
        peers = self.session.answering_parties
        first: dict[Party, dict[Party, bytes]] = {}
        for peer, model in zip(peers, MODELS, strict=True):
            fields: dict[str, Any] = {"model": model, "seed": self.test.seed()}
            made = self.step("answering_party_begin_setup", peer, leaves=[f"joining_{peer}"], **fields)
            first[peer] = made["messages"]
        checks = self.step("privacy_guardian_begin_setup", PRIVACY_GUARDIAN)["checks"]
        begun = self.step("querying_party_begin_setup", QUERYING_PARTY, leaves=["joining_qp"], seed=self.test.seed())
        choices: dict[Party, bytes] = {}
        for peer in peers:
            choices[peer] = self.step(
                "answering_party_answer_setup",
                peer,
                [f"joining_{peer}"],
                [f"awaiting_{peer}"],
                he_public_key=begun["he_public_keys"][peer],
                offer=begun["offers"][peer],
                mask_keys={other: messages[peer] for other, messages in first.items() if other != peer},
                check=checks[peer],
                seed=self.test.seed(),
            )["message"]
        choices[PRIVACY_GUARDIAN] = self.step(
            "privacy_guardian_answer_setup",
            PRIVACY_GUARDIAN,
            leaves=["joining_pg"],
            offer=begun["offers"][PRIVACY_GUARDIAN],
            checks={peer: messages[PRIVACY_GUARDIAN] for peer, messages in first.items()},
            seed=self.test.seed(),
        )["message"]
        trees = self.step(
            "querying_party_finish_setup",
            QUERYING_PARTY,
            ["joining_qp"],
            ["qp_1"],
            choices=choices,
            seed=self.test.seed(),
        )["trees"]
        for peer in peers:
            self.step("answering_party_finish_setup", peer, [f"awaiting_{peer}"], [f"{peer}_1"], message=trees[peer])
        self.step(
            "privacy_guardian_finish_setup",
            PRIVACY_GUARDIAN,
            ["joining_pg"],
            ["pg_1"],
            message=trees[PRIVACY_GUARDIAN],
        )

    def query(self, features: list[int]) -> None:
        """Steps 1 to 3 for one query."""
        self.batch([features])

    def batch(self, queries: list[list[int]]) -> None:
        """Steps 1 to 3 for a batch."""
        first, peers = len(self.labels) + 1, self.session.answering_parties
        messages = self._open(len(queries))
        opened = [f"open_{first}_{peer.index}" for peer in peers]
        inputs = [f"input_{first}_{peer.index}_0" for peer in peers]
        self.step("querying_party_enter_batch", QUERYING_PARTY, opened, inputs, queries=queries)
        for peer in peers:
            self._infer(first, len(queries), peer, messages[peer])
        self._release_all(first, queries)

    def prepared_batch(self, queries: list[list[int]]) -> None:
        """The same for a batch that is prepared before its queries are known."""
        first, count, peers = len(self.labels) + 1, len(queries), self.session.answering_parties
        messages = self._open(count)
        opened = [f"open_{first}_{peer.index}" for peer in peers]
        inputs = [f"input_{first}_{peer.index}_0" for peer in peers]
        self.step("querying_party_mask_batch", QUERYING_PARTY, opened, inputs, seed=self.test.seed())
        for peer in peers:
            self._prepare(first, peer, messages[peer])
        prepared = [f"prepared_{first}_{peer.index}" for peer in peers]
        awaiting = [f"labels_{first}_{peer.index}_0" for peer in peers]
        entered = self.step("querying_party_enter_prepared", QUERYING_PARTY, prepared, awaiting, queries=queries)
        for peer in peers:
            self._infer_prepared(first, count, peer, entered["messages"][peer])
        self._release_all(first, queries)

    def _open(self, count: int) -> dict[Party, bytes]:
        """Every party turns to the next queries; the messages that make transfers."""
        first, peers = len(self.labels) + 1, self.session.answering_parties
        numbers = range(first, first + count)
        opened = [f"open_{first}_{peer.index}" for peer in peers]
        leaves = [f"qp_{first + count}", *opened, *(f"turn_{number}" for number in numbers)]
        made = self.step("querying_party_open_batch", QUERYING_PARTY, [f"qp_{first}"], leaves, count=count)
        for peer in peers:
            leaves = [f"{peer}_{first + count}", f"transfers_{first}_{peer.index}"]
            self.step("answering_party_open_batch", peer, [f"{peer}_{first}"], leaves, count=count)
        for number in numbers:
            leaves = [f"pg_{number + 1}", f"collecting_{number}"]
            self.step("privacy_guardian_open_query", PRIVACY_GUARDIAN, [f"pg_{number}"], leaves)
        messages: dict[Party, bytes] = made["messages"]
        return messages

    def _take_transfers(self, first: int, peer: Party, message: bytes) -> None:
        name = f"{first}_{peer.index}"
        leaves = [f"request_{name}_0"]
        self.step("answering_party_take_transfers", peer, [f"transfers_{name}"], leaves, message=message)

    def _infer(self, first: int, count: int, peer: Party, message: bytes) -> None:
        name = f"{first}_{peer.index}"
        self._take_transfers(first, peer, message)
        layers = len(self.session.architecture(peer).stages)
        for layer in range(layers):
            here, following = f"{name}_{layer}", f"{name}_{layer + 1}"
            is_last = layer == layers - 1
            numbers = range(first, first + count)
            votes = [f"vote_{number}_{peer.index}" for number in numbers]
            shares = [f"share_{number}_{peer.index}" for number in numbers]
            sent = self.step("querying_party_request_layer", QUERYING_PARTY, [f"input_{here}"], [f"response_{here}"])
            answered = self.step(
                "answering_party_evaluate_layer",
                peer,
                [f"request_{here}"],
                [f"choice_{here}"],
                message=sent["message"],
                seed=self.test.seed(),
            )
            if is_last:
                self._vote(here, peer, answered["message"], votes, shares)
            else:
                self._activate(here, peer, answered["message"], [f"request_{following}"], [f"input_{following}"])

    def _activate(self, here: str, peer: Party, response: bytes, theirs: Sequence[str], mine: Sequence[str]) -> None:
        """A layer's circuits, which leave these states."""
        sent = self.step(
            "querying_party_choose_labels",
            QUERYING_PARTY,
            [f"response_{here}"],
            [f"circuits_{here}"],
            message=response,
        )
        answered = self.step(
            "answering_party_garble_layer",
            peer,
            [f"choice_{here}"],
            theirs,
            message=sent["message"],
            seed=self.test.seed(),
        )
        self.step(
            "querying_party_evaluate_layer",
            QUERYING_PARTY,
            [f"circuits_{here}"],
            mine,
            message=answered["message"],
        )

    def _vote(self, here: str, peer: Party, response: bytes, votes: Sequence[str], shares: Sequence[str]) -> None:
        """Step 1c."""
        self._activate(here, peer, response, votes, shares)

    def _prepare(self, first: int, peer: Party, message: bytes) -> None:
        name = f"{first}_{peer.index}"
        self._take_transfers(first, peer, message)
        layers = len(self.session.architecture(peer).stages)
        for layer in range(layers):
            here, following = f"{name}_{layer}", f"{name}_{layer + 1}"
            sent = self.step("querying_party_request_layer", QUERYING_PARTY, [f"input_{here}"], [f"response_{here}"])
            answered = self.step(
                "answering_party_prepare_layer",
                peer,
                [f"request_{here}"],
                [f"choice_{here}"],
                message=sent["message"],
                seed=self.test.seed(),
            )
            sent = self.step(
                "querying_party_choose_labels",
                QUERYING_PARTY,
                [f"response_{here}"],
                [f"circuits_{here}"],
                message=answered["message"],
            )
            answered = self.step(
                "answering_party_garble_ahead",
                peer,
                [f"choice_{here}"],
                [f"request_{following}"],
                message=sent["message"],
                seed=self.test.seed(),
            )
            self.step(
                "querying_party_keep_circuits",
                QUERYING_PARTY,
                [f"circuits_{here}"],
                [f"input_{following}"],
                message=answered["message"],
                seed=self.test.seed(),
            )
        mine, theirs = [f"input_{name}_{layers}"], [f"request_{name}_{layers}"]
        self.step("querying_party_finish_preparation", QUERYING_PARTY, mine, [f"prepared_{name}"])
        self.step("answering_party_finish_preparation", peer, theirs, [f"value_{name}_0"])

    def _infer_prepared(self, first: int, count: int, peer: Party, message: bytes) -> None:
        name, numbers = f"{first}_{peer.index}", range(first, first + count)
        layers = len(self.session.architecture(peer).stages)
        for layer in range(layers):
            is_last = layer == layers - 1
            votes = [f"vote_{number}_{peer.index}" for number in numbers]
            shares = [f"share_{number}_{peer.index}" for number in numbers]
            message = self.step(
                "answering_party_send_labels",
                peer,
                [f"value_{name}_{layer}"],
                votes if is_last else [f"value_{name}_{layer + 1}"],
                message=message,
            )["message"]
            message = self.step(
                "querying_party_evaluate_prepared",
                QUERYING_PARTY,
                [f"labels_{name}_{layer}"],
                shares if is_last else [f"labels_{name}_{layer + 1}"],
                message=message,
            )["message"]

    def _release_all(self, first: int, queries: list[list[int]]) -> None:
        """Steps 2 and 3 for each query of a batch."""
        for number, features in enumerate(queries, start=first):
            votes = {
                peer: self.step("answering_party_send_vote", peer, [f"vote_{number}_{peer.index}"])["message"]
                for peer in self.session.answering_parties
            }
            states, leaves = [f"collecting_{number}"], [f"aggregated_{number}"]
            aggregated = self.step("privacy_guardian_aggregate", PRIVACY_GUARDIAN, states, leaves, vote_shares=votes)
            self._release(number, features, aggregated["inputs_digest"])

    def _release(self, number: int, features: list[int], inputs_digest: bytes) -> None:
        parameters, peers = self.session.parameters, self.session.answering_parties
        shares = [f"share_{number}_{peer.index}" for peer in peers]
        requested = self.step(
            "querying_party_request_release",
            QUERYING_PARTY,
            [f"turn_{number}", *shares],
            [f"release_{number}"],
            seed=self.test.seed(),
        )
        cost = query_cost(parameters.release, parameters.widths.grid_bits)
        receipt = {
            "session_tag": self.session.tag,
            "query": number,
            "inputs_digest": inputs_digest,
            "reserved": cost.worst_case,
            "unit": cost.unit,
        }
        released = self.step(
            "privacy_guardian_release",
            PRIVACY_GUARDIAN,
            [f"aggregated_{number}"],
            [f"released_{number}"],
            receipt=receipt,
            message=requested["message"],
            seed=self.test.seed(),
        )
        answer = self.step(
            "querying_party_finish_release", QUERYING_PARTY, [f"release_{number}"], message=released["message"]
        )
        noise = ReleaseNoise(tuple(released["class_noise"]), released["threshold_noise"])
        logits = [model.logits(features) for model in models()]
        ideal = ideal_functionality(parameters, logits, noise, requested["threshold_noise"])
        expect_equal(answer["label"], ideal.querying_party, f"query {number}")
        self.labels.append(answer["label"])
        if answer["answered_message"] is None:
            return
        read = self.step(
            "privacy_guardian_read_answered",
            PRIVACY_GUARDIAN,
            [f"released_{number}"],
            message=answer["answered_message"],
        )
        expect_equal(read["answered"], ideal.privacy_guardian[1], f"answered bit of query {number}")
