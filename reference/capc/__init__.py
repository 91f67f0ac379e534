"""CaPC, Confidential and Private Collaborative learning: the formally specified reference.

The core of this package (see ``spec/00-overview.md``) is written to be read and translated by eye. HE inference,
learning and the command line are subpackages around it, each behind an extra.

What callers need of the core can be imported from here; each name is loaded when it is first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from capc.accounting import Account
    from capc.errors import CapcError, ProtocolError
    from capc.model import QuantisedLayer, dense_model
    from capc.parameters import Adjacency, Charge, NoiseName, Parameters, ParameterSet, ReleasePolicy
    from capc.protocol import Collaboration
    from capc.session import Participant, Session
    from capc.suite import reference_suite

__all__ = [
    "Account",
    "Adjacency",
    "CapcError",
    "Charge",
    "Collaboration",
    "NoiseName",
    "ParameterSet",
    "Parameters",
    "Participant",
    "ProtocolError",
    "QuantisedLayer",
    "ReleasePolicy",
    "Session",
    "dense_model",
    "reference_suite",
]

_HOMES = {
    "Account": "capc.accounting",
    "Adjacency": "capc.parameters",
    "CapcError": "capc.errors",
    "Charge": "capc.parameters",
    "Collaboration": "capc.protocol",
    "NoiseName": "capc.parameters",
    "ParameterSet": "capc.parameters",
    "Parameters": "capc.parameters",
    "Participant": "capc.session",
    "ProtocolError": "capc.errors",
    "QuantisedLayer": "capc.model",
    "ReleasePolicy": "capc.parameters",
    "Session": "capc.session",
    "dense_model": "capc.model",
    "reference_suite": "capc.suite",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'capc' has no attribute {name!r}")
    value: object = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
