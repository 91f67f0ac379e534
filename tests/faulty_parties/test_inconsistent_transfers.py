"""A querying party whose trees or rows are inconsistent: refused, and its session with it, so that it learns nothing.

Every attack is played twice: against this code, and with the one thing switched off that prevents it, where it reads
Delta as it always did. The cheat changes bytes that it sends, and keeps honest labels, from which it knows what each
guess of Delta would have made of them.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import pytest

from capc.foundation import ring
from capc.foundation.errors import ErrorCode, InputError, InvalidPayloadError, ProtocolError, StateReuseError
from capc.foundation.parties import PRIVACY_GUARDIAN, QUERYING_PARTY, Party, Role, answering_party
from capc.foundation.randomness import RandomSource
from capc.foundation.single_use import SingleUse
from capc.linear.ideal import IdealLinear
from capc.session.envelope import MessageType
from capc.steps.answering_party.offline import answering_party_send_labels
from capc.steps.answering_party.party import AnsweringParty, answering_party_open_batch
from capc.steps.answering_party.setup import AwaitingTrees
from capc.steps.privacy_guardian.party import PrivacyGuardian, privacy_guardian_open_query
from capc.steps.privacy_guardian.setup import JoiningPrivacyGuardian
from capc.steps.querying_party.reverse_setup import AwaitingReverseTrees
from capc.steps.release_transfers import RELEASES_AHEAD, ReleaseTransfers
from capc.steps.suite import reference_suite
from capc.two_party.circuits.builder import evaluate
from capc.two_party.circuits.release import confident_release_circuit
from capc.two_party.garbling.readable import GarbledTwoParty
from capc.two_party.garbling.transfers import extension_check, ot_extension, tree_check
from capc.two_party.garbling.transfers.base_ot import base_ot_choose, base_ot_finish, base_ot_offer
from capc.two_party.garbling.transfers.ot_messages import CheckedExtension, OtExtension, OtTrees, checked_transfers
from capc.two_party.garbling.transfers.universal_hash import column_hashes
from capc.two_party.interface import EvaluatorChoice, answer_at_once, request_at_once
from capc.two_party.transfers import Transfers
from capc.two_party.vectorised import VectorisedTwoParty, extension
from support.builders import make_parameters, make_widths
from support.collaborations import collaborate
from support.computations import fresh_keys, stream
from support.driver import Delivery, Driver
from support.forks import in_a_fork
from support.interference import Mode, new_driver
from support.release_stage import NUM_CLASSES

VOTE_BITS = 16
RELEASE = confident_release_circuit(NUM_CLASSES, VOTE_BITS, evaluator_noise=False)
GUESSES = range(16)
ENGINES = pytest.mark.parametrize("engine", [GarbledTwoParty, VectorisedTwoParty])
Engine = type[GarbledTwoParty] | type[VectorisedTwoParty]


@contextmanager
def refused_for_good() -> Iterator[None]:
    """The block's message is inconsistent."""
    with pytest.raises(InvalidPayloadError) as caught:
        yield
    assert caught.value.code is ErrorCode.INCONSISTENT_TRANSFERS


class Unread:
    """Randomness of a garbler that must not draw any."""

    def __getattr__(self, name: str) -> object:
        raise AssertionError(f"{name} was drawn")


# Rows.


@dataclass
class Connection:
    """Two ends of one set-up, and the next nonce."""

    garbler: ot_extension.GarblerKey
    evaluator: ot_extension.EvaluatorKey
    nonce: int = 0

    @classmethod
    def fresh(cls) -> Connection:
        return cls(*cast(Any, fresh_keys(GarbledTwoParty(), GarbledTwoParty())))

    def release(self, tree: int, draws: Callable[[RandomSource], RandomSource] = lambda source: source) -> set[int]:
        """One release with a wrong row: the guesses of the tree's 4 bits that its outputs admit, found offline."""
        self.nonce += 1
        scheme, source = GarbledTwoParty(), stream(self.nonce, f"release {tree}")
        shares = [source.bits(VOTE_BITS) for _ in range(NUM_CLASSES)]
        noisy = [ring.reduce(share + source.below(400) - 200, VOTE_BITS) for share in shares]
        own = [ring.reduce(source.below(300) - share, VOTE_BITS) for share in shares]
        (mine,), rows = scheme.extend_evaluator(self.evaluator, self.nonce, [RELEASE.evaluator_inputs])
        wrong = bytearray(rows)
        wrong[(tree - 1) * checked_transfers(RELEASE.evaluator_inputs) // 8] ^= 1
        (theirs,) = scheme.extend_garbler(self.garbler, self.nonce, [RELEASE.evaluator_inputs], bytes(wrong))
        chosen, bits = scheme.choose(mine, RELEASE, [own])
        _, payload = scheme.garble(theirs, RELEASE, [[*shares, *noisy, 400]], bits, draws(source))
        labels = cast(list[int], chosen.secret)
        alive = set()
        for guess in GUESSES:
            # Transfer 0 came out wrong by the guess; its lowest bit is the input's own.
            guessed = [labels[0] ^ guess << 4 * tree & ~1, *labels[1:]]
            outputs = scheme.evaluate(EvaluatorChoice(RELEASE, 1, self.nonce, guessed), payload).outputs[0]
            label = ring.from_bits(outputs[1:])
            if label < NUM_CLASSES and (outputs[0] or not label):
                alive.add(guess)
        return alive

    def accepts(self, tree: int, guess: int) -> bool:
        """Whether a wrong row of a tree passes, with the check answered for a guess of 4 bits of Delta."""
        self.nonce += 1
        made = checked_transfers(1)
        bits, labels, message = ot_extension.extend_receive(self.evaluator, self.nonce, made)
        rows = OtExtension(tuple(row ^ (j == tree) for j, row in enumerate(message.rows, start=1)), made)
        labels[0] ^= guess << 4 * tree
        key = extension_check.challenge(self.evaluator.set_up, self.nonce, rows.to_bytes())
        columns = [column.to_bytes(made // 8, "little") for column in (bits, *ot_extension.transpose(labels, 128))]
        hashed_bits, *hashed = column_hashes(key, columns)
        sent = CheckedExtension(rows, extension_check.answer(hashed_bits, hashed))
        try:
            extension_check.send_checked(self.garbler, self.nonce, 1, sent)
        except InvalidPayloadError:
            return False
        return True


@pytest.mark.req("CAPC-OT-009", "CAPC-OT-010", "CAPC-OT-011")
@pytest.mark.parametrize("tree", [1, 7, 31])
def test_inconsistent_rows_read_nothing(tree: int) -> None:
    """Refused before a hash key is drawn or a label used; nothing that the key made before serves afterwards."""
    ends = Connection.fresh()
    scheme = GarbledTwoParty()
    (mine,), rows = scheme.extend_evaluator(ends.evaluator, 0, [RELEASE.evaluator_inputs])
    (before,) = scheme.extend_garbler(ends.garbler, 0, [RELEASE.evaluator_inputs], rows)
    with refused_for_good():
        ends.release(tree, lambda _: cast(RandomSource, Unread()))
    with pytest.raises(StateReuseError, match="begin a new one"):
        ends.release(tree)
    _, bits = scheme.choose(mine, RELEASE, [[0] * RELEASE.evaluator_words])
    with pytest.raises(StateReuseError, match="begin a new one"):
        scheme.garble(before, RELEASE, [[0] * RELEASE.garbler_words], bits, cast(RandomSource, Unread()))


@pytest.mark.slow
def test_inconsistent_rows_read_delta_where_nothing_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ordinary releases with one wrong row each: 4 bits of Delta after about 4 of them; the guardian sees nothing."""
    monkeypatch.setattr(extension_check, "holds", lambda *_: True)
    ends, used = Connection.fresh(), []
    for tree in (7, 19, 31):
        left, releases = set(GUESSES), 0
        while len(left) > 1:
            left &= ends.release(tree)
            releases += 1
        assert left == {ends.garbler.delta >> 4 * tree & 15}
        used.append(releases)
    # A wrong guess survives a release with probability 11/32: all 15 die in 3.6 on average.
    assert max(used) <= 8
    assert 2 <= sum(used) / len(used) <= 5


@pytest.mark.req("CAPC-GC-013", "CAPC-OT-010")
@ENGINES
def test_nothing_is_drawn_before_transfers_and_choice_bits_are_checked(engine: Engine) -> None:
    """Of a request with wrong rows, or with choice bits of another length; a good one is drawn for."""
    scheme = engine()
    keys = cast(Any, fresh_keys(scheme, scheme))
    words = [[0] * RELEASE.garbler_words]
    _, request = request_at_once(scheme, keys[1], 0, RELEASE, [[0] * RELEASE.evaluator_words])
    nobody = cast(RandomSource, Unread())
    with pytest.raises(InvalidPayloadError, match="malformed_length"):
        answer_at_once(scheme, keys[0], 0, RELEASE, words, request[:-1], nobody)
    keys = cast(Any, fresh_keys(scheme, scheme))
    with pytest.raises(AssertionError, match="was drawn"):
        answer_at_once(scheme, keys[0], 0, RELEASE, words, request, nobody)
    keys = cast(Any, fresh_keys(scheme, scheme))
    with refused_for_good():
        answer_at_once(scheme, keys[0], 0, RELEASE, words, bytes([request[0] ^ 1]) + request[1:], nobody)


@pytest.mark.req("CAPC-OT-003", "CAPC-WIRE-004", "CAPC-ROLE-009")
@ENGINES
def test_bits_with_padding_take_no_nonce(engine: Engine) -> None:
    """A request at once that is refused for its choice bits can come again, with good ones."""
    scheme = engine()
    keys = cast(Any, fresh_keys(scheme, scheme))
    circuit = confident_release_circuit(3, 6, evaluator_noise=False)
    mine, theirs = [[1] * circuit.garbler_words], [[2] * circuit.evaluator_words]
    chosen, request = request_at_once(scheme, keys[1], 7, circuit, theirs)
    assert circuit.evaluator_inputs % 8
    with pytest.raises(InvalidPayloadError, match="non_canonical"):
        answer_at_once(
            scheme, keys[0], 7, circuit, mine, request[:-1] + bytes([request[-1] | 0x80]), stream(1, "at once")
        )
    _, answer = answer_at_once(scheme, keys[0], 7, circuit, mine, request, stream(1, "at once"))
    assert scheme.evaluate(chosen, answer).outputs[0] == evaluate(circuit, mine[0], theirs[0])


def tried(ends: Connection, trees: Sequence[int]) -> tuple[dict[int, int], int]:
    """All guesses of each tree in turn: those that passed, and how many messages were refused."""
    found, refused = {}, 0
    for tree in trees:
        for guess in GUESSES:
            if ends.accepts(tree, guess):
                found[tree] = guess
                break
            refused += 1
    return found, refused


@pytest.mark.req("CAPC-ROLE-020", "CAPC-OT-011")
def test_retries_after_a_failed_check_read_nothing() -> None:
    """The first wrong guess is the last: a cheat learns that it was wrong, and no message is taken any more."""
    ends = Connection.fresh()
    # Guess 0, the first, is wrong.
    trees = [tree for tree in range(1, 32) if ends.garbler.delta >> 4 * tree & 15]
    with pytest.raises(StateReuseError, match="begin a new one"):
        tried(ends, trees)
    assert len(trees) > 20
    assert ends.nonce == 2


@pytest.mark.slow
def test_retries_read_delta_where_the_key_survives(monkeypatch: pytest.MonkeyPatch) -> None:
    """8.5 messages on average for 4 bits: some 266 for 124 bits."""
    monkeypatch.setattr(extension_check, "require_alive", lambda _: None)
    ends, trees = Connection.fresh(), (1, 9, 17, 30)
    found, refused = tried(ends, trees)
    assert found == {tree: ends.garbler.delta >> 4 * tree & 15 for tree in trees}
    assert refused == sum(found.values())


# Trees.


def wrong_tree(pair: int, bit: int) -> tuple[ot_extension.EvaluatorKey, Callable[[], ot_extension.GarblerKey]]:
    """A set-up in which the sum under the seed of Delta's bit 0, at the root of a tree, is wrong; the bit is given."""
    source = stream(pair, f"wrong tree {bit}")
    while True:
        sender, offer = base_ot_offer(source)
        chosen, choice = base_ot_choose(offer, b"", source)
        if chosen.delta >> pair & 1 == bit:
            break
    key, message = tree_check.grow_checked(base_ot_finish(sender, choice, b""), b"", chosen.said, source)
    place = 2 * (pair - 3)
    wrong = bytes([message.sums[place][0] ^ 1]) + message.sums[place][1:]
    sent = OtTrees((*message.sums[:place], wrong, *message.sums[place + 1 :]), message.checks)
    key = ot_extension.EvaluatorKey(key.leaves, extension_check.set_up_digest(b"", chosen.said, sent.to_bytes()))
    return key, lambda: tree_check.take_checked(chosen, sent)


@pytest.mark.req("CAPC-OT-008", "CAPC-OT-011")
@pytest.mark.parametrize("pair", [23, 83])
def test_wrong_tree_sums_end_the_session(pair: int) -> None:
    """Where Delta uses the sum."""
    _, take = wrong_tree(pair, 0)
    with refused_for_good():
        take()
    with pytest.raises(StateReuseError, match="begin a new one"):
        take()


@pytest.mark.req("CAPC-ROLE-020")
def test_no_second_key_of_the_same_seeds_outlives_the_first() -> None:
    """Seeds, and all keys that were made of them, are one: a check that fails for one ends all. Nothing is stored."""
    source = stream(0, "two keys")
    sender, offer = base_ot_offer(source)
    chosen, choice = base_ot_choose(offer, b"", source)
    _, message = tree_check.grow_checked(base_ot_finish(sender, choice, b""), b"", chosen.said, source)
    first, second = (tree_check.take_checked(chosen, message) for _ in range(2))
    for secret in (chosen, first):
        with pytest.raises(InputError, match="not stored"):
            pickle.dumps(secret)
    wrong = OtTrees(message.sums, (*message.checks[1:], message.checks[0]))
    with refused_for_good():
        tree_check.take_checked(chosen, wrong)
    for key in (first, second):
        assert key.destroyed.spent


@pytest.mark.req("CAPC-OT-008", "CAPC-OT-011")
@pytest.mark.parametrize("pair", [23, 83])
def test_a_sum_that_delta_does_not_use_tells_the_guess_alone(pair: int) -> None:
    """It is as if it had been right: one bit was guessed, and no more is told."""
    evaluator, take = wrong_tree(pair, 1)
    garbler = take()
    bits, labels, message = extension_check.receive_checked(evaluator, 1, 9)
    zeros = extension_check.send_checked(garbler, 1, 9, message)
    assert labels == [zero ^ (bits >> i & 1) * garbler.delta for i, zero in enumerate(zeros)]


@pytest.mark.parametrize("bit", [0, 1])
def test_wrong_tree_sums_read_delta_where_nothing_checks(monkeypatch: pytest.MonkeyPatch, bit: int) -> None:
    """Transfers come out right exactly if the bit is 1, and show it later."""
    monkeypatch.setattr(tree_check, "all_hold", lambda *_: True)
    evaluator, take = wrong_tree(23, bit)
    garbler = take()
    bits, labels, message = ot_extension.extend_receive(evaluator, 1, 64)
    zeros = ot_extension.extend_send(garbler, 1, message)
    assert (labels == [zero ^ (bits >> i & 1) * garbler.delta for i, zero in enumerate(zeros)]) == bool(bit)


# What is destroyed.


@ENGINES
def test_nothing_of_a_destroyed_key_serves_in_another_process_or_stash(engine: Engine) -> None:
    """Nor does a key that is whole, in a process that was forked: it could not know of a check that fails elsewhere."""
    scheme = engine()
    garbler, evaluator = cast(Any, fresh_keys(scheme, scheme))
    (_,), rows = scheme.extend_evaluator(evaluator, 5, [9])
    assert in_a_fork(lambda: scheme.extend_garbler(garbler, 5, [9], rows)) == StateReuseError.__name__
    stash: Any = None
    if isinstance(scheme, VectorisedTwoParty):
        _, many = scheme.stash_evaluator(evaluator, 6, 40, 2)
        stash = scheme.stash_garbler(garbler, 6, 40, 2, many)
    (kept,) = cast(list[Transfers[object]], scheme.extend_garbler(garbler, 5, [9], rows))
    kept.require_unspent()
    _, rows = scheme.extend_evaluator(evaluator, 8, [9])
    with refused_for_good():
        scheme.extend_garbler(garbler, 8, [9], bytes([rows[0] ^ 1]) + rows[1:])
    with pytest.raises(StateReuseError, match="begin a new one"):
        kept.require_unspent()
    if stash is not None:
        with pytest.raises(StateReuseError, match="begin a new one"):
            stash.take(3)
        with pytest.raises(StateReuseError, match="begin a new one"):
            scheme.expect_transfers(garbler, 9, [9])


class CaughtError(Exception):
    """A test's end of a session."""


def end_at(driver: Driver, kind: MessageType, receiver: Party) -> None:
    """From now on the first such message is changed by a bit: refused with blame, and the honest one comes too late."""

    def interfere(delivery: Delivery) -> None:
        place, honest = delivery.place, delivery.honest
        if (place.message_type, place.receiver) != (kind, receiver):
            return
        with pytest.raises(ProtocolError) as caught:
            delivery.receive(honest[:60] + bytes([honest[60] ^ 1]) + honest[61:])
        assert (caught.value.code, caught.value.blame) == (ErrorCode.INCONSISTENT_TRANSFERS, QUERYING_PARTY)
        with pytest.raises(StateReuseError, match="begin a new one"):
            delivery.receive(honest)
        raise CaughtError

    driver.interfere = interfere


def require_ended(state: SingleUse) -> None:
    with pytest.raises(StateReuseError, match="begin a new one"):
        type(state).require(state)


@pytest.mark.slow
@pytest.mark.req("CAPC-ROLE-020")
def test_an_answering_party_is_ended_by_rows_with_all_that_it_prepared() -> None:
    """Its next batch, the batch that is prepared, each state of it; the other parties go on."""
    driver = new_driver(Mode.CIRCUITS)
    driver.set_up()
    prepared, _, _ = driver.prepare(1)
    end_at(driver, MessageType.OT_EXTENSION, answering_party(1))
    with pytest.raises(CaughtError):
        driver.prepare(1)
    with pytest.raises(StateReuseError, match="begin a new one"):
        answering_party_open_batch(driver.answering_parties[0], 1)
    with pytest.raises(StateReuseError, match="begin a new one"):
        answering_party_send_labels(prepared[0][1], b"")
    mine = [state for state in driver.results if owner_of(state) == answering_party(1)]
    assert len({type(state) for state in mine}) >= 5
    for state in mine:
        require_ended(state)
    for party in (*driver.answering_parties[1:], driver.guardian, prepared[1][1]):
        party.require_unspent()


def owner_of(state: object) -> Party | None:
    """The answering party that a state belongs to."""
    party = state if isinstance(state, AnsweringParty) else getattr(state, "party", None)
    if party is None and hasattr(state, "request"):
        return owner_of(state.request)
    return party.me if isinstance(party, AnsweringParty) else None


@pytest.mark.slow
@pytest.mark.req("CAPC-ROLE-020")
def test_a_guardian_is_ended_by_rows() -> None:
    """The query stays charged; no query is opened any more, and the transfers that it held serve nothing."""
    driver = new_driver(Mode.CIRCUITS)
    driver.set_up()
    driver.run_query([4, -4])
    # It holds transfers of query 1, but the querying party makes others.
    held = driver.guardian.release_transfers
    assert held.made_with(3) == 1
    driver.querying_party = driver.querying_party.renewed(release_transfers=ReleaseTransfers())
    spent = driver.account.spent
    end_at(driver, MessageType.CHOICE_BITS, PRIVACY_GUARDIAN)
    with pytest.raises(CaughtError):
        driver.run_query([4, -4])
    assert driver.account.spent > spent
    with pytest.raises(StateReuseError, match="begin a new one"):
        privacy_guardian_open_query(driver.guardian)
    states = [state for state in driver.results if isinstance(getattr(state, "party", None), PrivacyGuardian)]
    assert len({type(state) for state in states}) >= 3
    for state in states:
        require_ended(state)
    taken = held.take(3)
    assert taken is not None
    require_ended(taken.transfers)


WAITING = {
    Role.ANSWERING_PARTY: AwaitingTrees,
    Role.PRIVACY_GUARDIAN: JoiningPrivacyGuardian,
    Role.QUERYING_PARTY: AwaitingReverseTrees,
}
"""The state that waits for trees; the first of all answering parties is the receiver."""


@pytest.mark.slow
@pytest.mark.req("CAPC-ROLE-020")
@pytest.mark.parametrize("receiver", [answering_party(1), PRIVACY_GUARDIAN, QUERYING_PARTY], ids=str)
def test_trees_end_a_set_up(receiver: Party) -> None:
    """A wrong digest, which no Delta takes; to the querying party, the trees of the second base transfers."""
    driver = new_driver(Mode.ROUNDS if receiver == QUERYING_PARTY else Mode.CIRCUITS)

    def interfere(delivery: Delivery) -> None:
        place = delivery.place
        if (place.message_type, place.receiver) != (MessageType.OT_TREES, receiver):
            return
        with pytest.raises(ProtocolError) as caught:
            delivery.receive(delivery.honest[:-1] + bytes([delivery.honest[-1] ^ 1]))
        assert (caught.value.code, caught.value.blame) == (ErrorCode.INCONSISTENT_TRANSFERS, place.sender)
        with pytest.raises(StateReuseError, match="begin a new one"):
            delivery.receive(delivery.honest)
        # The state that waited says so itself, whatever it is asked for.
        waiting = next(state for state in driver.results if type(state) is WAITING[receiver.role])
        require_ended(waiting)
        raise CaughtError

    driver.interfere = interfere
    with pytest.raises(CaughtError):
        driver.set_up()


@pytest.mark.slow
@pytest.mark.req("CAPC-ROLE-020")
@pytest.mark.parametrize("batches", [2, RELEASES_AHEAD], ids=["layers", "release"])
def test_a_collaboration_that_was_cheated_gives_no_label_any_more(batches: int) -> None:
    """Neither to new queries nor to those that were prepared, and charges nothing for asking."""
    cheating: set[int] = set()

    class Cheating(VectorisedTwoParty):
        def extend_evaluator(
            self, key: extension.EvaluatorKey, nonce: int, counts: Sequence[int]
        ) -> tuple[list[Transfers[Any]], bytes]:
            ends, rows = super().extend_evaluator(key, nonce, counts)
            return ends, bytes([rows[0] ^ (len(counts) in cheating)]) + rows[1:]

    parameters = make_parameters(make_widths(12), num_classes=3)
    suite = reference_suite(parameters, IdealLinear(12), Cheating())
    session = collaborate(parameters, (1, 4), [(2, 2, 3)] * 2, strength=9, suite=suite)
    prepared = session.prepare(1)
    assert session.label([0, 0]).label == session.results[-1].ideal_label
    # An answering party has transfers for two layers, the guardian for all releases that an extension serves.
    cheating.add(batches)
    party = session.table.querying.party
    assert party is not None
    party.release_transfers.ask(0)
    with pytest.raises(ProtocolError, match="inconsistent_transfers"):
        session.label([0, 0])
    cheating.clear()
    left = session.remaining_queries()
    for _ in range(2):
        with pytest.raises(StateReuseError, match="begin a new one"):
            session.label([0, 0])
        with pytest.raises(StateReuseError, match="begin a new one"):
            session.label_prepared(prepared, [[0, 0]])
        with pytest.raises(StateReuseError, match="begin a new one"):
            session.prepare(1)
    assert session.remaining_queries() == left
