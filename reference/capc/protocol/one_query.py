"""One query from beginning to end, all parties at one desk: every step, message and secret, in order.

For votes of one circuit, and an activation in each layer. Parties run :mod:`capc.protocol.roles`, which sends the same
bytes.
"""

from collections.abc import Callable, Sequence

from capc.foundation.parties import PRIVACY_GUARDIAN, QUERYING_PARTY, Party
from capc.foundation.randomness import Seed
from capc.models.architecture import Activation
from capc.models.model import QuantisedModel
from capc.privacy.account import Account
from capc.session.session import Session
from capc.steps import answering_party as ap
from capc.steps import privacy_guardian as pg
from capc.steps import querying_party as qp
from capc.steps.suite import Suite

QP, PG = QUERYING_PARTY, PRIVACY_GUARDIAN
Seeds = Callable[[], Seed]
Post = Callable[[Party, Party, bytes], bytes]
Parties = tuple[qp.QueryingParty, list[ap.AnsweringParty], pg.PrivacyGuardian]


def set_up(session: Session, suite: Suite, models: Sequence[QuantisedModel], seed: Seeds, post: Post) -> Parties:
    """Step 0; `post` carries each message. Secret: models, HE's key, transfer keys, offsets, mask keys of two AP."""
    begun, awaiting, choices = {}, {}, {}
    for me, model in zip(session.answering_parties, models, strict=True):
        begun[me] = ap.answering_party_begin_setup(session, suite, me, model, seed())
    joining, offers = qp.querying_party_begin_setup(session, suite, seed())
    checks = pg.privacy_guardian_begin_setup(session, suite)
    for me, (state, first) in begun.items():
        mask_keys = {peer: post(peer, me, theirs[me]) for peer, (_, theirs) in begun.items() if peer != me}
        received = post(QP, me, offers[me]), mask_keys, post(PG, me, checks[me])
        awaiting[me], choice = ap.answering_party_answer_setup(state, *received, seed())
        choices[me], checks[me] = post(me, QP, choice), post(me, PG, first[PG])
    guardian, choice = pg.privacy_guardian_answer_setup(session, suite, post(QP, PG, offers[PG]), checks, seed())
    party, he_keys, trees = qp.querying_party_finish_setup(joining, {**choices, PG: post(PG, QP, choice)}, seed())
    last = {me: (post(QP, me, he_keys[me]), post(QP, me, trees[me])) for me in awaiting}
    answering = [ap.answering_party_finish_setup(awaiting[me], *last[me]) for me in awaiting]
    return party, answering, pg.privacy_guardian_finish_setup(guardian, post(QP, PG, trees[PG]))


def one_query(parties: Parties, account: Account, query: Sequence[int], seed: Seeds, post: Post) -> int | None:
    """Steps 1 to 3: the released label, or None for "no consensus". Secret: the query, shares, votes, and noise."""
    party, answering, guardian = parties
    _, opened, transfers, (turn,) = qp.querying_party_open_batch(party, 1)
    waiting = [ap.answering_party_open_batch(each, 1)[1] for each in answering]
    shares: list[qp.VoteShare] = []
    votes = {}
    for entered, each in zip(qp.querying_party_enter_batch(opened, [query]), waiting, strict=True):
        state, me = entered, entered.peer
        theirs = ap.answering_party_enter_batch(ap.answering_party_take_transfers(each, post(QP, me, transfers[me])))
        for stage in party.session.architecture(me).stages:
            # 1a: QP sends its share of the layer's input encrypted; both get shares of the sums, QP its own encrypted.
            asked, request = qp.querying_party_request_layer(state)
            sums, response = ap.answering_party_evaluate_layer(theirs, post(QP, me, request), seed())
            # 1b: QP decrypts its share. 1a: garbled circuits turn both into fresh shares of ReLUs.
            chosen, bits = qp.querying_party_choose_labels(asked, post(me, QP, response))
            if stage.activation is not Activation.VOTE:
                theirs, circuits = ap.answering_party_garble_layer(sums, post(QP, me, bits), seed())
                state = qp.querying_party_evaluate_layer(chosen, post(me, QP, circuits))
        # 1c: after the last layer, of the vote.
        ready, circuits = ap.answering_party_garble_vote(sums, post(QP, me, bits), seed())
        shares += qp.querying_party_evaluate_vote(chosen, post(me, QP, circuits))
        # 2: AP's share leaves under zero-sum masks, which cancel in PG's sum over all AP.
        votes[me] = post(me, PG, ap.answering_party_send_vote(*ready))
    aggregated = pg.privacy_guardian_aggregate(pg.privacy_guardian_open_query(guardian)[1], votes)
    # 3: the account is charged, then PG draws the noise, and its circuit opens the noisy argmax to QP.
    releasing, choice = qp.querying_party_request_release(turn, shares, seed())
    receipt = account.reserve(party.session.tag, aggregated.query, aggregated.inputs_digest)
    released, circuits = pg.privacy_guardian_release(aggregated, receipt, post(QP, PG, choice), seed())
    answer = qp.querying_party_finish_release(releasing, post(PG, QP, account.dispatch(receipt, circuits)))
    if answer.answered_message is not None:
        # Realised charge: QP returns the label of the bit "answered", and PG gives back what was not spent.
        answered = pg.privacy_guardian_read_answered(released, post(QP, PG, answer.answered_message))
        account.settle(receipt, answered=answered)
    return answer.label
