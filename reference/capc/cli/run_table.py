"""The report of a run for people."""

from __future__ import annotations

from statistics import fmean

from rich.console import Console
from rich.table import Table

from capc.cli.terminal.output import show_table
from capc.job.report import adversaries, agreement, concrete_bound, costs, enforced_label
from capc.job.state import JobState, Status
from capc.learning.metrics import Score
from capc.privacy.figures.rounding import upwards
from capc.privacy.figures.statement import budget_statement, spent_statement
from capc.privacy.ledger import Ledger
from capc.two_party.garbling.concrete_bound import GarblingBound

_ENDINGS = {
    Status.COMPLETE: "Complete: every planned query was asked.",
    Status.BUDGET_EXHAUSTED: "Stopped: the budget does not allow another query.",
    Status.INTERRUPTED: "Interrupted: this is what was done until then.",
}


def show(state: JobState, console: Console) -> None:
    """Prints the report of a run, also of one that was interrupted."""
    console.print(_ENDINGS[state.status])
    if state.queries:
        show_table(_queries(state), console)
    show_table(_summary(state), console)
    if costs(state):
        show_table(_steps(state), console)


def _queries(state: JobState) -> Table:
    table = Table(title="Queries")
    several = len(state.turns) > 1
    for heading in ("query", *(["party"] if several else []), "row", "released", "ideal", "true", "seconds", "bytes"):
        table.add_column(heading, justify="right")
    classes, labels = state.plan.dataset.classes, state.plan.dataset.labels
    for query in state.queries:
        table.add_row(
            str(query.index),
            *([str(query.party)] if several else []),
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
    asked, told, config = len(state.queries), agreement(state), state.plan.config
    table.add_row("queries", f"{asked} of {config.asked} asked")
    table.add_row("labels", f"{told['released']} released, {told['withheld']} withheld")
    if asked:
        seconds, sent = fmean(query.seconds for query in state.queries), fmean(query.bytes for query in state.queries)
        after = "its batch was prepared" if config.prepare else "the set-up"
        table.add_row("per query", f"{seconds:.2f} s and {sent:,.0f} bytes, after {after}")
    if asked and config.prepare:
        seconds, sent = (
            fmean(getattr(query, name) for query in state.queries) for name in ("offline_seconds", "offline_bytes")
        )
        table.add_row("prepared", f"{seconds:.2f} s and {sent:,.0f} bytes for each query, before it was used")
    table.add_row("agreement", f"{told['equal_to_ideal']} of {asked} equal to the ideal functionality")
    table.add_row("plurality", f"{told['plurality']} of {told['released']} are what most parties voted for")
    table.add_row("correct", f"{told['correct']} of {told['released']} released labels are those of the data")
    table.add_row("engine", _engine(state))
    table.add_row("noise", f"sigma = {float(state.account.policy.sigma):g} votes on each class")
    enforced = budget_statement(state.account)
    table.add_row("enforced", str(enforced).replace(enforced.label, enforced_label(state)))
    table.add_row("charged", f"{state.account.policy.method.value}: {state.plan.accounting}")
    towards = ", ".join(f"{name} {upwards(epsilon)}" for name, epsilon in adversaries(state.account).items())
    table.add_row("towards", f"epsilon by adversary: {towards}")
    realised = spent_statement(state.account)
    label = enforced_label(state) if state.plan.simulated else realised.label
    table.add_row("realised", str(realised).replace(realised.label, label))
    bound = concrete_bound(state)
    if bound is not None:
        table.add_row("garbling", _garbling(bound))
    if isinstance(state.account, Ledger):
        head = state.account.head
        table.add_row("ledger", f"{head.size} records, all runs together, identity {head.identity.hex()[:16]}")
        purses = [turn.purse for turn in state.turns]
        before, reused = sum(purse.asked_before for purse in purses), sum(len(purse.bought) for purse in purses)
        new = all(purse.is_new for purse in purses)
        unknown = "; the ledger has earlier charges, of rows that this journal does not know" if new else ""
        table.add_row("journal", f"{before} rows asked in earlier runs, {reused} labels of them used again{unknown}")
    _add_scores(table, state)
    return table


def _engine(state: JobState) -> str:
    if state.plan.simulated:
        return "none: every label was computed in the clear"
    engine = state.plan.engine_description
    weaker = f"; does not withstand {', '.join(engine.not_withstood)}" if engine.not_withstood else ""
    return f"{engine.name}, declared model {engine.model}{weaker}"


def _add_scores(table: Table, state: JobState) -> None:
    if state.ensemble is not None:
        table.add_row("ensemble", f"{_told(state.ensemble)}, of votes without noise")
    for turn in state.turns:
        whose = "" if len(state.turns) == 1 else f" of {turn.party}"
        if turn.before is not None:
            table.add_row(f"before{whose}", _told(turn.before))
        if turn.after is not None:
            table.add_row(f"after{whose}", _told(turn.after))
        for name, score in turn.baselines.items():
            table.add_row(f"{name.value}{whose}", f"{_told(score)}, to compare with")


def _told(score: Score) -> str:
    line = f"accuracy {score.accuracy:.3f}, balanced {score.balanced:.3f}, worst class {score.worst_class:.3f}"
    return line if score.worst_group is None else f"{line}, worst group {score.worst_group:.3f}"


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
    added = costs(state)
    seconds = sum(cost.seconds for cost in added.values())
    for name, cost in added.items():
        part = cost.seconds / seconds if seconds else 0.0
        table.add_row(name, f"{cost.seconds:.2f}", f"{part:.0%}", f"{cost.bytes:,}", str(cost.rounds))
    return table
