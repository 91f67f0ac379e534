"""The real protocol for a run: session, suite and set-up."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence

from capc.accounting import Account
from capc.he import BfvLinear
from capc.job.state import Labeller
from capc.model import QuantisedModel
from capc.parameters import Parameters
from capc.parties import PRIVACY_GUARDIAN, QUERYING_PARTY, Party, answering_party
from capc.protocol import Collaboration
from capc.session import Participant, Session, fresh_session_id
from capc.suite import reference_suite
from capc.vectorised import VectorisedTwoParty


def open_collaboration(parameters: Parameters, models: Sequence[QuantisedModel], account: Account) -> Labeller:
    """Sets up a session of one querying party, one answering party for each model, and one guardian.

    All of its randomness, the session id included, comes from the operating system (CAPC-RUN-002).
    """
    answering = [
        Participant(answering_party(index), _identity(answering_party(index)), model.architecture)
        for index, model in enumerate(models, start=1)
    ]
    participants = (
        Participant(QUERYING_PARTY, _identity(QUERYING_PARTY)),
        *answering,
        Participant(PRIVACY_GUARDIAN, _identity(PRIVACY_GUARDIAN)),
    )
    session = Session(parameters, fresh_session_id(secrets.token_bytes), participants)
    suite = reference_suite(parameters, BfvLinear(parameters.widths), VectorisedTwoParty())
    return Collaboration(session, models, suite, account)


def _identity(party: Party) -> bytes:
    """In one process a party's identity is a hash of its name; networked parties have certificates."""
    return hashlib.sha256(f"capc run: {party}".encode("ascii")).digest()
