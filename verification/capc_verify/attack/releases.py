"""What is attacked: labels of the shipped release, with its own draws from fresh seeds of the operating system.

Either the ideal functionality, or all parties of a session by the shipped steps, over ideal encryption and two-party
computation. Nothing of the noise or of the comparison is done here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from hashlib import sha256
from secrets import token_bytes
from typing import Protocol

from capc.foundation.parties import PRIVACY_GUARDIAN, QUERYING_PARTY, answering_party
from capc.foundation.randomness import XofSource, fresh_seed
from capc.linear.ideal import IdealLinear
from capc.models.model import QuantisedLayer, QuantisedModel, dense_model
from capc.noise.mechanism import release_mechanisms
from capc.noise.release_noise import draw_release_noise
from capc.privacy.account import Account
from capc.protocol.collaboration import Collaboration
from capc.protocol.functionality import Choices, ideal_functionality, malicious_functionality
from capc.session.parameters import Parameters
from capc.session.session import Participant, Session
from capc.steps.suite import reference_suite
from capc.two_party.ideal import IdealTwoParty

_ENOUGH = Fraction(10**12)
"""A budget that no attack spends: what is attacked is the release, not the account."""


@dataclass(frozen=True)
class Question:
    """A query of the adversary, who knows all votes but that of the protected party.

    Attributes:
        others: how many other parties vote for each class.
        mine: the protected party's class under the first hypothesis.
        instead: its class under the second; None if its vote is nulled there.
        offsets: what a cheating querying party adds to its shares, in grid units; none for an honest one.
    """

    others: tuple[int, ...]
    mine: int
    instead: int | None
    offsets: tuple[int, ...] = ()

    def votes(self, first: bool) -> list[int]:
        """The class of each party that votes, the protected one first."""
        own = self.mine if first else self.instead
        rest = [label for label, count in enumerate(self.others) for _ in range(count)]
        return rest if own is None else [own, *rest]

    def counts(self, first: bool, unit: int) -> list[int]:
        """Votes of each class in grid units, with the offsets."""
        votes = self.votes(first)
        offsets = self.offsets or (0,) * len(self.others)
        return [votes.count(label) * unit + offset for label, offset in enumerate(offsets)]


Ask = Callable[[Question], int | None]
"""One query: the released label, or None for "no consensus"."""


class Release(Protocol):
    """Something whose labels are attacked."""

    def opened(self, first: bool) -> Ask:
        """Asks it under one hypothesis; the trials of one hypothesis follow each other."""


@dataclass(frozen=True)
class Functionality:
    """F_CaPC, and F*_CaPC for a querying party that adds to its shares, with the guardian's own draws."""

    parameters: Parameters

    def opened(self, first: bool) -> Ask:
        """See :class:`Release`."""
        parameters = self.parameters
        mechanisms = release_mechanisms(parameters.release, parameters.widths.grid_bits)

        def ask(question: Question) -> int | None:
            noise = draw_release_noise(mechanisms, parameters.num_classes, XofSource(fresh_seed(), b""))
            votes = question.votes(first)
            if not question.offsets:
                logits = [[int(label == vote) for label in range(parameters.num_classes)] for vote in votes]
                return ideal_functionality(parameters, logits, noise).querying_party
            models = [_voter(parameters, [vote]) for vote in votes]
            query = [1 << parameters.widths.fraction_bits]
            choices = Choices(counts=question.offsets)
            return malicious_functionality(parameters, models, query, noise, choices).querying_party

        return ask


@dataclass(frozen=True)
class WholeSessions:
    """All parties of a session: the queries of an adversary are one-hot, and each party's model votes by a table.

    Args:
        parameters: as many features as there are questions.
        questions: all that will be asked; none has offsets.
    """

    parameters: Parameters
    questions: Sequence[Question]

    def opened(self, first: bool) -> Ask:
        """See :class:`Release`."""
        votes = [question.votes(first) for question in self.questions]
        models = [_voter(self.parameters, column) for column in zip(*votes, strict=True)]
        parties = {answering_party(number): model for number, model in enumerate(models, 1)}
        shapes = {QUERYING_PARTY: None, **{party: model.architecture for party, model in parties.items()}}
        participants = tuple(
            Participant(party, sha256(str(party).encode()).digest(), shape)
            for party, shape in {**shapes, PRIVACY_GUARDIAN: None}.items()
        )
        parameters = self.parameters
        suite = reference_suite(parameters, IdealLinear(parameters.widths.logit_bits), IdealTwoParty())
        account = Account(parameters.release, parameters.widths.grid_bits, _ENOUGH)
        session = Session(parameters, token_bytes(32), participants)
        collaboration = Collaboration(session, models, suite, account)
        places = {question: number for number, question in enumerate(self.questions)}
        one = 1 << parameters.widths.fraction_bits

        def ask(question: Question) -> int | None:
            query = [one * int(number == places[question]) for number in range(len(self.questions))]
            return collaboration.label_batch([query])[0].label

        return ask


def _voter(parameters: Parameters, votes: Sequence[int]) -> QuantisedModel:
    """A model that votes for the class that a table has for the one feature that is 1."""
    one = 1 << parameters.widths.fraction_bits
    rows = tuple(tuple(one * int(label == vote) for vote in votes) for label in range(parameters.num_classes))
    return dense_model((QuantisedLayer(rows, (0,) * len(rows)),), parameters.widths.fraction_bits)
