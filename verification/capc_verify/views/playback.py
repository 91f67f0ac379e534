"""The shipped protocol, played from the end of its set-up once for every outcome of its draws."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from enum import Enum
from fractions import Fraction
from itertools import count
from typing import NamedTuple

from capc.foundation.errors import BudgetExhaustedError
from capc.foundation.parties import QUERYING_PARTY, ROLE_CODES, Party
from capc.foundation.randomness import RandomSource, Seed, XofSource
from capc.models.model import QuantisedModel
from capc.protocol.collaboration import Collaboration
from capc.protocol.embedded_methods import EmbeddedInference, EmbeddedPreparation, EmbeddedRelease, aggregate
from capc.protocol.seats import AnsweringSeat, GuardianSeat, Methods, QueryingSeat
from capc.session.channel import Channel
from capc.steps.answering_party.inference import AnsweringVoteShare
from capc.steps.answering_party.party import AnsweringParty
from capc.steps.privacy_guardian.party import VoteCollection
from capc.steps.querying_party.inference import VoteShare
from capc.steps.querying_party.party import ReleaseTurn
from capc.steps.suite import hide_linear, hide_two_party, hybrid_suite
from capc_verify.views.collection import Notebook, NotedLinear, NotedTwoParty
from capc_verify.views.enumeration import Draw, Tape
from capc_verify.views.fixes import ZERO_SUM, Coalition, Fix, Source, nothing
from capc_verify.views.law import Law, image
from capc_verify.views.symbols import Symbols
from capc_verify.views.toy import GUARD_BITS, LOGIT_BITS, ToyAccount, ToyParameters, toy_mechanisms, toy_session
from capc_verify.views.toy_ledger import ToyLedger, Watcher

_PARTY_BYTES = 3


class Until(Enum):
    """Where a play stops."""

    VOTE_SHARES = "steps 1a to 1c"
    AGGREGATION = "steps 1a to 2"
    RELEASE = "all steps"


class PlayedView(NamedTuple):
    """One outcome, as a coalition sees it.

    Attributes:
        randomness: the coalition's own enumerated draws.
        view: every message received, and everything the ideal functionalities gave.
        output: what F_CaPC gives: the label or "no consensus" (None), of a batch one for each query; None where step 3
            is not played.
    """

    randomness: Hashable
    view: Hashable
    output: Hashable


def output_of(seen: Hashable) -> Hashable:
    """The output in a :class:`PlayedView`."""
    return _as_seen(seen).output


def randomness_of(seen: Hashable) -> Hashable:
    """The coalition's own randomness in a :class:`PlayedView`."""
    return _as_seen(seen).randomness


def output_and_randomness(seen: Hashable) -> Hashable:
    """The output in a :class:`PlayedView`, and the coalition's own randomness: under these a view tells no more."""
    return _as_seen(seen).output, _as_seen(seen).randomness


def without_output(law: Law) -> Law:
    """The law of :class:`PlayedView` for a coalition that is given no output."""
    return image(law, lambda seen: _as_seen(seen)._replace(output=None))


def with_answered_bit(law: Law) -> Law:
    """The law of :class:`PlayedView` for a coalition whose output is only whether there is a label."""
    return image(law, lambda seen: _as_seen(seen)._replace(output=_as_seen(seen).output is not None))


def _labels(seen: Hashable) -> tuple[Hashable, ...]:
    labels = _as_seen(seen).output
    if not isinstance(labels, tuple):
        raise TypeError(f"{type(labels).__name__} instead of a label for each query")
    return labels


def _as_seen(seen: Hashable) -> PlayedView:
    if not isinstance(seen, PlayedView):
        raise TypeError(f"{type(seen).__name__} instead of Seen")
    return seen


class PlayedRelease(EmbeddedRelease):
    """Steps 2 and 3 as far as they are played."""

    until = Until.RELEASE

    async def querying_party(
        self, seat: QueryingSeat, turns: Sequence[ReleaseTurn], shares: Sequence[Sequence[VoteShare]]
    ) -> None:
        """Nothing without a release."""
        if self.until is Until.RELEASE:
            await super().querying_party(seat, turns, shares)

    async def answering_party(self, seat: AnsweringSeat, votes: Sequence[AnsweringVoteShare]) -> None:
        """Nothing where the play stops before."""
        if self.until is not Until.VOTE_SHARES:
            await super().answering_party(seat, votes)

    async def privacy_guardian(self, seat: GuardianSeat, collecting: Sequence[VoteCollection]) -> None:
        """The sum only, where the play stops there."""
        if self.until is Until.RELEASE:
            await super().privacy_guardian(seat, collecting)
        if self.until is Until.AGGREGATION:
            for state in collecting:
                await aggregate(seat, state)


class Playback:
    """A collaboration that can be played again from the end of its set-up.

    Set-up runs once, with fixed seeds: it is not enumerated. Every play starts from copies of the states it left.

    Args:
        parameters: of the session.
        models: one per answering party.
        fix: which draws are constants.
        budget: of a ledger that the guardian charges and at which all answering parties look before and after each
            batch; without one an account that admits everything, at which nobody looks.
        before: what happened to queries of another session on that ledger: whether each was answered.
    """

    def __init__(
        self,
        parameters: ToyParameters,
        models: Sequence[QuantisedModel],
        fix: Fix = nothing,
        *,
        budget: Fraction | None = None,
        before: Sequence[bool] = (),
    ) -> None:
        self._symbols = Symbols()
        self._ledger = None if budget is None else ToyLedger(parameters, budget)
        self._before = tuple(before)
        self._notebook = Notebook()
        self._linear = NotedLinear(LOGIT_BITS, GUARD_BITS, note=self._notebook.note)
        self._two_party = NotedTwoParty(note=self._notebook.note)
        self._tape = Tape(lambda draw: fix(self._source_of(draw), draw))
        self._pairs: dict[Seed, Coalition] = {}
        self._sources: dict[tuple[Seed, bytes], Source] = {}
        self._release = PlayedRelease()
        self._watchers: list[Watcher] = []
        self._setting_up = True
        self._seeds = count()
        suite = replace(
            hybrid_suite(parameters),
            linear=hide_linear(self._linear),
            two_party=hide_two_party(self._two_party),
            mechanisms=toy_mechanisms(parameters),
            expand=self._expand,
        )
        self._session = toy_session(parameters, models)
        self._collaboration = Collaboration(
            self._session,
            models,
            suite,
            self._ledger or ToyAccount(parameters),
            Methods(EmbeddedInference(), self._release, EmbeddedPreparation()),
            draw_seed=self._next_seed,
            observer=self._notebook,
        )
        self._setting_up = False
        self._notebook.keep()
        self._everyone = [entry.party for entry in self._session.participants]
        self._after_setup = [seat.party for seat in self._seats]
        for party in self._collaboration.table.answering_parties:
            self._pairs |= {
                key: _pair(self._session.answering_parties, party, peer) for peer, key in party.pairwise_keys.items()
            }

    @property
    def _seats(self) -> list[QueryingSeat | AnsweringSeat | GuardianSeat]:
        table = self._collaboration.table
        return [table.querying, *table.answering, table.guardian]

    def law(
        self, features: Sequence[int], coalition: Coalition, until: Until = Until.RELEASE, *, ahead: bool = False
    ) -> Law:
        """The exact law of :class:`PlayedView` for one query; arguments and errors as of :meth:`batch_law`."""
        return image(
            self.batch_law([features], coalition, until, ahead=ahead),
            lambda seen: _as_seen(seen)._replace(output=_labels(seen)[0]),
        )

    def batch_law(
        self, queries: Sequence[Sequence[int]], coalition: Coalition, until: Until, *, ahead: bool = False
    ) -> Law:
        """The exact law of :class:`PlayedView` for a batch of queries; the output is a label for each of them.

        Args:
            queries: known when the batch begins, or with ``ahead`` when it was prepared.
            coalition: who sees.
            until: where the play stops.
            ahead: prepares the batch first.

        Raises:
            AssertionError: in some outcome a label is not the ideal functionality's.
        """
        return self.run_law([queries], coalition, until, ahead=ahead)

    def run_law(
        self,
        batches: Sequence[Sequence[Sequence[int]]],
        coalition: Coalition,
        until: Until = Until.RELEASE,
        *,
        ahead: bool = False,
    ) -> Law:
        """The exact law of :class:`PlayedView` for batches one after the other; the output is a label for each query.

        A batch that the budget does not admit ends the run: all parties see the refusal, and there is no label for it.
        Arguments and errors as of :meth:`batch_law`.
        """
        self._release.until = until
        # Without a ledger no hash is part of a view.
        with nullcontext() if self._ledger is None else self._symbols.planted():
            return self._tape.law(lambda: self._play(batches, coalition, ahead=ahead))

    def _source_of(self, draw: Draw) -> Source:
        stream = (draw.key, draw.label)
        if stream not in self._sources:
            self._sources[stream] = self._read_label(draw.key, draw.label)
        return self._sources[stream]

    def _read_label(self, key: Seed, label: bytes) -> Source:
        """Whose stream it is, from its label: `zero-sum/...`, or a step, its party and its context."""
        name, _, rest = label.partition(b"/")
        if name == ZERO_SUM.encode():
            return Source(ZERO_SUM, self._pairs[key], 0)
        role = next(role for role, code in ROLE_CODES.items() if code == rest[0])
        owner = Party(role, int.from_bytes(rest[1:_PARTY_BYTES], "little"))
        context = Channel(self._session.tag, owner, QUERYING_PARTY).context()
        return Source(name.decode(), frozenset({owner}), rest[_PARTY_BYTES + len(context) - 1])

    def _play(self, batches: Sequence[Sequence[Sequence[int]]], coalition: Coalition, *, ahead: bool) -> PlayedView:
        self._rewind()
        played = self._collaboration
        labels: list[int | None] = []
        for queries in batches:
            self._look([])
            try:
                results = (
                    played.label_prepared(played.prepare(len(queries)), queries)
                    if ahead
                    else played.label_batch(queries)
                )
            except BudgetExhaustedError as refusal:
                for party in self._everyone:
                    self._notebook.note(party, ("refused", str(refusal)))
                break
            for result in results:
                if result.label != result.ideal_label:
                    raise AssertionError(f"label {result.label} instead of {result.ideal_label}")
            labels += [result.label for result in results] or [None] * len(queries)
            self._look([(self._session.tag, result.index) for result in results])
        drawn = ((self._source_of(draw), draw.position, value) for draw, value in self._tape.enumerated)
        randomness = tuple(entry for entry in drawn if entry[0].owners & coalition)
        return PlayedView(randomness, self._notebook.seen_by(coalition, self._symbols), tuple(labels))

    def _look(self, charged: Sequence[tuple[bytes, int]]) -> None:
        """Every answering party looks at the ledger, if there is one."""
        for watcher in self._watchers:
            watcher.look(charged)

    def _rewind(self) -> None:
        for seat, party in zip(self._seats, self._after_setup, strict=True):
            seat.party = party.renewed()  # type: ignore[union-attr]  # set-up gave every seat one
        self._linear.forget()
        self._two_party.forget()
        self._notebook.rewind()
        self._seeds = count()
        if self._ledger is not None:
            self._symbols.forget()
            self._ledger.begin(self._before)
            self._watchers = [
                Watcher(peer, self._ledger, self._notebook.note) for peer in self._session.answering_parties
            ]

    def _next_seed(self) -> Seed:
        return Seed(next(self._seeds).to_bytes(32, "little"))

    def _expand(self, key: Seed, label: bytes) -> RandomSource:
        return XofSource(key, label) if self._setting_up else self._tape.expand(key, label)


def _pair(parties: Sequence[Party], party: AnsweringParty, peer: int) -> Coalition:
    return frozenset({party.me, parties[peer - 1]})
