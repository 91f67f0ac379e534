"""The three roles, and the names of the parties that play them (spec/02-roles.md)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """A role of the protocol. The value is the name on the wire, in vectors and in text."""

    QUERYING_PARTY = "querying_party"
    ANSWERING_PARTY = "answering_party"
    PRIVACY_GUARDIAN = "privacy_guardian"


ROLE_CODES = {Role.QUERYING_PARTY: 0, Role.ANSWERING_PARTY: 1, Role.PRIVACY_GUARDIAN: 2}
"""One byte per role in a message header."""


@dataclass(frozen=True)
class Party:
    """A party: its role, and its index within the role (answering parties count from 1, the others are 0)."""

    role: Role
    index: int = 0

    def __str__(self) -> str:
        return f"{self.role.value}_{self.index}" if self.role is Role.ANSWERING_PARTY else self.role.value


QUERYING_PARTY = Party(Role.QUERYING_PARTY)
PRIVACY_GUARDIAN = Party(Role.PRIVACY_GUARDIAN)


def answering_party(index: int) -> Party:
    """The answering party AP_index; ``index`` counts from 1."""
    return Party(Role.ANSWERING_PARTY, index)


def organisation(number: int) -> str:
    """The name of one of K + 1 organisations that take turns: the one of its role while organisation 0 asks."""
    return str(answering_party(number) if number else QUERYING_PARTY)
