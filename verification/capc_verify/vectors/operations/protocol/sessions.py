"""Parameters, sessions, hellos and headers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from capc.foundation.errors import ParameterError
from capc.models.architecture import Architecture
from capc.session.envelope import Envelope, MessageType
from capc.session.hello import check_hello, hello
from capc.session.parameters import (
    SPEC_VERSION,
    Adjacency,
    Charge,
    NoiseName,
    Parameters,
    ReleasePolicy,
    ThresholdMode,
    VoteVariant,
    canonical_json,
)
from capc.session.session import Participant, Session
from capc.session.widths import ParameterSet
from capc_verify.vectors.operation import ANY_ROLE, Call, GroupType, Operation, Result, named
from capc_verify.vectors.operations.shapes import ARCHITECTURE, architecture_from
from capc_verify.vectors.values import COUNT, DATA, PARTY, RATIONAL, TEXT, choice, many, optional, record

HEADER_FAULTS = frozenset(
    {
        "NoHeader",
        "WrongType",
        "ForeignSession",
        "WrongQuery",
        "WrongLayer",
        "WrongSender",
        "WrongReceiver",
    }
)
"""What the negative vectors of every received message must show about its header."""
MESSAGE_FAULTS = HEADER_FAULTS | {"Short", "Long"}
"""And about its length."""

WIDTHS = {
    "name": TEXT,
    "logit_bits": COUNT,
    "vote_bits": COUNT,
    "grid_bits": COUNT,
    "fraction_bits": COUNT,
    "guard_bits": COUNT,
    "he_poly_degree": COUNT,
    "he_coefficient_bits": many(COUNT),
}
POLICY = {
    "mechanism": choice(NoiseName),
    "sigma": RATIONAL,
    "threshold": optional(RATIONAL),
    "threshold_sigma": optional(RATIONAL),
    "charge": choice(Charge),
    "adjacency": choice(Adjacency),
    "epsilon": RATIONAL,
    "delta": RATIONAL,
}
COMPOSITION = {
    "renyi_order": RATIONAL,
    "joint_cost": RATIONAL,
    "threshold_mode": choice(ThresholdMode),
    "argmax_cost": RATIONAL,
    "argmax_queries": COUNT,
}
"""Fields of a policy that are left out where it has none."""
_VARIANT = "vote_variant"
"""A document names it only where it is not the tournament."""
_PARAMETERS = record(
    {"spec_version": TEXT, **WIDTHS, **POLICY, "num_classes": COUNT, "num_features": COUNT},
    {**COMPOSITION, _VARIANT: choice(VoteVariant)},
)
_PARTICIPANT = {"party": PARTY, "identity": DATA, "architecture": optional(ARCHITECTURE)}
_SESSION = {"parameters": _PARAMETERS, "participants": many(record(_PARTICIPANT)), "session_id": DATA}


def parameters_from(fields: Mapping[str, Any]) -> Parameters:
    """The parameters that a document states; its rules are checked here, so an operation does it, not a schema."""
    if fields["spec_version"] != SPEC_VERSION:
        raise ParameterError(f"spec_version = {fields['spec_version']}: this code has {SPEC_VERSION}")
    widths = {name: fields[name] for name in WIDTHS}
    widths["he_coefficient_bits"] = tuple(widths["he_coefficient_bits"])
    policy = ReleasePolicy(**{name: fields[name] for name in {**POLICY, **COMPOSITION} if name in fields})
    variant = fields.get(_VARIANT, VoteVariant.TOURNAMENT)
    return Parameters(ParameterSet(**widths), fields["num_classes"], fields["num_features"], policy, variant)


def session_from(document: Mapping[str, Any]) -> Session:
    """The session that a document states."""
    participants = tuple(
        Participant(entry["party"], entry["identity"], _model_of(entry["architecture"]))
        for entry in document["participants"]
    )
    return Session(parameters_from(document["parameters"]), document["session_id"], participants)


SESSION = record(_SESSION)
"""A session document: exactly the JSON object that a hello carries, with the keys in any order."""


def _model_of(stages: Sequence[Mapping[str, Any]] | None) -> Architecture | None:
    return None if stages is None else architecture_from(stages)


def _parameters_digest(call: Call) -> Result:
    parameters = parameters_from(call["parameters"])
    return Result({"canonical": canonical_json(parameters.document()), "digest": parameters.digest})


def _session_tag(call: Call) -> Result:
    return Result({"tag": session_from(call["session"]).tag})


SESSIONS = GroupType(
    "Session",
    named(
        Operation(
            "parameters_digest",
            _parameters_digest,
            {"parameters": _PARAMETERS},
            {"canonical": DATA, "digest": DATA},
        ),
        Operation("session_tag", _session_tag, {"session": SESSION}, {"tag": DATA}),
    ),
)


def _check_hello(call: Call) -> Result:
    check_hello(call.environment, call["sender"], call.party or call["sender"], call["message"])
    return Result()


HANDSHAKE = GroupType(
    "Handshake",
    named(
        Operation(
            "hello",
            lambda call: Result({"message": hello(call.environment, call.party or call["receiver"], call["receiver"])}),
            {"receiver": PARTY},
            {"message": DATA},
            role=ANY_ROLE,
        ),
        Operation("check_hello", _check_hello, {"sender": PARTY, "message": DATA}, role=ANY_ROLE),
    ),
    {"session": SESSION},
    lambda params: session_from(params["session"]),
    {"check_hello": MESSAGE_FAULTS | {"ParameterMismatch", "NotJson", "OtherEncoding"}},
)

_HEADER = {
    "type": COUNT,
    "session_tag": DATA,
    "query": COUNT,
    "layer": COUNT,
    "sender": PARTY,
    "receiver": PARTY,
}


def _envelope(call: Call) -> Envelope:
    fields = {name: call[name] for name in _HEADER if name != "type"}
    return Envelope(MessageType(call["type"]), **fields)


ENVELOPE = GroupType(
    "Envelope",
    named(
        Operation(
            "message_seal",
            lambda call: Result({"message": _envelope(call).seal(call["payload"])}),
            {**_HEADER, "payload": DATA},
            {"message": DATA},
        ),
        Operation(
            "message_open",
            lambda call: Result({"payload": _envelope(call).open(call["message"], call["length"])}),
            {**_HEADER, "message": DATA, "length": COUNT},
            {"payload": DATA},
        ),
    ),
    receives={"message_open": MESSAGE_FAULTS},
)
