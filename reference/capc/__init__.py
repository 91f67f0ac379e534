"""CaPC, Confidential and Private Collaborative learning: the formally specified reference.

The core of this package (see ``spec/00-overview.md``) is written to be read and translated by eye. HE inference,
learning and the command line are subpackages around it, each behind an extra.

What callers need of the core can be imported from here; each name is loaded when it is first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from capc.foundation.errors import CapcError, ProtocolError
    from capc.models.model import QuantisedLayer, dense_model
    from capc.privacy.account import Account
    from capc.protocol.collaboration import Collaboration
    from capc.session.parameters import Adjacency, Charge, NoiseName, Parameters, ReleasePolicy
    from capc.session.session import Participant, Session
    from capc.session.widths import ParameterSet
    from capc.steps.suite import reference_suite

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
    "Account": "capc.privacy.account",
    "Adjacency": "capc.session.parameters",
    "CapcError": "capc.foundation.errors",
    "Charge": "capc.session.parameters",
    "Collaboration": "capc.protocol.collaboration",
    "NoiseName": "capc.session.parameters",
    "ParameterSet": "capc.session.widths",
    "Parameters": "capc.session.parameters",
    "Participant": "capc.session.session",
    "ProtocolError": "capc.foundation.errors",
    "QuantisedLayer": "capc.models.model",
    "ReleasePolicy": "capc.session.parameters",
    "Session": "capc.session.session",
    "dense_model": "capc.models.model",
    "reference_suite": "capc.steps.suite",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'capc' has no attribute {name!r}")
    value: object = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
