"""A session: parameters, participants and an id, to whose digest every message is bound (CAPC-ROLE, CAPC-WIRE).

Spec: CAPC-PARAM-050, CAPC-PARAM-051.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from capc.foundation import guarded
from capc.foundation.errors import InputError, ParameterError
from capc.foundation.parties import PRIVACY_GUARDIAN, QUERYING_PARTY, Party, Role, answering_party
from capc.foundation.randomness import SEED_BYTES, STREAM_LIMIT
from capc.models.architecture import Architecture
from capc.session.parameters import Parameters, VoteVariant, canonical_json
from capc_spec.registry import TAGS

SESSION_ID_BYTES = 32

IDENTITY_BYTES = 32

MAX_ANSWERING = 4096

MAX_LAYERS = 256
"""What a header can number; rounds of a vote count as layers."""

MAX_QUERIES = (1 << 32) - 1


@dataclass(frozen=True)
class Participant:
    """What is public about one party.

    Attributes:
        party: role and index.
        identity: 32 public bytes that name the organisation (for example the hash of its certificate).
        architecture: for an answering party the public shape of its model, from d features to C logits; it is
            revealed to the querying party. None for the other roles.
    """

    party: Party
    identity: bytes
    architecture: Architecture | None = None

    def document(self) -> dict[str, object]:
        """The participant as the session document holds it."""
        return {
            "architecture": None if self.architecture is None else self.architecture.document(),
            "identity": self.identity.hex(),
            "party": str(self.party),
        }


@dataclass(frozen=True)
class Session:
    """Parameters, session id and the participant set, in the order QP, AP_1 ... AP_K, PG.

    Raises:
        ParameterError: the set is not one querying party, K >= 1 answering parties and one guardian in that
            order, a model does not run from d features to C logits, an identity occurs twice, or K votes do not fit
            the vote ring.

    Spec: CAPC-ROLE-024, CAPC-PARAM-055, CAPC-PARAM-056.
    """

    parameters: Parameters
    session_id: bytes
    participants: tuple[Participant, ...]

    def __post_init__(self) -> None:
        count = len(self.participants) - 2
        if not 1 <= count <= MAX_ANSWERING:
            raise ParameterError(f"{max(count, 0)} answering parties: a session has 1 to {MAX_ANSWERING}")
        expected = [QUERYING_PARTY, *(answering_party(i + 1) for i in range(count)), PRIVACY_GUARDIAN]
        if [entry.party for entry in self.participants] != expected:
            raise ParameterError("participants must be in the order querying_party, answering_party_1.., guardian")
        if len(self.session_id) != SESSION_ID_BYTES:
            raise ParameterError(f"a session id of {len(self.session_id)} bytes: it has {SESSION_ID_BYTES}")
        seen: set[bytes] = set()
        for entry in self.participants:
            if len(entry.identity) != IDENTITY_BYTES or entry.identity in seen:
                raise ParameterError(f"the identity of {entry.party} must be {IDENTITY_BYTES} bytes of its own")
            seen.add(entry.identity)
            self._check_architecture(entry)
        self.parameters.check_threshold(count)
        self.parameters.check_vote_range(count)

    def _check_architecture(self, entry: Participant) -> None:
        if entry.party.role is not Role.ANSWERING_PARTY:
            if entry.architecture is not None:
                raise ParameterError(f"{entry.party} declares a model; only answering parties have one")
            return
        wanted = (self.parameters.num_features, self.parameters.num_classes)
        if entry.architecture is None or (entry.architecture.inputs, entry.architecture.outputs) != wanted:
            raise ParameterError(
                f"the model of {entry.party} must run from {wanted[0]} features to {wanted[1]} logits: "
                "declare such an architecture"
            )
        self._check_figures(entry.party, entry.architecture)
        self._check_error(entry.party, entry.architecture)
        if self.parameters.vote_variant is VoteVariant.MULTI_ROUND:
            layers = len(entry.architecture.stages) + (self.parameters.num_classes - 1).bit_length() - 1
            if layers > MAX_LAYERS:
                raise ParameterError(
                    f"the model of {entry.party} has {layers} layers with the rounds of its vote, of {MAX_LAYERS}: "
                    f"choose the vote's variant {VoteVariant.TOURNAMENT.value}"
                )

    def _check_figures(self, party: Party, architecture: Architecture) -> None:
        """What a layer's ReLU drops and keeps are bits of a sum below its sign, and one is above a cap."""
        widths = self.parameters.widths
        bounds = architecture.stated_bounds(widths.fraction_bits)
        for layer, (stage, (_, total)) in enumerate(zip(architecture.stages, bounds, strict=True)):
            if total is not None and total.bit_length() + 2 > widths.logit_bits:
                raise InputError(
                    f"layer {layer} of the model of {party} needs {total.bit_length() + 2} bits by what it states, and "
                    f"the logit ring has {widths.logit_bits}: state fewer sum_bits or a smaller cap"
                )
            dropped, most = stage.scale_bits(widths.fraction_bits), widths.logit_bits - 2
            cap = stage.most(widths.fraction_bits)
            if dropped + (cap or 0).bit_length() > most:
                raise InputError(
                    f"layer {layer} of the model of {party} has weights of {dropped} fraction bits and a cap of "
                    f"{(cap or 0).bit_length()} bits: choose them for {most} bits together"
                )
            if cap == 0:
                raise InputError(
                    f"layer {layer} of the model of {party} has the cap {stage.cap}, less than 2^-f: raise it"
                )

    def _check_error(self, party: Party, architecture: Architecture) -> None:
        """Errors of responses add up in sums with skips, and in differences; the guard bits must have room for them."""
        widths, counts = self.parameters.widths, architecture.responses_added
        compares = 1 if self.parameters.vote_variant is VoteVariant.TOURNAMENT else 2
        for layer, added in enumerate(counts):
            factor = added * (compares if layer == len(counts) - 1 else 1)
            if factor * widths.response_error > guarded.room(widths.guard_bits):
                raise ParameterError(
                    f"layer {layer} of the model of {party} adds up the errors of {factor} responses, and guard_bits = "
                    f"{widths.guard_bits} have room for {guarded.room(widths.guard_bits) // widths.response_error}: "
                    "give layers whose sums are skipped an activation"
                )

    @property
    def num_answering(self) -> int:
        """K."""
        return len(self.participants) - 2

    @cached_property
    def answering_parties(self) -> tuple[Party, ...]:
        """AP_1 ... AP_K."""
        return tuple(entry.party for entry in self.participants[1:-1])

    def architecture(self, party: Party) -> Architecture:
        """The public shape of an answering party's model.

        Raises:
            ParameterError: the party is not an answering party.
        """
        # Participants stand in the order of their indices: no search, which K parties would make K times.
        answers = party.role is Role.ANSWERING_PARTY and 1 <= party.index <= self.num_answering
        architecture = self.participants[party.index].architecture if answers else None
        if architecture is None:
            raise ParameterError(f"{party} has no model: only answering parties have one")
        return architecture

    def check_batch(self, count: int) -> None:
        """Refuses a batch for which the masks of one value could exceed one stream of randomness.

        Raises:
            InputError: names the party with the longest value, and how many queries fit.
        """
        element = (self.parameters.widths.share_bits + 7) // 8
        party, longest = self._longest_value
        # The HE layer reads a seed from the same stream.
        most = (STREAM_LIMIT - SEED_BYTES) // (longest * element)
        if count > most:
            raise InputError(
                f"{count} queries at once, with {longest} elements in a value of {party}: at most {most} fit"
            )

    @cached_property
    def _longest_value(self) -> tuple[Party, int]:
        """The elements of the longest value of all models, and the first party that has one."""
        best, longest = self.answering_parties[0], self.parameters.num_features
        for party in self.answering_parties:
            longest_here = max(max(stage.sums, stage.outputs) for stage in self.architecture(party).stages)
            if longest_here > longest:
                best, longest = party, longest_here
        return best, longest

    def document(self) -> dict[str, object]:
        """Everything a party checks before it takes part: parameters, session id and participants."""
        return {
            "parameters": self.parameters.document(),
            "participants": [entry.document() for entry in self.participants],
            "session_id": self.session_id.hex(),
        }

    @cached_property
    def canonical(self) -> bytes:
        """The document's one encoding, made once."""
        return canonical_json(self.document())

    @cached_property
    def tag(self) -> bytes:
        """The 32 bytes in the header of every message: SHA-256(domain || parameter digest || document)."""
        return hashlib.sha256(TAGS["session"] + self.parameters.digest + self.canonical).digest()


@dataclass(frozen=True)
class Batch:
    """Consecutive queries that pass through the steps together.

    Attributes:
        first: the number of the first; messages of the batch carry it.
        count: how many there are.
    """

    first: int
    count: int

    @property
    def queries(self) -> range:
        """Their numbers."""
        return range(self.first, self.first + self.count)


def following_query(query: int, count: int = 1) -> int:
    """The number after ``count`` queries from ``query`` on.

    Raises:
        InputError: the session has not as many numbers left.
    """
    if count < 1 or query + count - 1 > MAX_QUERIES:
        raise InputError(f"{count} queries from number {query} on: ask at least one, up to number {MAX_QUERIES}")
    return query + count


def fresh_session_id(random_bytes: Callable[[int], bytes]) -> bytes:
    """A session id; the runner passes ``secrets.token_bytes`` (CAPC-PARAM-010)."""
    return random_bytes(SESSION_ID_BYTES)
