"""The tables of a run's page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from capc.job.rendering import reading
from capc.job.rendering.markup import Child, Element, element, name, table
from capc.job.rendering.reading import NONE, bounds, difference, number, percent, points, words

MOST_QUERIES = 200
_LONG = 40
"""Rows of a table that are shown without being asked for."""
_MOST_PARTS = 12

_MEASURES = (
    ("accuracy", "accuracy"),
    ("balanced", "balanced accuracy"),
    ("worst_class", "worst class"),
    ("worst_group", "worst group"),
)


def pairs(found: Mapping[str, Any]) -> list[tuple[str, Child]]:
    """Names of a document, as words, and their values."""
    return [(words(key), _value(value)) for key, value in found.items()]


def _value(value: object) -> Child:
    if isinstance(value, Mapping):
        return name(", ".join(f"{key}: {_plain(part)}" for key, part in value.items()) or NONE)
    return name(_plain(value))


def _plain(value: object) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        shown = ", ".join(_plain(part) for part in value[:_MOST_PARTS])
        return f"{shown}, … ({len(value)} in all)" if len(value) > _MOST_PARTS else shown or NONE
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_plain(part)}" for key, part in value.items())
    # The year of a date or a port is no count; figures of a configuration stand as they were given.
    return number(value) if not isinstance(value, int) or isinstance(value, bool) else str(value)


def folded(tables: Sequence[Element]) -> list[Element]:
    """Long tables behind their caption, which opens them."""
    made: list[Element] = []
    for found in tables:
        rows = sum(1 for _ in found.iter("tr")) - 1
        if rows <= _LONG:
            made.append(found)
        else:
            made.append(element("details", element("summary", f"{found.attrib['aria-label']} ({rows} rows)"), found))
    return made


def querying(report: Mapping[str, Any]) -> Element:
    """Before and after, for each querying party, and what it gained."""
    rows: list[list[Child]] = []
    for querier in report.get("queriers") or []:
        before, after = querier.get("before"), reading.final(querier)
        for key, told in _MEASURES:
            values = [None if score is None else score.get(key) for score in (before, after)]
            if key == "worst_group" and values == [None, None]:
                continue
            gain = difference(values[0], values[1])
            rows.append([f"party {querier['party']}", told, percent(values[0]), percent(values[1]), points(gain)])
    columns = ("querying party", "on held-out rows", "before", "after", "gain in points")
    return table("Querying parties before and after", columns, rows, words=2)


def rounds(report: Mapping[str, Any]) -> list[Element]:
    """After each round."""
    rows: list[list[Child]] = [
        [
            f"party {querier['party']}",
            number(entry["round"]),
            number(entry["queries"]),
            number(bounds(entry).get("epsilon")),
            *(percent((entry.get("score") or {}).get(key)) for key, _ in _MEASURES),
        ]
        for querier in report.get("queriers") or []
        for entry in querier.get("rounds") or []
    ]
    columns = ("querying party", "round", "queries so far", "epsilon spent", *(told for _, told in _MEASURES))
    return folded([table("After each round", columns, rows)]) if rows else []


def baselines(report: Mapping[str, Any]) -> list[Element]:
    """What the same party would have by other means."""
    rows: list[list[Child]] = []
    for querier in report.get("queriers") or []:
        after = reading.final(querier)
        compared = {**(querier.get("baselines") or {}), **({} if after is None else {"this run": after})}
        if not querier.get("baselines"):
            continue
        for told, score in compared.items():
            shown = [percent(None if score is None else score.get(key)) for key, _ in _MEASURES]
            rows.append([f"party {querier['party']}", name(words(told)), *shown])
    columns = ("querying party", "means", *(told for _, told in _MEASURES))
    return folded([table("The same by other means", columns, rows, words=2)]) if rows else []


def parties(report: Mapping[str, Any]) -> list[Element]:
    """Every party's own model before any query, and the plurality of all that answer."""
    rows: list[list[Child]] = [
        [
            f"party {party['party']}",
            "-".join(str(size) for size in party["layer_sizes"]),
            number(party["rows"]),
            *_of_score(party.get("score")),
        ]
        for party in report.get("parties") or []
    ]
    if report.get("ensemble") is not None:
        rows.append(["plurality without noise", NONE, NONE, *_of_score(report["ensemble"])])
    columns = ("party", "layers", "rows", *(told for _, told in _MEASURES))
    return [table("Models on held-out rows before any query", columns, rows, words=2)] if rows else []


def _of_score(score: Mapping[str, Any] | None) -> list[Child]:
    return [percent(None if score is None else score.get(key)) for key, _ in _MEASURES]


def per_class(report: Mapping[str, Any]) -> list[Element]:
    """Each class before and after, the mean of the querying parties, and what the parties have of it."""
    held = [party["per_class"] for party in report.get("parties") or [] if party.get("per_class")]
    rows: list[list[Child]] = []
    for place, label in enumerate(reading.class_names(report)):
        before, after = (_mean_of_class(report, later, place) for later in (False, True))
        rows.append(
            [
                name(label),
                number(sum(counts[place] for counts in held)) if held else NONE,
                percent(before),
                percent(after),
                points(difference(before, after)),
            ]
        )
    columns = ("class", "labelled rows of all parties", "before", "after", "gain in points")
    return [table("Rows of each class that the querying parties label right", columns, rows)]


def _mean_of_class(report: Mapping[str, Any], after: bool, place: int) -> float | None:
    found = [reading.final(querier) if after else querier.get("before") for querier in report.get("queriers") or []]
    return reading.mean([score["per_class"][place] for score in found if score is not None])


def per_group(report: Mapping[str, Any]) -> list[Element]:
    """Each group of each querying party."""
    rows: list[list[Child]] = []
    for querier in report.get("queriers") or []:
        before, after = (
            {} if score is None else {str(entry["value"]): entry for entry in score.get("groups") or []}
            for score in (querier.get("before"), reading.final(querier))
        )
        for value in before | after:
            shown = [before.get(value, {}).get("balanced"), after.get(value, {}).get("balanced")]
            gain = points(difference(shown[0], shown[1]))
            rows.append([f"party {querier['party']}", name(value), percent(shown[0]), percent(shown[1]), gain])
    group = report["data"].get("group")
    if not rows or group is None:
        return []
    columns = ("querying party", "group", "balanced accuracy before", "after", "gain in points")
    return folded([table("Groups of the held-out rows", columns, rows, words=2)])


def queries(report: Mapping[str, Any]) -> list[Element]:
    """The first queries, and how many more there are."""
    found = report.get("queries") or []
    if not found:
        return [element("p", "No query was asked.", attributes={"class": "note"})]
    names = reading.class_names(report)
    rows = [_query(query, names) for query in found[:MOST_QUERIES]]
    columns = ("query", "by", "round", "row", "released", "ideal", "true", "most votes", "seconds", "bytes")
    made = folded([table("Queries", columns, rows)])
    if len(found) > MOST_QUERIES:
        note = f"The first {MOST_QUERIES} of {number(len(found))} queries; the report in JSON has all."
        made.insert(0, element("p", note, attributes={"class": "note"}))
    return made


def _query(query: Mapping[str, Any], names: Sequence[str]) -> list[Child]:
    votes = query.get("votes")
    return [
        number(query["index"]),
        f"party {query['party']}",
        number(query["round"]),
        number(query["row"]),
        *(_class(query.get(key), names) for key in ("label", "ideal_label", "true_label")),
        f"{max(votes)} of {sum(votes)}" if votes else NONE,
        f"{query['seconds'] + query['offline_seconds']:.3f}" if query.get("seconds") is not None else NONE,
        number(round(query["bytes"] + query["offline_bytes"])) if query.get("bytes") is not None else NONE,
    ]


def _class(index: int | None, names: Sequence[str]) -> Child:
    return "withheld" if index is None else name(names[index] if 0 <= index < len(names) else index)


def costs(report: Mapping[str, Any]) -> list[Element]:
    """Of each step of the protocol, all parties together."""
    rows: list[list[Child]] = [
        [name(words(step)), f"{cost['seconds']:.3f}", number(cost["bytes"]), number(cost["rounds"])]
        for step, cost in (report.get("steps") or {}).items()
    ]
    if not rows:
        return [element("p", "No step ran.", attributes={"class": "note"})]
    return [table("Steps of the protocol, all parties together", ("step", "seconds", "bytes", "rounds"), rows)]
