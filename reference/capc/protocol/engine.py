"""Steps 1c and 3 on an engine outside of this package: what it is given, and what it gives to whom.

The embedded engine is the garbled circuits that answering party and guardian make. An outside engine computes the same
two functions from the same shares; the steps around it are in :mod:`capc.steps.querying_party.external`, and
:mod:`capc.protocol.external_methods` plays them. Its inputs belong to two parties each; an engine in one process hands
every input to a process of its owner.

Spec: CAPC-MPC-040 to CAPC-MPC-042.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from capc.foundation.hidden import type_only
from capc.session.parameters import Parameters


class ArgmaxCase(NamedTuple):
    """Step 1c of one query with one answering party.

    Attributes:
        masks: the answering party's C words of its logits, of l + 1 bits (:mod:`capc.foundation.guarded`).
        fresh_shares: its C fresh uniform shares of the vote, in Z_{2^w}.
        logit_shares: the querying party's C words of the logits, likewise.
    """

    masks: tuple[int, ...]
    fresh_shares: tuple[int, ...]
    logit_shares: tuple[int, ...]

    def __repr__(self) -> str:
        return type_only(self)


class ReleaseCase(NamedTuple):
    """Step 3 of one query: each party's words, as :func:`capc.steps.release_circuit.circuit_for` orders them.

    Attributes:
        privacy_guardian: its share with noise, after its share with the check's noise where that has draws of its
            own; with a threshold T.
        querying_party: its share; in realised mode then its share with its own noise of the check.
    """

    privacy_guardian: tuple[int, ...]
    querying_party: tuple[int, ...]

    def __repr__(self) -> str:
        return type_only(self)


class ReleaseOutcome(NamedTuple):
    """What each party learns from step 3.

    Attributes:
        querying_party: the output bits of the release circuit.
        privacy_guardian: in realised mode the answered bit, else None.
    """

    querying_party: tuple[int, ...]
    privacy_guardian: int | None

    def __repr__(self) -> str:
        return type_only(self)


class EngineCost(NamedTuple):
    """Of one call: bytes that all parties sent, and rounds."""

    bytes: int
    rounds: int


@dataclass(frozen=True)
class EngineDescription:
    """What a report says of the engine.

    Attributes:
        name: `embedded`, or the engine and its protocol.
        model: the threat model that the configuration declares, under which the engine may run.
        version: of the engine; None for the embedded one.
        parties: of one run, those without inputs included.
        not_withstood: coalitions of the base model against which this engine keeps nothing secret.
    """

    name: str
    model: str
    version: str | None = None
    parties: int = 2
    not_withstood: tuple[str, ...] = field(default=())


EMBEDDED = EngineDescription("embedded", "base")


class SecureEngine(Protocol):
    """Computes steps 1c and 3 for a batch of cases in one run; every call reveals what its result says, and no more."""

    @property
    def description(self) -> EngineDescription:
        """What reports say."""

    def argmax(self, parameters: Parameters, cases: Sequence[ArgmaxCase]) -> tuple[list[tuple[int, ...]], EngineCost]:
        """For each case the querying party's C shares onehot(argmax r) - fresh_shares mod 2^w.

        Raises:
            InputError: the engine failed; one line says where.
        """

    def release(self, parameters: Parameters, cases: Sequence[ReleaseCase]) -> tuple[list[ReleaseOutcome], EngineCost]:
        """For each case the release circuit's outputs; errors as of :meth:`argmax`."""
