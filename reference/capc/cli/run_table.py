"""The report of a run for people."""

from __future__ import annotations

from statistics import fmean

from rich.console import Console
from rich.table import Table

from capc.job.engines import described
from capc.job.report import agreement, concrete_bound, enforced_label, enforced_statement, realised_statement
from capc.job.state import JobState, Status
from capc.privacy.ledger import Ledger
from capc.two_party.garbling.concrete_bound import GarblingBound

_ENDINGS = {
    Status.COMPLETE: "Complete: every planned query was asked.",
    Status.BUDGET_EXHAUSTED: "Stopped: the budget does not allow another query.",
    Status.ALLOWANCE_EXHAUSTED: "Stopped: an answering party's circuit privacy was declared for no more queries.",
    Status.INTERRUPTED: "Interrupted: this is what was done until then.",
}


def show(state: JobState, console: Console) -> None:
    """Prints the report of a run, also of one that was interrupted."""
    console.print(_ENDINGS[state.status])
    if state.queries:
        console.print(_queries(state))
    console.print(_summary(state))
    if state.labeller is not None:
        console.print(_steps(state))


def _queries(state: JobState) -> Table:
    table = Table(title="Queries")
    for heading in ("query", "row", "released", "ideal", "true", "seconds", "bytes"):
        table.add_column(heading, justify="right")
    classes, labels = state.plan.dataset.classes, state.plan.dataset.labels
    for query in state.queries:
        table.add_row(
            str(query.index),
            str(query.row),
            "withheld" if query.label is None else str(classes[query.label]),
            "withheld" if query.ideal_label is None else str(classes[query.ideal_label]),
            str(classes[labels[query.row]]),
            f"{query.seconds:.2f}",
            f"{query.bytes:,.0f}",
        )
    return table


def _summary(state: JobState) -> Table:
    table = Table(title="Summary", show_header=False)
    table.add_column("what", no_wrap=True)
    table.add_column("figure", overflow="fold")
    asked, told = len(state.queries), agreement(state)
    table.add_row("queries", f"{asked} of {state.plan.config.queries} asked")
    table.add_row("labels", f"{told['released']} released, {told['withheld']} withheld")
    if asked:
        seconds, sent = fmean(query.seconds for query in state.queries), fmean(query.bytes for query in state.queries)
        after = "its batch was prepared" if state.plan.config.prepare else "the set-up"
        table.add_row("per query", f"{seconds:.2f} s and {sent:,.0f} bytes, after {after}")
    if asked and state.plan.config.prepare:
        seconds, sent = (
            fmean(getattr(query, name) for query in state.queries) for name in ("offline_seconds", "offline_bytes")
        )
        table.add_row("prepared", f"{seconds:.2f} s and {sent:,.0f} bytes for each query, before it was used")
    table.add_row("agreement", f"{told['equal_to_ideal']} of {asked} equal to the ideal functionality")
    table.add_row("correct", f"{told['correct']} of {told['released']} released labels are those of the data")
    engine = described(state.plan.engine)
    weaker = f"; does not withstand {', '.join(engine.not_withstood)}" if engine.not_withstood else ""
    table.add_row("engine", f"{engine.name}, declared model {engine.model}{weaker}")
    table.add_row("noise", f"sigma = {float(state.account.policy.sigma):g} votes on each class")
    enforced = enforced_statement(state)
    table.add_row("enforced", str(enforced).replace(enforced.label, enforced_label(state)))
    table.add_row("realised", str(realised_statement(state)))
    bound = concrete_bound(state)
    if bound is not None:
        table.add_row("garbling", _garbling(bound))
    if isinstance(state.account, Ledger):
        head = state.account.head
        table.add_row("ledger", f"{head.size} records, all runs together, identity {head.identity.hex()[:16]}")
        before, reused = state.purse.asked_before, len(state.purse.bought)
        unknown = (
            "; the ledger has earlier charges, of rows that this journal does not know" if state.purse.is_new else ""
        )
        table.add_row("journal", f"{before} rows asked in earlier runs, {reused} labels of them used again{unknown}")
    if state.before is not None:
        table.add_row("before", f"accuracy {state.before.accuracy:.3f}, balanced {state.before.balanced:.3f}")
    if state.after is not None:
        table.add_row("after", f"accuracy {state.after.accuracy:.3f}, balanced {state.after.balanced:.3f}")
    return table


def _garbling(bound: GarblingBound) -> str:
    against = "none is left" if bound.delta_bits is None else f"2^{bound.delta_bits:.1f}"
    run = "none is left" if bound.run_bits is None else f"2^{bound.run_bits:.1f}"
    return (
        f"{bound.use.keys:,} hash keys, at most {bound.use.most:,} rows under one; evaluations of AES that the bound "
        f"withstands: 2^{bound.key_bits:.1f} for a key, {run} for the run, {against} within delta"
    )


def _steps(state: JobState) -> Table:
    table = Table(title="Protocol steps, all parties and queries together")
    table.add_column("step")
    for heading in ("seconds", "of all", "bytes", "rounds"):
        table.add_column(heading, justify="right")
    costs = {} if state.labeller is None else state.labeller.costs
    seconds = sum(cost.seconds for cost in costs.values())
    for name, cost in costs.items():
        part = cost.seconds / seconds if seconds else 0.0
        table.add_row(name, f"{cost.seconds:.2f}", f"{part:.0%}", f"{cost.bytes:,}", str(cost.rounds))
    return table
