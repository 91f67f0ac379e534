"""``capc ledger``: what a ledger says, whether it is whole, and all of it for other tools. Reads only, needs no key."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from rich.table import Table
from rich.text import Text

from capc.cli import EXIT_OK
from capc.cli.terminal.output import Output
from capc.foundation.errors import InputError
from capc.privacy.accountants.ball_arithmetic import decimal_text
from capc.privacy.accountants.steps import release_of, steps_of
from capc.privacy.accountants.unit import ProtectedUnit, Relation
from capc.privacy.figures.methods import TIGHTEST_FIRST, Method, statement_for
from capc.privacy.figures.statement import budget_statement, spent_statement
from capc.privacy.ledger import LedgerError, LedgerLog, load_known_head, reading
from capc.privacy.ledger.chain import digest_of
from capc.privacy.ledger.records import may_be_opened
from capc.session.parameters import Accounting, Adjacency


def show(file: Path, json_target: str | None) -> int:
    """Prints terms, charges and what is left. The log was verified first.

    Raises:
        InputError: the file is no ledger, or its log is wrong.
    """
    output = _output(json_target, {"LEDGER": file})
    with reading(file) as (log, _):
        # Names are others': as Text, no markup in them is followed.
        table = Table(title=Text(f"Ledger {file.name}"), show_header=False)
        table.add_column("what", no_wrap=True)
        table.add_column("figure", overflow="fold")
        for name, value in log.terms.document().items():
            table.add_row(name, Text("none" if value is None else str(value)))
        for name, text in (
            ("enforced", str(budget_statement(log))),
            ("realised", str(spent_statement(log))),
            ("if", "; ".join(_hypotheses(log))),
            (
                "read otherwise",
                "\n".join(f"{name}: {text}" for name, text in _readings(log).items()) or "not available",
            ),
            ("spent", f"{log.spent} of {log.budget} ({log.cost.unit.value})"),
            ("left", f"{log.remaining_queries()} queries at their full cost"),
            ("identity", log.head.identity.hex()),
            ("records", str(log.head.size)),
        ):
            table.add_row(name, Text(text))
        output.show(table)
        output.finish(_summary(log))
    return EXIT_OK


def verify(file: Path, kept: Path | None, json_target: str | None) -> int:
    """Checks the whole log, and that it extends the head that an answering party kept.

    Raises:
        InputError: the file is no ledger, its log is wrong, or it does not extend the head.
    """
    output = _output(json_target, {"LEDGER": file, "--head": kept or file})
    with reading(file) as (log, store):
        if kept is not None:
            seen = load_known_head(kept)
            if seen is None:
                raise LedgerError(f"head = {kept} (--head): no such file: name a head that an answering party kept")
            if seen.head.identity != log.head.identity:
                raise LedgerError(f"{file}: another ledger than the one whose head is in {kept}")
            row = next(store.rows(seen.head.size - 1), None)
            if row is None or row.link != seen.head.link:
                raise LedgerError(f"{file}: rolled back or forked: it does not extend the head in {kept}")
        extends = "" if kept is None else f", and extends the head in {kept}"
        output.console.print(f"The ledger is whole: {log.head.size} records{extends}.", markup=False)
        output.finish({**_summary(log), "extends_head": kept is not None})
    return EXIT_OK


def export(file: Path, json_target: str | None) -> int:
    """Writes every record; of a charge in the earlier form, which tells votes, the digest only (CAPC-LEDG-016).

    Raises:
        InputError: the file is no ledger, or its log is wrong.
    """
    output = _output(json_target, {"LEDGER": file})
    with reading(file) as (log, store):
        records = [
            {**_shown(row.body), "link": row.link.hex(), "signature": row.signature.hex()} for row in store.rows()
        ]
        output.finish({**_summary(log), "public_key": log.public_key.hex(), "entries": records})
    return EXIT_OK


def _shown(body: bytes) -> dict[str, object]:
    """What may be shown of a record: its body, or the digest that its link is made of."""
    return {"body": json.loads(body)} if may_be_opened(body) else {"withheld": digest_of(body).hex()}


def _output(target: str | None, inputs: dict[str, Path]) -> Output:
    output = Output(target)
    output.check_not_input(inputs)
    return output


def _summary(log: LedgerLog) -> dict[str, object]:
    guaranteed, reading_now = budget_statement(log), spent_statement(log)
    return {
        "schema": "ledger_report/v1",
        "terms": log.terms.document(),
        "identity": log.head.identity.hex(),
        "records": log.head.size,
        "link": log.head.link.hex(),
        "unit": log.cost.unit.value,
        "spent": str(log.spent),
        "remaining_queries": log.remaining_queries(),
        "enforced": str(guaranteed),
        "realised": str(reading_now),
        "readings": _readings(log),
        "hypotheses": list(_hypotheses(log)),
    }


def _readings(log: LedgerLog) -> dict[str, str]:
    """The same log under every adjacency of a policy, by every method that may be read at any time.

    None of them is a guarantee. A loss distribution is for counts fixed in advance, and joint steps are charged at the
    one order of their policy. So are labels, and whoever charges for them says nothing of what their counts would cost.
    """
    if log.policy.joint_cost is not None or log.policy.method is not Accounting.GAUSSIAN_DP:
        return {}
    found, delta = {}, log.policy.delta
    for adjacency in Adjacency:
        unit = ProtectedUnit(Relation(adjacency.value))
        steps = steps_of(log.events, release_of(log.mechanisms), unit)
        for method in set(TIGHTEST_FIRST) - {Method.LOSS_DISTRIBUTION}:
            # A method that does not carry the noise has no reading.
            with suppress(InputError):
                told = statement_for(steps, unit, delta, method)
                text = f"epsilon <= {decimal_text(told.epsilon)} at delta = {decimal_text(told.delta)} ({told.label})"
                found[f"{adjacency.value}, {method.value}"] = text
    return dict(sorted(found.items()))


def _hypotheses(log: LedgerLog) -> tuple[str, ...]:
    """What the figures need; a ledger cannot know the sessions that it was charged for."""
    unknown = (
        "noise was drawn exactly: where it was sampled inside MPC, delta grows by (1 + e^epsilon) times the distance "
        "of all draws from their law",
    )
    return (*budget_statement(log).hypotheses, *unknown)
