"""What a session asks of its answering parties' networks, asked before there is one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from capc.foundation.parties import PRIVACY_GUARDIAN, QUERYING_PARTY, answering_party
from capc.linear.bfv import BfvLinear
from capc.models.architecture import Architecture
from capc.session.parameters import Parameters
from capc.session.session import IDENTITY_BYTES, SESSION_ID_BYTES, Participant, Session
from capc.session.widths import ParameterSet


def check_windows(widths: ParameterSet, architectures: Iterable[Architecture]) -> None:
    """Refuses operators that homomorphic encryption does not take.

    Raises:
        InputError: a window does not fit a polynomial of the set.
    """
    linear = BfvLinear(widths)
    for architecture in architectures:
        for stage in architecture.stages:
            linear.request_length(stage.operator, 1)


def session_of(parameters: Parameters, architectures: Sequence[Architecture]) -> Session:
    """A session of answering parties with these networks; its id is 0, and its identities are numbers.

    Raises:
        InputError: it does not admit one of them; the line names the party.
    """
    shapes = [None, *architectures, None]
    parties = [QUERYING_PARTY, *(answering_party(index + 1) for index in range(len(architectures))), PRIVACY_GUARDIAN]
    participants = tuple(
        Participant(party, index.to_bytes(IDENTITY_BYTES), shape)
        for index, (party, shape) in enumerate(zip(parties, shapes, strict=True))
    )
    return Session(parameters, bytes(SESSION_ID_BYTES), participants)
