"""An outside engine between all parties in one process: a run begins when every party's words are in.

A run here stands for as many runs side by side, of one answering party each. Where the parties are apart, each enters
its own cases. Spec: CAPC-MPC-040 to CAPC-MPC-042.
"""

from __future__ import annotations

from collections.abc import Mapping

from capc.foundation.parties import PRIVACY_GUARDIAN, QUERYING_PARTY, Party
from capc.models.architecture import Rows
from capc.protocol.engine import ArgmaxCase, EngineCost, ReleaseCase, SecureEngine
from capc.protocol.exchange import Mailbox
from capc.protocol.external_methods import outside_methods
from capc.protocol.seats import Methods
from capc.session.parameters import Parameters


class SharedEngine:
    """As :class:`capc.protocol.external_methods.EngineEntry`, for parties that share this object.

    Args:
        engine: computes steps 1c and 3.
    """

    def __init__(self, engine: SecureEngine) -> None:
        self._engine = engine
        self._masks: dict[tuple[int, Party], Mailbox[tuple[Rows, Rows]]] = {}
        self._noise: dict[int, Mailbox[Rows]] = {}
        self._answered: dict[int, Mailbox[tuple[int | None, ...]]] = {}

    async def enter_masks(self, first: int, party: Party, masks: Rows, fresh_shares: Rows) -> None:
        """Leaves them for the run."""
        self._masks.setdefault((first, party), Mailbox(party)).put((masks, fresh_shares))

    async def enter_logits(
        self, first: int, parameters: Parameters, shares: Mapping[Party, Rows]
    ) -> tuple[dict[Party, Rows], EngineCost]:
        """Runs step 1c when all masks are in."""
        cases = []
        for party, own in shares.items():
            masks, fresh = await self._masks.setdefault((first, party), Mailbox(party)).take()
            cases += [ArgmaxCase(*case) for case in zip(masks, fresh, own, strict=True)]
            del self._masks[first, party]
        votes, cost = self._engine.argmax(parameters, cases)
        count = len(votes) // len(shares)
        return {party: tuple(votes[place * count : (place + 1) * count]) for place, party in enumerate(shares)}, cost

    async def enter_noise(self, first: int, words: Rows) -> tuple[int | None, ...]:
        """Leaves them for the run, and waits for its end."""
        self._noise.setdefault(first, Mailbox(PRIVACY_GUARDIAN)).put(words)
        answered = await self._answered.setdefault(first, Mailbox(QUERYING_PARTY)).take()
        del self._answered[first]
        return answered

    async def enter_votes(
        self, first: int, parameters: Parameters, words: Rows
    ) -> tuple[tuple[tuple[int, ...], ...], EngineCost]:
        """Runs step 3 when the guardian's words are in."""
        theirs = await self._noise.setdefault(first, Mailbox(PRIVACY_GUARDIAN)).take()
        del self._noise[first]
        cases = [ReleaseCase(*case) for case in zip(theirs, words, strict=True)]
        outcomes, cost = self._engine.release(parameters, cases)
        answered = tuple(outcome.privacy_guardian for outcome in outcomes)
        self._answered.setdefault(first, Mailbox(QUERYING_PARTY)).put(answered)
        return tuple(outcome.querying_party for outcome in outcomes), cost


def with_engine(engine: SecureEngine) -> Methods:
    """The methods of a collaboration in one process whose steps 1c and 3 run on an engine."""
    return outside_methods(SharedEngine(engine))
