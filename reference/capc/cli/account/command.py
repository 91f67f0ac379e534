"""``capc account``: answers for people and as JSON, each with everything that it needs to be read correctly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from capc.cli.account.cases import Asked, read_batch, read_case
from capc.cli.account.compositions import composing
from capc.cli.account.options import Question
from capc.cli.terminal.output import Output, show_table
from capc.foundation.errors import InputError
from capc.privacy.accountants.argmax.composition import kept_by_user
from capc.privacy.accountants.argmax.cost import Adversary
from capc.privacy.accountants.ball_arithmetic import decimal_text
from capc.privacy.figures.calculator import MAX_QUERIES, Case, affordable_queries, calibrate
from capc.privacy.figures.methods import Method
from capc.privacy.figures.statement import PrivacyStatement

_PLOT_POINTS = 24
_PARTS = ("mechanism", "label", "rounding")
_PLOT_FORMATS = (".png", ".pdf", ".svg")


def ask(question: str, given: Mapping[str, str], json_target: str | None, plot_target: str | None) -> None:
    """Answers one question.

    Raises:
        InputError: an option cannot be used.
    """
    output = Output(json_target)
    plot = None if plot_target is None else _plot_file(plot_target)
    asked = read_case(question, given, lambda name: "--" + name.replace("_", "-"))
    if plot is not None and "answers" in given:
        raise InputError(f"plot = {plot_target} (--plot): it draws over counts of queries: leave out --answers")
    found = _answer(asked)
    if plot is not None:
        _draw(asked, plot)
    _show(found, output.console)
    output.finish(found)


def ask_all(file: str, json_target: str | None) -> None:
    """Answers every case of a JSON list.

    Raises:
        InputError: the file or a case cannot be used; then nothing was computed, unless a noise is too small for its
            method.
    """
    output = Output(json_target)
    source = Path(file)
    output.check_not_input({"FILE": source})
    answers = [_answer(asked) for asked in read_batch(source)]
    for found in answers:
        _show(found, output.console)
    output.finish({"answers": answers})


def _answer(asked: Asked) -> dict[str, object]:
    """The answer, or a refusal that names the options."""
    try:
        with composing() as progress:
            case = replace(asked.case, keeping=replace(kept_by_user(), progress=progress))
            return _computed(replace(asked, case=case))
    except InputError as error:
        raise asked.refusal(error) from None


def _computed(asked: Asked) -> dict[str, object]:
    case, queries = asked.case, asked.queries
    found: dict[str, object] = {"question": asked.question.value, "asked": dict(asked.understood)}
    if asked.question is Question.COMPARE:
        found |= {"sigma": str(case.sigma), "queries": queries, "methods": _compared(case, queries)}
        # One draw for check and answer stands beside two, always charged in full.
        one = case.one_draw
        return found if one is None else {**found, "single_draw": _compared(one, queries)}
    if asked.question is Question.CALIBRATE:
        case = replace(case, sigma=calibrate(case, queries, asked.epsilon))
        found["rounding_of_answer"] = "sigma rounded up to a multiple of 1/64 votes"
    elif asked.question is Question.QUERIES:
        queries = affordable_queries(case, asked.epsilon)
        more = ", where the search ends: more fit" if queries == MAX_QUERIES else ""
        found["rounding_of_answer"] = f"queries rounded down{more}"
    statement = case.statement(queries)
    if case.joint:
        found["charged_one_by_one"] = _one_by_one(case, queries, statement)
    return {**found, "sigma": str(case.sigma), "queries": queries, **_figure(statement)}


def _one_by_one(case: Case, queries: int, jointly: PrivacyStatement) -> str:
    """What check and answer cost apart: their Gaussian-DP cost, which loses nothing, may be less than a joint one."""
    apart = replace(case, joint=False, method=Method.GAUSSIAN_DP).statement(queries).epsilon
    told = "less: leave joint out" if apart < jointly.epsilon else "not less"
    return f"epsilon <= {decimal_text(apart)} by {Method.GAUSSIAN_DP.value}, which is {told}"


def _compared(case: Case, queries: int) -> dict[str, dict[str, object]]:
    return {
        method.value: _figure(answer) if isinstance(answer, PrivacyStatement) else {"refused": answer}
        for method, answer in case.comparison(queries).items()
    }


def _figure(statement: PrivacyStatement) -> dict[str, object]:
    return {
        "epsilon": decimal_text(statement.epsilon),
        "delta": decimal_text(statement.delta),
        "adversaries": {towards.value: decimal_text(epsilon) for towards, epsilon in statement.towards.items()},
        "adjacency": str(statement.adjacency),
        "method": statement.method,
        "mechanism": statement.mechanism,
        "label": statement.label,
        "rounding": statement.rounding,
        "hypotheses": list(statement.hypotheses),
    }


def _show(found: Mapping[str, object], console: Console) -> None:
    console.print(
        f"{found['question']}: sigma = {found['sigma']} votes, {found['queries']} queries",
        highlight=False,
        soft_wrap=True,
    )
    understood: Any = found["asked"]
    listed = ", ".join(f"{name} = {value}" for name, value in understood.items())
    console.print(f"  asked: {listed}", highlight=False, soft_wrap=True)
    methods: Any = found.get("methods")
    if methods is None:
        figure: Any = found
        console.print(f"  figure: epsilon <= {figure['epsilon']} at delta = {figure['delta']}", highlight=False)
        each = ", ".join(f"{name} <= {epsilon}" for name, epsilon in figure["adversaries"].items())
        console.print(f"    epsilon towards: {each}", highlight=False, soft_wrap=True)
        for line in _lines(figure, ("rounding_of_answer", "charged_one_by_one", "adjacency", "method", *_PARTS)):
            console.print(f"    {line}", highlight=False, soft_wrap=True)
    else:
        _show_comparison(methods, console)
    if "single_draw" in found:
        one: Any = found["single_draw"]
        console.print(
            "  with one draw for check and answer in the place of two, every query charged, answered or not:",
            highlight=False,
            soft_wrap=True,
        )
        _show_comparison(one, console)


def _show_comparison(methods: Mapping[str, Mapping[str, Any]], console: Console) -> None:
    """A table of the figures, then each thing that they need once, under the methods that need it."""
    table = Table("method", "epsilon <=", "towards a cheat", "at delta", "how, or why it has none")
    for name, figure in methods.items():
        told = figure.get("method", f"not applicable: {figure.get('refused')}")
        cheated = figure.get("adversaries", {}).get(Adversary.CHEATING.value, "-")
        table.add_row(name, figure.get("epsilon", "-"), cheated, figure.get("delta", "-"), Text(told))
    show_table(table, console)
    console.print("  a cheat is a querying party that adds to its shares of the votes", highlight=False, soft_wrap=True)
    figures = {name: figure for name, figure in methods.items() if "epsilon" in figure}
    who_needs: dict[str, list[str]] = {}
    for name, figure in figures.items():
        for line in _lines(figure, ("adjacency", *_PARTS)):
            who_needs.setdefault(line, []).append(name)
    # Stable: what all figures need comes first.
    for names in sorted({tuple(names): None for names in who_needs.values()}, key=len, reverse=True):
        console.print(f"  {'all figures' if len(names) == len(figures) else ', '.join(names)}:", highlight=False)
        for line in (line for line, found in who_needs.items() if tuple(found) == names):
            console.print(f"    {line}", highlight=False, soft_wrap=True)


def _lines(figure: Mapping[str, Any], parts: Sequence[str]) -> list[str]:
    told = [f"{part.replace('_', ' ')}: {figure[part]}" for part in parts if part in figure]
    return told + [f"needs: {hypothesis}" for hypothesis in figure["hypotheses"]]


def _plot_file(target: str) -> Path:
    file = Path(target)
    if file.suffix not in _PLOT_FORMATS:
        raise InputError(f"plot = {target} (--plot): choose a name that ends with {', '.join(_PLOT_FORMATS)}")
    if not file.resolve().parent.is_dir():
        raise InputError(f"plot = {target} (--plot): its folder does not exist: create it, or name another")
    return file


def _draw(asked: Asked, file: Path) -> None:
    """Certified figures at up to 24 counts; the lines between them only lead the eye."""
    from matplotlib.figure import Figure  # noqa: PLC0415  # slow to import

    last = asked.queries
    counts = sorted({max(1, last * step // _PLOT_POINTS) for step in range(1, _PLOT_POINTS + 1)})
    with composing() as progress:
        case = replace(asked.case, answers=None, keeping=replace(kept_by_user(), progress=progress))
        statements = case.curve(counts)
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    for adversary in Adversary:
        drawn = [float(statement.towards[adversary]) for statement in statements]
        axes.plot(counts, drawn, marker=".", label=f"towards {adversary.value}")
    axes.legend()
    axes.set_xlabel("queries, fixed in advance")
    axes.set_ylabel(f"epsilon (upper bound) at delta = {decimal_text(case.delta)} of the noise")
    axes.set_title(f"{statements[-1].mechanism}, sigma = {case.sigma}, {case.unit.relation.value}, {case.method.value}")
    axes.grid(visible=True, alpha=0.3)
    try:
        figure.savefig(file)
    except OSError as error:
        raise InputError(f"plot = {file} (--plot): cannot be written ({error.strerror}): name another file") from None
