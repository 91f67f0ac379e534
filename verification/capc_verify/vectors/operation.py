"""What an operation of a vector is: a name, typed fields, and the shipped code that it calls.

Spec: CAPC-VEC-001.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from types import MappingProxyType
from typing import Any

from capc.foundation.errors import (
    BudgetExhaustedError,
    CapcError,
    InputError,
    InvalidPayloadError,
    ParameterError,
    ProtocolError,
    RandomnessExhaustedError,
    StateReuseError,
)
from capc.foundation.parties import Party
from capc_verify.vectors.values import Json, Kind

ANY_ROLE = "any"
"""The role of an operation that every party may perform."""
CALLER, SENDER = "caller", "sender"
"""Who is to blame where no party is: the caller of the operation, or whoever sent the bytes."""

Fields = Mapping[str, Kind]
NOTHING: Fields = MappingProxyType({})

CALLER_ERRORS: tuple[tuple[type[CapcError], str], ...] = (
    (StateReuseError, "state_reused"),
    (ParameterError, "parameter_error"),
    (InputError, "input_error"),
    (RandomnessExhaustedError, "randomness_exhausted"),
    (BudgetExhaustedError, "budget_exhausted"),
)
"""Codes of the mistakes of a caller, the most special first. The codes of a peer's are those of section 04."""


@dataclass(frozen=True)
class Fault:
    """An error in the language-neutral form: code, who is to blame, and the index within its role."""

    code: str
    blame: str
    party_index: int = 0

    @classmethod
    def of_peer(cls, code: str, party: Party) -> Fault:
        """A fault of that party."""
        return cls(code, party.role.value, party.index)

    @classmethod
    def of_caller(cls, code: str) -> Fault:
        """A fault of whoever called the operation."""
        return cls(code, CALLER)

    @classmethod
    def of_error(cls, error: CapcError) -> Fault:
        """The form of an error that the shipped code raised."""
        if isinstance(error, ProtocolError):
            return cls.of_peer(error.code.value, error.blame)
        if isinstance(error, InvalidPayloadError):
            return cls(error.code.value, SENDER)
        for family, code in CALLER_ERRORS:
            if isinstance(error, family):
                return cls.of_caller(code)
        raise error

    def to_json(self) -> Json:
        """As the vectors hold it."""
        return {"code": self.code, "blame": self.blame, "party_index": self.party_index}


@dataclass(frozen=True)
class Call:
    """One call of an operation.

    Attributes:
        environment: what the group's parameters were made into.
        fields: the inputs, read.
        states: the states that the operation takes, in order.
        party: who acts; None where an operation belongs to no role.
    """

    environment: Any
    fields: Mapping[str, Any]
    states: Sequence[Any]
    party: Party | None

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401
        return self.fields[name]


@dataclass(frozen=True)
class Result:
    """What an operation gives: outputs that count, states, and intermediate values for debugging."""

    out: Mapping[str, Any] = field(default_factory=dict)
    states: tuple[object, ...] = ()
    intermediate: Mapping[str, Any] = field(default_factory=dict)


class Part(IntEnum):
    """Parts of a session, one after another; the last two for each query. A vector lists steps part by part."""

    SETUP = 0
    REVERSE_SETUP = 1
    OPENING = 2
    JOINING = 3
    ENTERING = 4
    INFERENCE = 5
    AGGREGATION = 6
    RELEASE = 7


@dataclass(frozen=True)
class Offer:
    """What an implementation that is judged gives where its result is not determined, and what must hold of it.

    Attributes:
        gives: the fields of its result.
        make: a result of the shipped code.
        problem: what is wrong with a result; None if nothing is.
    """

    gives: Fields
    make: Callable[[Call], Mapping[str, Any]]
    problem: Callable[[Call, Mapping[str, Any]], str | None]


@dataclass(frozen=True)
class Operation:
    """An operation.

    Attributes:
        name: for a step of the protocol, the frozen name of its function.
        run: calls the shipped code.
        takes: the fields of ``in``.
        gives: the fields of ``expect.out``.
        shows: the fields of ``expect.intermediate``.
        role: who acts; empty if nobody does, :data:`ANY_ROLE` if every party may.
        calls: of a step of the protocol, the functions of which the roles' programs call one.
        part: of a step of the protocol, when it is taken.
        figure: of an operation whose result lies between bounds, what computes it (``vectors.figures``).
        offer: of an operation whose result is not determined, what must hold of it (``vectors.figures``).
    """

    name: str
    run: Callable[[Call], Result]
    takes: Fields = field(default_factory=dict)
    gives: Fields = field(default_factory=dict)
    shows: Fields = field(default_factory=dict)
    role: str = ""
    calls: tuple[Callable[..., Any], ...] = ()
    part: Part = Part.SETUP
    figure: Callable[[Call], Any] | None = None
    offer: Offer | None = None


@dataclass(frozen=True)
class GroupType:
    """A type of test group.

    Attributes:
        name: as ``type`` holds it.
        operations: those that its tests may use.
        params: the fields of ``params``.
        prepare: turns the parameters into the environment of a test; a fresh one for every test.
        receives: for each operation that takes a message, the flags that its negative vectors must show.
    """

    name: str
    operations: Mapping[str, Operation]
    params: Mapping[str, Kind] = field(default_factory=dict)
    prepare: Callable[[Mapping[str, Any]], object] = lambda params: params
    receives: Mapping[str, frozenset[str]] = field(default_factory=dict)


def named(*operations: Operation) -> dict[str, Operation]:
    """The operations by name."""
    return {operation.name: operation for operation in operations}
