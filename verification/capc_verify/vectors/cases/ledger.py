"""The ledger: records, whole and damaged logs, and heads that do or do not extend what was seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

from capc.foundation.primitives import signing_public_key
from capc.foundation.randomness import Seed
from capc.privacy.accountants.policies import with_joint_cost
from capc.privacy.ledger import Proof, Terms
from capc.privacy.ledger.chain import HASH_BYTES, START, Head, digest_of, first_head
from capc.privacy.ledger.records import UNBLINDED, read_query_record
from capc.privacy.query_cost import query_cost
from capc.privacy.storage.store import Row
from capc.session.parameters import Charge, NoiseName, ReleasePolicy
from capc_verify.vectors.build import FileBuilder, GroupBuilder, TestBuilder
from capc_verify.vectors.cases.common import confident, expect_equal
from capc_verify.vectors.operation import SENDER, Fault
from capc_verify.vectors.operations.ledgers import LEDGER, proof_of, terms_fields

_RECORDS = ("CAPC-LEDG-003", "CAPC-LEDG-015")
_CHAIN = ("CAPC-LEDG-004",)
_RULES = ("CAPC-LEDG-008",)
_TERMS_KEPT = ("CAPC-LEDG-014", "CAPC-ACCT-115", "CAPC-ACCT-116")
_HEADS = ("CAPC-LEDG-009",)
_CHARGES = ("CAPC-LEDG-010",)
_KEPT = ("CAPC-LEDG-027",)
_CHECKPOINTS = ("CAPC-LEDG-020",)
_EARLIER = ("CAPC-LEDG-016",)
_EARLIER_CHECK = ("CAPC-LEDG-026",)
_INPUT = Fault.of_caller("input_error")
_ZEROS: dict[str, Any] = {"blinding": bytes(32), "inputs_digest": bytes(32)}
_TERMS = Terms("privacy_guardian", "example", confident(charge=Charge.REALISED, epsilon=Fraction(50)), 4, Fraction(40))


def ledger() -> FileBuilder:
    """Records, logs, heads."""
    file = FileBuilder(
        "ledger",
        "CAPC-LEDGER",
        [
            "Entries in, records out: body, link and signature, byte for byte. How they are stored is not in here.",
            "The field message is what is kept beside a body: a charge's opening, a dispatched record's message.",
            "A log is one state that every entry changes; replaying starts from the records alone.",
            "A ledger that is refused ends with input_error, whatever is wrong with it.",
        ],
    )
    group = file.group(LEDGER)
    log = _Log(group)
    _refused_entries(group, log)
    _terms_kept(group, log)
    _replays(group, log)
    _heads(group, log)
    _checkpoints(group, log)
    return file


class _Log:
    """The log that the other tests begin with: two queries, of which one is withheld and one was never sent."""

    def __init__(self, group: GroupBuilder) -> None:
        test = group.test("records", "The bytes of every kind of record.", _RECORDS + _CHAIN)
        self.key = Seed(test.draw("key", 32))
        self.tag = test.draw("session_tag", 32)
        self.rows: list[Row] = []
        self._write(test, "ledger_open", terms=terms_fields(_TERMS), leaves=["log"])
        self.inputs = test.draw("inputs_digest", 32)
        self._reserve(test, 1)
        self._entry(test, "ledger_dispatch", 1, message=b"what leaves the guardian")
        self._entry(test, "ledger_settle", 1, answered=False)
        self._reserve(test, 2)

    def earlier_form(self) -> list[dict[str, Any]]:
        """The same log, whose first query was charged in the earlier form."""
        bodies = [row.body for row in self.rows]
        charge = replace(read_query_record(bodies[1]), kind=UNBLINDED, digest=self.inputs)
        earlier = charge.body(query_cost(_TERMS.policy, _TERMS.grid_bits))
        made = self.signed([bodies[0], earlier, *bodies[2:]])
        made[1]["message"] = None
        return made

    def fields(self) -> list[dict[str, Any]]:
        """The records as a test gives them."""
        return [row._asdict() for row in self.rows]

    def signed(self, bodies: list[bytes], key: Seed | None = None) -> list[dict[str, Any]]:
        """Records with these bodies and right links, signed by whoever has this key; messages stay in their place."""
        head: Head | None = None
        made = []
        for position, body in enumerate(bodies):
            head = first_head(digest_of(body)) if head is None else head.extended(digest_of(body))
            message = self.rows[position].message if position < len(self.rows) else None
            made.append(Row(body, head.link, head.sign(key or self.key), message)._asdict())
        return made

    def _reserve(self, test: TestBuilder, query: int) -> None:
        blinding = test.draw("blinding", 32)
        self._entry(test, "ledger_reserve", query, blinding=blinding, inputs_digest=self.inputs)

    def _entry(self, test: TestBuilder, op: str, query: int, **fields: Any) -> None:  # noqa: ANN401
        self._write(test, op, session_tag=self.tag, query=query, states=["log"], **fields)

    def _write(self, test: TestBuilder, op: str, **fields: Any) -> None:  # noqa: ANN401
        found = test.run(op, key=self.key, salt=test.draw("salt", 16), **fields)
        self.rows.append(Row(**{name: found[name] for name in Row._fields}))


def _refused_entries(group: GroupBuilder, log: _Log) -> None:
    refused: list[tuple[str, str, str, int, dict[str, Any]]] = [
        ("reserve_twice", "One query is charged once.", "reserve", 1, _ZEROS),
        ("dispatch_uncharged", "A message without a charge.", "dispatch", 2, {"message": b"message"}),
        ("settle_uncharged", "A settlement without a charge.", "settle", 2, {"answered": True}),
    ]
    for name, comment, op, query, fields in refused:
        test = group.test(name, comment, _RULES, ["DoubleCharge" if query == 1 else "ForeignReceipt"])
        test.run("ledger_open", key=log.key, salt=bytes(16), terms=terms_fields(_TERMS), leaves=["log"])
        shared: dict[str, Any] = {"key": log.key, "salt": bytes(16), "session_tag": log.tag, "states": ["log"]}
        test.run("ledger_reserve", query=1, **_ZEROS, **shared)
        test.run(f"ledger_{op}", query=query, **fields, **shared, fault=_INPUT)

    comment = "Two queries fit; the record of a third breaks a rule."
    test = group.test("reserve_beyond_budget", comment, _RULES, ["BrokenLog"])
    test.run("ledger_open", key=log.key, salt=bytes(16), terms=terms_fields(_TERMS), leaves=["log"])
    for query in range(3):
        shared = {"key": log.key, "salt": bytes(16), "session_tag": log.tag, "query": query, "states": ["log"]}
        test.run("ledger_reserve", **_ZEROS, **shared, fault=_INPUT if query == 2 else None)


def _terms_kept(group: GroupBuilder, log: _Log) -> None:
    """Openings: a budget that its policy's epsilon and delta bear, and others."""
    release = _TERMS.policy
    skellam = replace(
        release, mechanism=NoiseName.SKELLAM, charge=Charge.WORST_CASE, sigma=Fraction(2), renyi_order=Fraction(3)
    )
    joint = with_joint_cost(replace(release, charge=Charge.WORST_CASE, renyi_order=Fraction(3)))
    plain = replace(skellam, mechanism=NoiseName.ROUNDED_GAUSSIAN, threshold=None, threshold_sigma=None)
    # What all counts cost bounds what a label does: every port can certify it.
    label = replace(plain, argmax_cost=Fraction(3, 4))
    for name, made in (("skellam", skellam), ("joint", joint), ("label", label)):
        test = group.test(f"open_{name}", "A policy that is charged at a Renyi order.", _TERMS_KEPT)
        terms = terms_fields(replace(_TERMS, policy=made))
        test.run("ledger_open", key=log.key, salt=bytes(16), terms=terms, leaves=["log"])
        fields: dict[str, Any] = {"session_tag": log.tag, **_ZEROS, "states": ["log"]}
        test.run("ledger_reserve", key=log.key, salt=bytes(16), query=1, **fields)
    counted = _labels_counted(group, log, replace(plain, renyi_order=None, epsilon=Fraction(8)))
    # The answer alone costs 12 at this order.
    refused: list[tuple[str, dict[str, Any], ReleasePolicy]] = [
        ("budget", {"budget": Fraction(80)}, release),
        ("epsilon", {}, replace(release, epsilon=Fraction(40))),
        ("delta", {}, replace(release, delta=Fraction(1, 10**7))),
        ("renyi_budget", {"budget": Fraction(46)}, skellam),
        ("joint_cost", {}, replace(joint, joint_cost=Fraction(11))),
        ("argmax_cost", {}, replace(label, argmax_cost=Fraction(1, 4))),
        *(
            (f"queries_{name}", {"budget": Fraction(5000)}, replace(made, argmax_queries=5000))
            for name, made in counted
        ),
        ("queries_that_are_claimed", {"budget": Fraction(6)}, counted[0][1]),
    ]
    for name, changes, made in refused:
        test = group.test(f"open_beyond_{name}", "More is promised than is kept.", _TERMS_KEPT, ["CallerMistake"])
        terms = {**terms_fields(_TERMS), "policy": vars(made), **changes}
        test.run("ledger_open", key=log.key, salt=bytes(16), terms=terms, fault=_INPUT)


_COUNTED = {NoiseName.ROUNDED_GAUSSIAN: 5, NoiseName.DISCRETE_GAUSSIAN: 4, NoiseName.SKELLAM: 4}
"""How many noised histograms keep epsilon and delta of the policy below, by the method of their noise."""


def _labels_counted(group: GroupBuilder, log: _Log, release: ReleasePolicy) -> list[tuple[str, ReleasePolicy]]:
    """As many labels as noised counts keep, which every port certifies; gives the policies."""
    made = []
    for mechanism, queries in _COUNTED.items():
        counted = replace(release, mechanism=mechanism, argmax_queries=queries)
        made.append((mechanism.value, counted))
        name, comment = f"open_labels_{mechanism}", "As many labels are counted as their noised counts keep together."
        test = group.test(name, comment, ("CAPC-LEDG-014", "CAPC-ACCT-132", "CAPC-ACCT-137"))
        terms = terms_fields(replace(_TERMS, policy=counted, budget=Fraction(queries)))
        test.run("ledger_open", key=log.key, salt=bytes(16), terms=terms, leaves=["log"])
        fields: dict[str, Any] = {"session_tag": log.tag, **_ZEROS, "states": ["log"]}
        test.run("ledger_reserve", key=log.key, salt=bytes(16), query=1, **fields)
    return made


def _replays(group: GroupBuilder, log: _Log) -> None:
    found = group.case(
        "ledger_replay", "whole", "What was spent follows from the records.", _RULES, records=log.fields()
    )
    # One check and a full query: the withheld answer was given back, the query that was not sent stays charged.
    expect_equal((found["size"], found["spent"]), (5, Fraction(8) + Fraction(16)), "whole")
    expect_equal(
        group.case(
            "ledger_replay",
            "earlier_form",
            "A charge of the earlier form counts, and newer records follow it.",
            _EARLIER,
            records=log.earlier_form(),
        )["spent"],
        found["spent"],
        "earlier_form",
    )
    group.case(
        "ledger_replay",
        "truncated_is_whole",
        "A shorter log is right in itself: only a kept head tells.",
        _CHAIN,
        records=log.fields()[:3],
    )
    rows, bodies = log.fields(), [row.body for row in log.rows]
    group.case(
        "ledger_replay",
        "replay_check_of_an_earlier_version",
        "Terms with a threshold and no mode of it: one draw on the largest count.",
        _EARLIER_CHECK,
        ["BrokenLog"],
        records=log.signed([bodies[0].replace(b'"threshold_mode":"two_draws",', b"")]),
        fault=_INPUT,
    )
    refund = bodies[3].replace(b'"answered":false', b'"answered":true')
    # Without the message of the record in its place.
    unsent = [{**row, "message": None} for row in log.signed([*bodies[:2], bodies[3]])]
    free = [bodies[0], bodies[1].replace(b'"check":"8"', b'"check":"0"'), *bodies[2:]]
    beyond = bodies[0].replace(b'"budget":"40"', b'"budget":"80"')
    damaged: list[tuple[str, str, list[dict[str, Any]]]] = [
        ("no_records", "The log was truncated to nothing.", []),
        ("edited_body", "A bit of what happened was changed.", [*rows[:3], {**rows[3], "body": refund}, *rows[4:]]),
        ("edited_link", "A link is not that of its record.", [*rows[:2], {**rows[2], "link": bytes(32)}, *rows[3:]]),
        ("edited_signature", "A signature is not the owner's.", [*rows[:4], {**rows[4], "signature": bytes(64)}]),
        ("edited_opening", "An opening is not that of its commitment.", [rows[0], {**rows[1], "message": bytes(64)}]),
        ("no_opening", "A charge without the opening beside it.", [rows[0], {**rows[1], "message": None}]),
        ("edited_message", "Another message than the one recorded.", [*rows[:2], {**rows[2], "message": b"x"}]),
        ("removed", "A record in the middle is missing.", [*rows[:2], *rows[3:]]),
        ("first_removed", "The log does not begin with its terms.", rows[1:]),
        ("exchanged", "Two records changed places.", [*rows[:3], rows[4], rows[3]]),
        ("without_key", "Right links, signed with another key.", log.signed(bodies[:2], Seed(bytes(32)))),
        ("wrong_cost", "The owner itself charged less than the policy says.", log.signed(free)),
        ("settled_twice", "The owner itself gave an answer back twice.", log.signed([*bodies[:4], bodies[3]])),
        ("settled_unsent", "The owner itself gave an answer back before its message left.", unsent),
        ("budget_beyond_epsilon", "The owner itself promises more than its budget keeps.", log.signed([beyond])),
        ("not_canonical", "A second encoding of the same record.", log.signed([bodies[0], b" " + bodies[1]])),
    ]
    for name, comment, records in damaged:
        group.case(
            "ledger_replay",
            f"replay_{name}",
            comment,
            _RULES if "owner itself" in comment else _CHAIN,
            ["BrokenLog"],
            records=records,
            fault=_INPUT,
        )


def _heads(group: GroupBuilder, log: _Log) -> None:
    def check(name: str, comment: str, proof: Proof, *, seen: int, **options: Any) -> None:  # noqa: ANN401
        flags = options.pop("flags", [])
        test = group.test(f"head_{name}", comment, options.pop("requirements", _HEADS), flags)
        wanted = options.pop("charged", [])
        message = options.pop("message", proof.to_bytes())
        kept = None
        if seen:
            head = Head(log.rows[0].link, seen, log.rows[seen - 1].link)
            kept = {"head": vars(head), "public_key": signing_public_key(log.key), "began": options.pop("began", [])}
        charged = [{"session_tag": log.tag, "query": query} for query in wanted]
        options.setdefault("terms", terms_fields(_TERMS))
        test.run("ledger_check_proof", seen=kept, proof=message, charged=charged, **options)

    first, later = proof_of(log.rows, 0, 0), proof_of(log.rows, 2)
    check("first", "The first look: the first record is shown.", first, seen=0)
    check("extended", "Three more records than were seen.", later, seen=2)
    check("unchanged", "Nothing happened since.", proof_of(log.rows, 5), seen=5)
    shown = proof_of(log.rows, 2, 4)
    check("charge_shown", "The charge is among the new ones.", shown, seen=2, charged=[2], requirements=_CHARGES)
    comment = "Another run's head covers the charge, and this run began before it."
    check("charge_covered", comment, shown, seen=5, began=[2, 5], charged=[2], requirements=_CHARGES)
    _what_is_kept(log, check)
    earlier = [Row(**fields) for fields in log.earlier_form()]
    bodies = [row.body for row in log.rows]
    fork = [Row(**fields) for fields in log.signed([*bodies[:2], bodies[4], bodies[3]])]
    refused: list[tuple[str, str, Proof, dict[str, Any]]] = [
        ("rolled_back", "Fewer records than were seen.", proof_of(log.rows[:3], 3), {"seen": 4}),
        ("forked", "Signed, as long, and other records after the second.", proof_of(fork, 4), {"seen": 4}),
        ("forked_longer", "The same, hidden behind the right beginning.", proof_of(fork, 3), {"seen": 3}),
        ("gap", "The proof begins after what was seen.", later, {"seen": 1}),
        ("foreign", "Another identity.", replace(later, identity=bytes(HASH_BYTES)), {"seen": 2}),
        ("unsigned", "The signature is of another head.", replace(later, signature=log.rows[3].signature), {"seen": 2}),
        (
            "first_unopened",
            "The first record is not shown to a party that never saw it.",
            replace(first, opened=()),
            {"seen": 0},
        ),
        (
            "other_terms",
            "Another policy than was agreed to.",
            first,
            {"seen": 0, "terms": terms_fields(replace(_TERMS, data_set="other"))},
        ),
        (
            "larger_budget",
            "A larger budget than was agreed to.",
            first,
            {"seen": 0, "terms": terms_fields(replace(_TERMS, budget=Fraction(39)))},
        ),
        ("charge_missing", "A query took place and was not charged.", shown, {"seen": 2, "charged": [3]}),
        ("charge_of_before", "Every run began after that charge.", shown, {"seen": 5, "began": [5], "charged": [2]}),
        ("charge_of_nobody", "No run began.", shown, {"seen": 5, "charged": [2]}),
        ("link_before", "The link that it begins with is not its own.", replace(shown, before=bytes(32)), {"seen": 5}),
        ("past_edited", "It leads past the head that was seen.", proof_of(fork, 2), {"seen": 3}),
    ]
    for name, comment, proof, options in refused:
        check(name, comment, proof, flags=["BrokenHead"], fault=_INPUT, **options)
    group.case(
        "ledger_check_proof",
        "head_earlier_form",
        "A charge of the earlier form is shown: it tells votes.",
        _EARLIER,
        ["BrokenHead"],
        seen={
            "head": vars(Head(earlier[0].link, 1, earlier[0].link)),
            "public_key": signing_public_key(log.key),
            "began": [],
        },
        terms=terms_fields(_TERMS),
        charged=[{"session_tag": log.tag, "query": 1}],
        proof=proof_of(earlier, 1, 1).to_bytes(),
        fault=_INPUT,
    )
    for name, message in (("short", later.to_bytes()[:-1]), ("long", later.to_bytes() + b"\0")):
        fault = Fault("malformed_length", SENDER)
        check(
            name,
            "The proof has another length than its counts say.",
            later,
            seen=2,
            message=message,
            flags=[name.title()],
            fault=fault,
        )


def _what_is_kept(log: _Log, check: Callable[..., None]) -> None:
    """Heads that are accepted, and the runs that have not asked yet."""
    shown, all_seen = proof_of(log.rows, 2, 4), len(log.rows)
    cases: list[tuple[str, str, Proof, dict[str, Any]]] = [
        (
            "began_before_the_charge",
            "Of the runs that began before the charge, the last one asked for it.",
            shown,
            {"seen": all_seen, "began": [2, 3, 5], "charged": [2]},
        ),
        (
            "began_and_two_charges",
            "Of two charges the older one says which run asked.",
            proof_of(log.rows, 1, 1, 4),
            {"seen": all_seen, "began": [1, 3, 5], "charged": [2, 1]},
        ),
        (
            "runs_that_are_kept",
            "Of 65 runs that have not asked, the largest 64 stay.",
            proof_of(log.rows, all_seen),
            {"seen": all_seen, "began": [1, *[2] * 31, *[5] * 32]},
        ),
        (
            "other_bodies",
            "What is shown beside the charge, and is older than every run, or in no record, does not count.",
            replace(proof_of(log.rows, 1, 1, 4), opened=(log.rows[1].body, b"no record", log.rows[4].body)),
            {"seen": 2, "charged": [2]},
        ),
        (
            "smaller_budget",
            "A smaller budget than was agreed to.",
            proof_of(log.rows, 0, 0),
            {"seen": 0, "terms": terms_fields(replace(_TERMS, budget=Fraction(41)))},
        ),
    ]
    for name, comment, proof, options in cases:
        check(name, comment, proof, requirements=_KEPT, **options)


def _checkpoints(group: GroupBuilder, log: _Log) -> None:
    """As if they were due after these few records."""
    op = "ledger_checkpoint"
    logs = {"first": (log.fields(), "every kind of record"), "earlier_form": (log.earlier_form(), "the earlier form")}
    for name, (records, what) in logs.items():
        told = f"Entries, state and signature: {what}."
        group.case(op, f"checkpoint_{name}", told, _CHECKPOINTS, key=log.key, state=START, records=records)
    test = group.test("checkpoint_next", "A state follows from the one before.", _CHECKPOINTS)
    test.run(op, key=log.key, state=test.draw("state", 32), records=log.fields())
    broken = [*log.fields()[:3], {**log.fields()[3], "body": b"{}"}, *log.fields()[4:]]
    for name, comment, key, records in (
        ("broken_log", "A record was edited: a checkpoint is of a log that is right.", log.key, broken),
        ("other_key", "Another key than the owner's: nobody would begin at it.", Seed(bytes(32)), log.fields()),
    ):
        about = f"checkpoint_{name}", comment, _CHECKPOINTS, ["BrokenLog"]
        group.case(op, *about, key=key, state=START, records=records, fault=_INPUT)
