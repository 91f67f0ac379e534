"""Transfers for releases, made by one extension for many: most requests are their choice bits and a number.

An extension has a check and a block of transfers that is sacrificed, which is more than one release needs. So a request
that has no transfers left makes those of its own query and of the queries that follow.

Spec: CAPC-REL-011 to CAPC-REL-013.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic

from capc.session.parameters import Parameters
from capc.steps.release_circuit import circuit_for
from capc.two_party.interface import AnyScheme
from capc.two_party.transfers import End, Transfers

RELEASES_AHEAD = 32
"""Consecutive queries that one extension serves; 31 of them send no rows."""

FIRST_BYTES = 4


def counts_ahead(parameters: Parameters) -> list[int]:
    """Transfers of each release that an extension serves."""
    return [circuit_for(parameters).evaluator_inputs] * RELEASES_AHEAD


def request_lengths(scheme: AnyScheme, parameters: Parameters) -> tuple[int, int]:
    """Bytes of an extension that a request makes transfers with, and of the choice bits of every request."""
    extension = scheme.extension_length(sum(counts_ahead(parameters)))
    return extension, scheme.bits_length(circuit_for(parameters), 1)


@dataclass(frozen=True, repr=False)
class _Held(Generic[End]):
    first: int
    left: dict[int, Transfers[End]]
    digest: bytes


@dataclass(frozen=True, repr=False)
class Taken(Generic[End]):
    """Transfers for one release. Secret.

    Attributes:
        first: the query whose request made them.
        transfers: one for each bit of the querying party's words.
        digest: SHA-256 of the extension, at the guardian.
    """

    first: int
    transfers: Transfers[End]
    digest: bytes

    def __repr__(self) -> str:
        return "<Taken>"


class ReleaseTransfers(Generic[End]):
    """One party's transfers for later releases, which all states of the party share. Secret.

    Those of the last extension only: both parties forget what is left of an earlier one, so that they hold the same.
    """

    def __init__(self) -> None:
        self._held = _Held[End](0, {}, b"")

    def hold(self, first: int, transfers: Sequence[Transfers[End]], digest: bytes = b"") -> None:
        """Keeps the transfers of the queries after ``first``, whose request made them.

        Args:
            first: that query.
            transfers: of the queries that follow it, in order.
            digest: as of :class:`Taken`.
        """
        self._held = _Held(first, dict(enumerate(transfers, first + 1)), digest)

    def ask(self, first: int) -> None:
        """Querying party: the request of ``first`` makes others, and the guardian will forget what it holds."""
        self._held = _Held(first, {}, b"")

    def confirm(self, first: int, transfers: Sequence[Transfers[End]]) -> None:
        """Querying party: the request of ``first`` was answered, so the guardian holds its transfers, or later ones."""
        if self._held.first == first:
            self.hold(first, transfers)

    def made_with(self, query: int) -> int | None:
        """The query whose request made transfers for this one, if they are there and nobody took them."""
        held = self._held
        return held.first if query in held.left else None

    def take(self, query: int) -> Taken[End] | None:
        """The transfers of a query, once; None if they are not there any more."""
        held = self._held
        # One thread only takes them: popping is atomic.
        transfers = held.left.pop(query, None)
        return None if transfers is None else Taken(held.first, transfers, held.digest)

    def __repr__(self) -> str:
        return "<ReleaseTransfers>"
