"""A session, and sessions that differ from it in one field each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

from capc.models.architecture import dense_architecture
from capc.session.parameters import Adjacency, Charge, NoiseName
from capc.session.session import Session
from support.builders import confident_policy, make_parameters, make_session, make_widths

PARAMETERS = make_parameters(make_widths(grid_bits=1), confident_policy(Charge.REALISED))
SESSION = make_session(PARAMETERS, [(2, 4, 3), (2, 3)])


def with_widths(**changes: object) -> Session:
    return replace(SESSION, parameters=replace(PARAMETERS, widths=replace(PARAMETERS.widths, **changes)))


def with_release(**changes: object) -> Session:
    return replace(SESSION, parameters=replace(PARAMETERS, release=replace(PARAMETERS.release, **changes)))


def with_participant(position: int, **changes: object) -> Session:
    entries = list(SESSION.participants)
    entries[position] = replace(entries[position], **changes)
    return replace(SESSION, participants=tuple(entries))


DIFFERENCES: dict[str, Callable[[], Session]] = {
    "parameters.name is": lambda: with_widths(name="another"),
    "parameters.logit_bits is": lambda: with_widths(logit_bits=13),
    "parameters.vote_bits is": lambda: with_widths(vote_bits=12),
    "parameters.grid_bits is": lambda: with_widths(grid_bits=0),
    "parameters.fraction_bits is": lambda: with_widths(fraction_bits=3),
    "parameters.he_poly_degree is": lambda: with_widths(he_poly_degree=8192),
    "parameters.he_coefficient_bits[1] is": lambda: with_widths(he_coefficient_bits=(56, 37, 17)),
    "parameters.he_coefficient_bits is a list of 3 here and a list of 2 there": lambda: with_widths(
        he_coefficient_bits=(56, 36)
    ),
    "parameters.guard_bits is": lambda: with_widths(guard_bits=9),
    "parameters.num_classes is": lambda: make_session(replace(PARAMETERS, num_classes=4), [(2, 4, 4), (2, 4)]),
    "parameters.num_features is": lambda: make_session(replace(PARAMETERS, num_features=5), [(5, 4, 3), (5, 3)]),
    "parameters.mechanism is": lambda: with_release(mechanism=NoiseName.ROUNDED_GAUSSIAN),
    "parameters.sigma is": lambda: with_release(sigma=Fraction(1, 3)),
    "parameters.threshold is": lambda: with_release(threshold=Fraction(3, 2)),
    "parameters.threshold_sigma is": lambda: with_release(threshold_sigma=Fraction(1, 3)),
    "parameters.charge is": lambda: with_release(charge=Charge.WORST_CASE),
    "parameters.adjacency is": lambda: with_release(adjacency=Adjacency.NULL_VOTE),
    "parameters.epsilon is": lambda: with_release(epsilon=Fraction(11)),
    "parameters.delta is": lambda: with_release(delta=Fraction(1, 10)),
    "participants[0].identity is": lambda: with_participant(0, identity=b"\1" * 32),
    "participants[1].identity is": lambda: with_participant(1, identity=b"\1" * 32),
    "participants[3].identity is": lambda: with_participant(3, identity=b"\1" * 32),
    "participants[1].architecture[0].operator.outputs is": lambda: with_participant(
        1, architecture=dense_architecture((2, 5, 3))
    ),
    "participants[2].architecture is a list of 1 here and a list of 2 there": lambda: with_participant(
        2, architecture=dense_architecture((2, 7, 3))
    ),
    "participants[1].architecture is a list of 2 here and a list of 1 there": lambda: make_session(
        PARAMETERS, [(2, 3), (2, 4, 3)]
    ),
    "participants is a list of 4 here and a list of 5 there": lambda: make_session(
        PARAMETERS, [(2, 4, 3), (2, 3), (2, 3)]
    ),
    "session_id is": lambda: replace(SESSION, session_id=bytes(32)),
}
"""How a refusal names the difference, and the session; every parameter is among them but the version."""
