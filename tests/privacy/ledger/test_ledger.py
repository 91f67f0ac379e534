"""The ledger against a plain model, across restarts; its terms, key and writers; disks that refuse."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, precondition, rule

from capc.foundation.errors import BudgetExhaustedError, InputError
from capc.noise.mechanism import CostUnit
from capc.privacy.account import Account
from capc.privacy.accountants import confident_gnmax as joint_module
from capc.privacy.accountants import policies
from capc.privacy.accountants.policies import certify, policy_budget, with_joint_cost
from capc.privacy.accountants.rdp import rdp_cost
from capc.privacy.accountants.steps import release_of, steps_of
from capc.privacy.accountants.unit import ProtectedUnit, Relation
from capc.privacy.events import Receipt
from capc.privacy.ledger import Ledger, LedgerError, Terms, default_key_file, open_ledger, reading
from capc.privacy.ledger import ledger as ledger_module
from capc.privacy.ledger.records import QueryRecord
from capc.privacy.query_cost import QueryCost, query_cost
from capc.privacy.storage.connections import Connection, connect, make_durable
from capc.session.parameters import Adjacency, Charge, NoiseName
from privacy.ledger.cases import CHECK, COST, INPUTS, OTHER_TAG, TAG, FullDisk, make_ledger, make_terms
from support.sizes import examples

# --- a plain model ------------------------------------------------------------------------------------------------


class LedgerMachine(RuleBasedStateMachine):
    """Any calls, restarts and second writers, against a table of what each query holds."""

    queries = Bundle("queries")

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.terms = make_terms(queries=5)
        self.ledgers = [make_ledger(self.folder, self.terms), make_ledger(self.folder, self.terms)]
        self.memory = Account(self.terms.policy, self.terms.grid_bits, self.terms.budget)
        self.receipts: dict[tuple[bytes, int], Receipt] = {}
        self.messages: dict[tuple[bytes, int], bytes] = {}
        self.held: dict[tuple[bytes, int], Fraction] = {}
        self.settled: set[tuple[bytes, int]] = set()
        self.left_open: list[Ledger] = []

    def teardown(self) -> None:
        for ledger in self.ledgers + self.left_open:
            ledger.close()
        shutil.rmtree(self.folder)

    @rule(target=queries, tag=st.sampled_from([TAG, OTHER_TAG]), query=st.integers(0, 4))
    def name_a_query(self, tag: bytes, query: int) -> tuple[bytes, int]:
        return tag, query

    @rule(key=queries, writer=st.integers(0, 1), inputs=st.sampled_from([INPUTS, bytes(32)]))
    def reserve(self, key: tuple[bytes, int], writer: int, inputs: bytes) -> None:
        allowed = key not in self.held and sum(self.held.values()) + COST <= self.terms.budget
        try:
            receipt = self.ledgers[writer].reserve(*key, inputs)
        except (InputError, BudgetExhaustedError):
            assert not allowed
            return
        assert allowed
        assert receipt == self.memory.reserve(*key, inputs)
        self.receipts[key], self.held[key] = receipt, COST

    @rule(key=queries, writer=st.integers(0, 1), message=st.binary(max_size=3))
    def dispatch(self, key: tuple[bytes, int], writer: int, message: bytes) -> None:
        if key not in self.receipts:
            return
        allowed = self.messages.get(key, message) == message
        try:
            assert self.ledgers[writer].dispatch(self.receipts[key], message) == message
        except InputError:
            assert not allowed
            return
        assert allowed
        self.memory.dispatch(self.receipts[key], message)
        self.messages[key] = message

    @rule(key=consumes(queries), writer=st.integers(0, 1), answered=st.booleans())
    def settle(self, key: tuple[bytes, int], writer: int, answered: bool) -> None:
        if key not in self.receipts:
            return
        try:
            self.ledgers[writer].settle(self.receipts[key], answered)
        except InputError:
            assert key in self.settled or key not in self.messages
            return
        assert key in self.messages.keys() - self.settled
        self.memory.settle(self.receipts[key], answered)
        self.settled.add(key)
        self.held[key] = COST if answered else CHECK

    @precondition(lambda self: self.held)
    @rule(writer=st.integers(0, 1), closes=st.booleans())
    def restart(self, writer: int, closes: bool) -> None:
        """Also without closing first, as after a crash."""
        if closes:
            self.ledgers[writer].close()
        else:
            self.left_open.append(self.ledgers[writer])
        self.ledgers[writer] = make_ledger(self.folder, self.terms)

    @invariant()
    def both_tell_the_model(self) -> None:
        for ledger in self.ledgers:
            assert ledger.spent == self.memory.spent == sum(self.held.values())
            assert ledger.events == self.memory.events
            assert ledger.remaining_queries() == self.memory.remaining_queries()
            assert 0 <= ledger.spent <= ledger.budget
            for key in self.held:
                assert ledger.dispatched(*key) == self.messages.get(key)


LedgerMachine.TestCase.settings = settings(
    max_examples=examples(ordinary=15, nightly=500), stateful_step_count=25, deadline=None
)


@pytest.mark.slow
@pytest.mark.req("CAPC-LEDG-007", "CAPC-LEDG-008")
class TestAgainstAPlainModel(LedgerMachine.TestCase):
    """One table of what each query holds."""


# --- creation, terms, keys ----------------------------------------------------------------------------------------


@pytest.mark.req("CAPC-LEDG-002")
@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("owner", lambda terms: replace(terms, owner="answering_party_1")),
        ("data_set", lambda terms: replace(terms, data_set="letters")),
        ("grid_bits", lambda terms: replace(terms, grid_bits=5)),
        *(
            (
                field,
                lambda terms, field=field, value=value: replace(terms, policy=replace(terms.policy, **{field: value})),
            )
            for field, value in {
                "mechanism": NoiseName.DISCRETE_GAUSSIAN,
                "renyi_order": Fraction(3),
                "sigma": Fraction(5, 2),
                "threshold": Fraction(4),
                "threshold_sigma": Fraction(2),
                "charge": Charge.WORST_CASE,
                "adjacency": Adjacency.NULL_VOTE,
                "epsilon": Fraction(11 * 10**6),
                "delta": Fraction(1, 10**6),
            }.items()
        ),
    ],
)
def test_other_terms_are_refused_and_the_first_that_differs_is_named(
    tmp_path: Path, field: str, change: Callable[[Terms], Terms]
) -> None:
    make_ledger(tmp_path).close()
    with pytest.raises(InputError, match=rf"^{field} = .*: the ledger was created with {field} = "):
        make_ledger(tmp_path, change(make_terms()))
    make_ledger(tmp_path).close()


@pytest.mark.req("CAPC-LEDG-002")
def test_the_budget_is_the_one_that_was_fixed_at_creation(tmp_path: Path) -> None:
    make_ledger(tmp_path, make_terms(queries=2)).close()
    with make_ledger(tmp_path, make_terms(queries=50)) as ledger:
        assert ledger.budget == 2 * COST
        assert ledger.remaining_queries() == 2


@pytest.mark.slow
@pytest.mark.req("CAPC-LEDG-014")
@given(
    mechanism=st.sampled_from(list(NoiseName)),
    epsilon=st.fractions(min_value=Fraction(1, 2), max_value=50, max_denominator=97),
    delta=st.integers(3, 12).map(lambda n: Fraction(1, 10**n)),
)
@settings(max_examples=examples(ordinary=15, nightly=200), deadline=None)
def test_terms_promise_no_more_than_their_budget_keeps(
    mechanism: NoiseName, epsilon: Fraction, delta: Fraction
) -> None:
    """The derived budget is admitted, a ten-billionth more is not; nor is it for a smaller epsilon or delta."""
    order = Fraction(100) if mechanism is NoiseName.SKELLAM else None
    policy = replace(make_terms().policy, mechanism=mechanism, epsilon=epsilon, delta=delta, renyi_order=order)
    terms = replace(make_terms(), policy=policy, budget=policy_budget(policy))
    assert Terms.from_document(terms.document()) == terms
    little = 1 + Fraction(1, 10**10)
    with pytest.raises(InputError, match=r"^budget = .* and the policy promises"):
        replace(terms, budget=terms.budget * little)
    for field in ("epsilon", "delta"):
        with pytest.raises(InputError, match=r"^budget = .* and the policy promises"):
            replace(terms, policy=replace(policy, **{field: getattr(policy, field) * Fraction(99, 100)}))


@pytest.mark.req("CAPC-LEDG-014")
def test_no_ledger_is_made_whose_budget_does_not_keep_its_epsilon(tmp_path: Path) -> None:
    policy = replace(make_terms().policy, epsilon=Fraction(10))
    with pytest.raises(InputError, match=r"^budget = 50 \(mu_squared\): it keeps no more than epsilon = 54\.3767 "):
        open_ledger(tmp_path / "ledger", replace(make_terms(), policy=policy))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.req("CAPC-LEDG-002", "CAPC-ACCT-115")
@pytest.mark.parametrize(
    ("mechanism", "joint"),
    [(NoiseName.SKELLAM, False), (NoiseName.ROUNDED_GAUSSIAN, False), (NoiseName.ROUNDED_GAUSSIAN, True)],
)
def test_a_ledger_charges_at_the_order_that_its_policy_fixes(tmp_path: Path, mechanism: NoiseName, joint: bool) -> None:
    policy = replace(
        make_terms(charge=Charge.WORST_CASE).policy,
        mechanism=mechanism,
        renyi_order=Fraction(7, 2),
        epsilon=Fraction(200),
    )
    policy = with_joint_cost(policy) if joint else policy
    terms = replace(make_terms(), policy=policy, budget=policy_budget(policy))
    with make_ledger(tmp_path, terms) as ledger:
        receipt = ledger.reserve(TAG, 1, INPUTS)
        assert receipt.unit is CostUnit.RENYI
        assert ledger.spent == ledger.cost.worst_case == query_cost(policy, 4).worst_case
        steps = steps_of(ledger.events, release_of(ledger.mechanisms), ProtectedUnit(Relation.REPLACE_ONE))
        assert rdp_cost(steps, Fraction(7, 2)) == ledger.spent
    for field, value in (("renyi_order", Fraction(4)), ("sigma", Fraction(3))):
        other = replace(policy, **{field: value})
        other = with_joint_cost(other) if joint else other
        with pytest.raises(InputError, match=rf"^{field} = .*: the ledger was created with {field} = "):
            make_ledger(tmp_path, replace(terms, policy=other, budget=policy_budget(other)))
    if mechanism is NoiseName.ROUNDED_GAUSSIAN:
        plain = replace(policy, renyi_order=None, joint_cost=None)
        with pytest.raises(InputError, match=r"^renyi_order = None: the ledger was created with renyi_order = 7/2"):
            make_ledger(tmp_path, replace(terms, policy=plain, budget=policy_budget(plain)))
    with make_ledger(tmp_path, terms) as again:
        assert again.spent == again.cost.worst_case


@pytest.mark.req("CAPC-ACCT-116")
def test_a_joint_cost_below_its_bound_is_refused() -> None:
    policy = replace(make_terms(charge=Charge.WORST_CASE).policy, renyi_order=Fraction(3))
    joint = with_joint_cost(policy)
    parts = query_cost(policy, 4)
    assert joint.joint_cost is not None
    assert parts.answer < joint.joint_cost < parts.worst_case
    Terms("privacy_guardian", "digits", joint, 4, Fraction(10))
    for cost in (joint.joint_cost * Fraction(999, 1000), parts.answer):
        with pytest.raises(InputError, match=r"^joint_cost = .* can cost"):
            Terms("privacy_guardian", "digits", replace(joint, joint_cost=cost), 4, Fraction(10))


@pytest.mark.req("CAPC-LEDG-002")
def test_no_ledger_is_made_that_could_not_be_opened(tmp_path: Path) -> None:
    policy = make_terms().policy
    for number in (Fraction(10**250 + 1, 10**249), Fraction(10**5000 + 1, 10**4999)):
        for field in ("sigma", "threshold_sigma"):
            with pytest.raises(InputError, match=f"^{field}: a number of more than 400 characters: give a shorter one"):
                open_ledger(tmp_path / "ledger", replace(make_terms(), policy=replace(policy, **{field: number})))
    assert list(tmp_path.iterdir()) == []
    longest = Fraction(10**199 + 1, 10**198)
    terms = replace(make_terms(), policy=replace(policy, sigma=longest))
    open_ledger(tmp_path / "ledger", terms).close()
    open_ledger(tmp_path / "ledger", terms).close()


@pytest.mark.parametrize("name", ["a\nb", "a\x1b[31m", "\ud800", "a\u2028b", "a\x00"])
@pytest.mark.parametrize("field", ["owner", "data_set"])
def test_a_name_that_cannot_be_shown_is_refused(field: str, name: str) -> None:
    with pytest.raises(InputError, match=f"^{field} = .*: give a name without control characters"):
        replace(make_terms(), **{field: name})


@pytest.mark.req("CAPC-ACCT-116")
def test_a_joint_cost_that_was_found_with_more_effort_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    """By another version, or another implementation: a ledger must open for as long as its claims hold."""
    terms = make_terms(charge=Charge.WORST_CASE)
    joint = with_joint_cost(replace(terms.policy, renyi_order=Fraction(4)))
    monkeypatch.setattr(joint_module, "_MAX_CELLS", 10)
    policies.joint_cost.cache_clear()
    certify.cache_clear()
    assert joint.joint_cost is not None
    assert policies.joint_cost(joint) > joint.joint_cost
    Terms("privacy_guardian", "digits", joint, 4, Fraction(10))
    policies.joint_cost.cache_clear()


@pytest.mark.req("CAPC-ACCT-116", "CAPC-LEDG-014")
def test_hostile_terms_are_refused_in_one_short_line() -> None:
    document = replace(make_terms(charge=Charge.WORST_CASE), budget=Fraction(1)).document()
    document |= {"threshold_sigma": "1/" + "9" * 390, "renyi_order": "3", "joint_cost": "1"}
    with pytest.raises(InputError, match=r"^joint_cost = 1: .* can cost up to 3e780 ") as error:
        Terms.from_document(document)
    assert len(str(error.value)) < 300
    document["budget"] = "9" * 390
    with pytest.raises(
        InputError, match=r"^cost = about 1e390: give a cost from 0 to 1e9: more noise, or fewer queries$"
    ):
        Terms.from_document(document)


@pytest.mark.req("CAPC-LEDG-001")
def test_the_file_is_durable_and_for_its_owner_only(tmp_path: Path) -> None:
    with make_ledger(tmp_path):
        names = sorted(path.name for path in tmp_path.iterdir())
        assert names == ["ledger", "ledger-journal", "ledger.key", "ledger.lock"]
        for name in names:
            assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
        connection = connect(tmp_path / "ledger")
        assert connection.execute("PRAGMA journal_mode").fetchall() == [("delete",)]
        connection.close()


@pytest.mark.req("CAPC-LEDG-002")
def test_every_party_keeps_an_account_of_its_own_where_noise_is_distributed(tmp_path: Path) -> None:
    owners = ["answering_party_1", "answering_party_2"]
    ledgers = [open_ledger(tmp_path / owner, replace(make_terms(), owner=owner)) for owner in owners]
    ledgers[0].reserve(TAG, 1, INPUTS)
    assert [ledger.spent for ledger in ledgers] == [COST, 0]
    assert [ledger.terms.owner for ledger in ledgers] == owners
    for ledger in ledgers:
        ledger.close()


@pytest.mark.req("CAPC-LEDG-011")
def test_a_key_is_made_once_and_never_shown(tmp_path: Path) -> None:
    ledger = make_ledger(tmp_path)
    file = default_key_file(tmp_path / "ledger")
    assert os.name == "nt" or stat.S_IMODE(file.stat().st_mode) == stat.S_IRUSR | stat.S_IWUSR
    secret = file.read_text().strip()
    assert len(bytes.fromhex(secret)) == 32
    written = [path.read_bytes().hex() for path in tmp_path.iterdir() if path.suffix != ".key"]
    assert len(written) == 3
    assert secret not in "".join(written)
    assert secret not in repr(ledger) + repr(ledger.proof())
    ledger.close()


@pytest.mark.req("CAPC-LEDG-011")
@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda file: file.unlink(), "no readable signing key"),
        (lambda file: file.chmod(0o640), "others may read"),
        (lambda file: file.write_text("abc"), "not a signing key"),
        (lambda file: file.write_text("ab" * 32), "not the one that the ledger was created with"),
    ],
)
def test_a_missing_foreign_or_readable_key_is_refused(
    tmp_path: Path, spoil: Callable[[Path], None], message: str
) -> None:
    make_ledger(tmp_path).close()
    spoil(tmp_path / "ledger.key")
    with pytest.raises(LedgerError, match=message):
        make_ledger(tmp_path)


def test_a_file_that_is_no_ledger_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ledger.key").write_text("ab" * 32)
    (tmp_path / "ledger.key").chmod(0o600)
    (tmp_path / "ledger").write_text("not a database, but long enough to look at" * 100)
    with pytest.raises(LedgerError, match="not usable as a ledger"):
        make_ledger(tmp_path)
    # With no key beside it either: it is the file that is wrong.
    (tmp_path / "ledger.key").unlink()
    with pytest.raises(LedgerError, match="not usable as a ledger"):
        make_ledger(tmp_path)
    with pytest.raises(LedgerError, match="not usable as a ledger"), reading(tmp_path / "ledger"):
        pass
    with pytest.raises(LedgerError, match="no such ledger"), reading(tmp_path / "none"):
        pass


# --- one noise draw for one charge --------------------------------------------------------------------------------


@pytest.mark.req("CAPC-LEDG-006")
def test_after_a_restart_the_identical_bytes_are_there_and_nothing_else_can_be_sent(tmp_path: Path) -> None:
    ledger = make_ledger(tmp_path)
    receipt = ledger.reserve(TAG, 1, INPUTS)
    assert ledger.dispatch(receipt, b"noise on these votes") == b"noise on these votes"
    # No close: the process is gone.
    again = make_ledger(tmp_path)
    assert again.dispatched(TAG, 1) == b"noise on these votes"
    assert again.dispatch(receipt, b"noise on these votes") == b"noise on these votes"
    with pytest.raises(InputError, match="another message was written down for query 1"):
        again.dispatch(receipt, b"noise on other votes")
    assert again.spent == COST
    for made in (ledger, again):
        made.close()


@pytest.mark.req("CAPC-LEDG-005", "CAPC-LEDG-006")
@pytest.mark.parametrize("other_inputs", [INPUTS, bytes(32)], ids=["inputs", "other"])
def test_a_query_that_was_charged_and_not_sent_is_never_drawn_again(tmp_path: Path, other_inputs: bytes) -> None:
    # No close before it is opened again: the process is gone.
    with make_ledger(tmp_path) as ledger, make_ledger(tmp_path) as again:
        ledger.reserve(TAG, 1, INPUTS)
        assert again.dispatched(TAG, 1) is None
        with pytest.raises(InputError, match="charged before"):
            again.reserve(TAG, 1, other_inputs)
        assert again.spent == COST


@pytest.mark.req("CAPC-LEDG-006")
def test_a_message_without_a_charge_is_refused(tmp_path: Path) -> None:
    with make_ledger(tmp_path) as ledger:
        forged = replace(ledger.reserve(TAG, 1, INPUTS), inputs_digest=bytes(32))
        with pytest.raises(InputError, match="not one of this account"):
            ledger.dispatch(forged, b"anything")
        assert ledger.dispatched(TAG, 1) is None


@pytest.mark.req("CAPC-LEDG-008")
def test_no_call_writes_what_cannot_be_read(tmp_path: Path) -> None:
    """True is equal to 1, and is written otherwise."""
    wrong: Any = True
    with make_ledger(tmp_path) as ledger:
        with pytest.raises(InputError, match="query = True: give a whole number"):
            ledger.reserve(TAG, wrong, INPUTS)
        with pytest.raises(InputError, match="of type bytearray: give bytes"):
            ledger.reserve(TAG, 1, bytearray(INPUTS))
        receipt = ledger.reserve(TAG, 1, INPUTS)
        with pytest.raises(InputError, match="not one of this account"):
            ledger.dispatch(replace(receipt, query=wrong), b"message")
        with pytest.raises(InputError, match="of type str: give bytes"):
            ledger.dispatch(receipt, "message")  # type: ignore[arg-type]
        ledger.dispatch(receipt, b"message")
        with pytest.raises(InputError, match="answered = 1: give True or False"):
            ledger.settle(receipt, 1)  # type: ignore[arg-type]
    with make_ledger(tmp_path) as again:
        assert again.spent == COST
        again.settle(receipt, answered=False)


@pytest.mark.req("CAPC-LEDG-008")
def test_a_record_that_no_reader_would_accept_is_not_committed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever mistake an account makes before it writes."""
    with make_ledger(tmp_path) as ledger:

        class Free(QueryRecord):
            def body(self, cost: QueryCost) -> bytes:
                return super().body(cost).replace(b'"1/2"', b'"2/4"')

        monkeypatch.setattr(ledger_module, "QueryRecord", Free)
        with pytest.raises(LedgerError, match="not those that the policy gives it"):
            ledger.reserve(TAG, 1, INPUTS)
        monkeypatch.undo()
        assert ledger.spent == 0
        ledger.reserve(TAG, 1, INPUTS)
    with make_ledger(tmp_path) as again:
        assert again.spent == COST


# --- writers side by side -----------------------------------------------------------------------------------------


@pytest.mark.req("CAPC-LEDG-007")
def test_threads_and_connections_share_one_budget(tmp_path: Path) -> None:
    ledgers = [make_ledger(tmp_path, make_terms(queries=10)) for _ in range(3)]

    def attempt(number: int) -> bool:
        try:
            ledgers[number % 3].reserve(bytes([number % 5]) * 32, number, INPUTS)
        except BudgetExhaustedError:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(attempt, range(40))) == 10
    assert [ledger.spent for ledger in ledgers] == [10 * COST] * 3
    for ledger in ledgers:
        ledger.close()


# --- disks that refuse --------------------------------------------------------------------------------------------


@pytest.mark.req("CAPC-LEDG-001", "CAPC-LEDG-007")
@pytest.mark.parametrize("statement", ["BEGIN", "SELECT", "INSERT", "COMMIT"])
def test_a_write_that_fails_is_an_error_and_the_ledger_goes_on(tmp_path: Path, statement: str) -> None:
    disk = FullDisk()
    with open_ledger(tmp_path / "ledger", make_terms(), connector=disk.connect) as ledger:
        receipt = ledger.reserve(TAG, 1, INPUTS)
        disk.statement = statement
        with pytest.raises(LedgerError, match=r"not usable as a ledger \(database or disk is full\)"):
            ledger.dispatch(receipt, b"message")
        assert ledger.dispatched(TAG, 1) is None
        assert ledger.spent == COST
        assert ledger.dispatch(receipt, b"another message") == b"another message"
        assert ledger.dispatched(TAG, 1) == b"another message"


@pytest.mark.req("CAPC-LEDG-007")
def test_a_writer_that_keeps_its_turn_is_named(tmp_path: Path) -> None:
    def impatient(file: Path) -> Connection:
        return sqlite3.connect(file, timeout=0, isolation_level=None)

    with open_ledger(tmp_path / "ledger", make_terms(), connector=impatient) as ledger:
        other = connect(tmp_path / "ledger")
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerError, match=r"database is locked.* who uses it"):
            ledger.reserve(TAG, 1, INPUTS)
        other.close()
        ledger.reserve(TAG, 1, INPUTS)
        assert ledger.spent == COST


@pytest.mark.req("CAPC-LEDG-001")
def test_a_place_without_a_journal_is_refused() -> None:
    connection = sqlite3.connect(":memory:")
    with pytest.raises(LedgerError, match=r"journal_mode memory.* put the ledger on a local disk"):
        make_durable(connection)
    connection.close()
