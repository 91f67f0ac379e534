"""The three roles' programs: the order of messages, told from each role's own chair, and nothing else.

A program sends and receives bytes over a link and calls step functions. It begins with the set-up, unless its seat has
a party already, and then goes through turns: batches of queries, which may be prepared before the queries are known.
Inference and release are methods of their own: :mod:`capc.protocol.embedded_methods`, or
:mod:`capc.protocol.external_methods`.

Whoever plays several parties in one process runs the programs with :class:`capc.protocol.exchange.Exchange`; a party of
its own awaits its program under any event loop. An error leaves the party on its seat, ready for the next turn; a
failed check of transfers destroys it there.

Spec: section 06.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from capc.foundation.parties import PRIVACY_GUARDIAN, QUERYING_PARTY
from capc.protocol.agreement import in_one_session
from capc.protocol.costs import Step
from capc.protocol.link import Link, hear_all, tell, tell_all
from capc.protocol.seats import AnsweringSeat, GuardianSeat, Mode, QueryingSeat, QueryingTurn, Turn
from capc.session.parameters import VoteVariant
from capc.steps.answering_party.party import AnsweringParty, answering_party_open_batch
from capc.steps.answering_party.reverse_setup import answering_party_finish_reverse, answering_party_offer_reverse
from capc.steps.answering_party.setup import (
    answering_party_answer_setup,
    answering_party_begin_setup,
    answering_party_finish_setup,
)
from capc.steps.privacy_guardian.party import PrivacyGuardian, privacy_guardian_open_query
from capc.steps.privacy_guardian.setup import (
    privacy_guardian_answer_setup,
    privacy_guardian_begin_setup,
    privacy_guardian_finish_setup,
)
from capc.steps.querying_party.party import QueryingParty, querying_party_open_batch
from capc.steps.querying_party.reverse_setup import querying_party_choose_reverse, querying_party_finish_reverse
from capc.steps.querying_party.setup import querying_party_begin_setup, querying_party_finish_setup


async def querying_party(seat: QueryingSeat, turns: Sequence[QueryingTurn] = ()) -> None:
    """The querying party: set-up, and its turns."""
    if seat.party is None:
        joined = await in_one_session(seat.link, seat.session, QUERYING_PARTY, partial(_set_up_querying_party, seat))
        seat.party = joined
    for turn in turns:
        if turn.mode is Mode.ONLINE:
            prepared, releases = seat.prepared[turn.batch.first]
            shares = await seat.preparation.querying_party(seat, prepared, turn.queries)
            del seat.prepared[turn.batch.first]
        else:
            seat.link.step = Step.OFFLINE
            seat.party, opened, transfers, releases = querying_party_open_batch(seat.party, turn.batch.count)
            if turn.mode is Mode.OFFLINE:
                prepared = await seat.preparation.querying_party_prepare(seat, opened, transfers)
                seat.prepared[turn.batch.first] = prepared, releases
                continue
            shares = await seat.methods.inference.querying_party(seat, opened, transfers, turn.queries)
        await seat.methods.release.querying_party(seat, releases, shares)


async def answering_party(seat: AnsweringSeat, turns: Sequence[Turn] = ()) -> None:
    """An answering party: set-up, and its turns."""
    if seat.party is None:
        joined = await in_one_session(seat.link, seat.session, seat.me, partial(_set_up_answering_party, seat))
        seat.party = joined
    for turn in turns:
        if turn.mode is Mode.ONLINE:
            votes = await seat.preparation.answering_party(seat, seat.prepared[turn.batch.first])
            del seat.prepared[turn.batch.first]
        else:
            seat.link.step = Step.OFFLINE
            seat.party, waiting = answering_party_open_batch(seat.party, turn.batch.count)
            if turn.mode is Mode.OFFLINE:
                seat.prepared[turn.batch.first] = await seat.preparation.answering_party_prepare(seat, waiting)
                continue
            votes = await seat.methods.inference.answering_party(seat, waiting)
        await seat.methods.release.answering_party(seat, votes)


async def privacy_guardian(seat: GuardianSeat, turns: Sequence[Turn] = ()) -> None:
    """The privacy guardian: set-up, and its turns."""
    if seat.party is None:
        joined = await in_one_session(
            seat.link, seat.session, PRIVACY_GUARDIAN, partial(_set_up_privacy_guardian, seat)
        )
        seat.party = joined
    for turn in turns:
        if turn.mode is not Mode.ONLINE:
            seat.prepared[turn.batch.first] = []
            for _ in turn.batch.queries:
                seat.party, collecting = privacy_guardian_open_query(seat.party)
                seat.prepared[turn.batch.first].append(collecting)
        if turn.mode is not Mode.OFFLINE:
            await seat.methods.release.privacy_guardian(seat, seat.prepared.pop(turn.batch.first))


async def _set_up_querying_party(seat: QueryingSeat, link: Link) -> QueryingParty:
    joining, offers = querying_party_begin_setup(seat.session, seat.suite, seat.seeds())
    await tell_all(link, offers, "keys")
    party, keys, trees = querying_party_finish_setup(joining, await hear_all(link, offers), seat.seeds())
    await tell_all(link, keys, "trees")
    await tell_all(link, trees, "trees")
    if seat.session.parameters.vote_variant is VoteVariant.MULTI_ROUND:
        choosing, choices = querying_party_choose_reverse(party, await hear_all(link, keys), seat.seeds())
        await tell_all(link, choices, "reverse choices")
        party = querying_party_finish_reverse(choosing, await hear_all(link, keys))
    return party


async def _set_up_answering_party(seat: AnsweringSeat, link: Link) -> AnsweringParty:
    joining, first = answering_party_begin_setup(seat.session, seat.suite, seat.me, seat.model, seat.seeds())
    await tell_all(link, first, "keys")
    offer = await link.receive(QUERYING_PARTY)
    mask_keys = await hear_all(link, first)
    check = mask_keys.pop(PRIVACY_GUARDIAN)
    answered = answering_party_answer_setup(joining, offer, mask_keys, check, seat.seeds())
    awaiting = await tell(link, QUERYING_PARTY, answered, "choices")
    party = answering_party_finish_setup(
        awaiting, await link.receive(QUERYING_PARTY), await link.receive(QUERYING_PARTY)
    )
    if seat.session.parameters.vote_variant is VoteVariant.MULTI_ROUND:
        offering = await tell(
            link, QUERYING_PARTY, answering_party_offer_reverse(party, seat.seeds()), "reverse offers"
        )
        made = answering_party_finish_reverse(offering, await link.receive(QUERYING_PARTY), seat.seeds())
        party = await tell(link, QUERYING_PARTY, made, "reverse trees")
    return party


async def _set_up_privacy_guardian(seat: GuardianSeat, link: Link) -> PrivacyGuardian:
    await tell_all(link, privacy_guardian_begin_setup(seat.session, seat.suite), "keys")
    offer, checks = await link.receive(QUERYING_PARTY), await hear_all(link, seat.session.answering_parties)
    joining = await tell(
        link,
        QUERYING_PARTY,
        privacy_guardian_answer_setup(seat.session, seat.suite, offer, checks, seat.seeds()),
        "choices",
    )
    return privacy_guardian_finish_setup(joining, await link.receive(QUERYING_PARTY))
