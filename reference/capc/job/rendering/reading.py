"""What pages and figures read from a report: parts that an interrupted run has not, and names of classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from capc.foundation.errors import InputError
from capc.privacy.figures.rounding import upwards

Report = Mapping[str, Any]

RUN, STUDY = "run_report/v2", "study/v1"
NONE = "–"


def check_schema(document: Report, schema: str) -> None:
    """Checks that a document is of the kind that is read here.

    Raises:
        InputError: it is another.
    """
    found = document.get("schema")
    if found != schema:
        raise InputError(f"schema = {found!r} (the report): only {schema} can be shown: run this version of capc again")
    label = str((document.get("privacy") or {}).get("label", ""))
    if document.get("simulated") and label.startswith("guarantee"):
        raise InputError(f"privacy.label = {label!r} (the report): a simulated run has none: name a report of capc")


def class_names(report: Report) -> list[str]:
    """The source's labels of the classes, by index."""
    return [str(label) for label in report["data"]["classes"]]


def final(querier: Report) -> Report | None:
    """The last score that a querying party has after it bought labels, None if there is none yet."""
    if querier.get("after") is not None:
        return querier["after"]  # type: ignore[no-any-return]
    rounds = querier.get("rounds") or []
    return rounds[-1]["score"] if rounds else None


def queriers_with(report: Report, part: str) -> list[Report]:
    """The querying parties of which a part is known."""
    return [querier for querier in report.get("queriers") or [] if querier.get(part) is not None]


def mean(values: Sequence[float | None]) -> float | None:
    """The mean of those that are known."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def percent(value: float | None) -> str:
    """A fraction in per cent."""
    return NONE if value is None else f"{100 * value:.1f} %"


def points(value: float | None) -> str:
    """A difference of fractions in percentage points, with its sign."""
    return NONE if value is None else f"{100 * value:+.1f}".replace("-", "\N{MINUS SIGN}")


def difference(before: float | None, after: float | None) -> float | None:
    """What was gained, if both are known."""
    return None if before is None or after is None else after - before


def number(value: object) -> str:
    """A figure as people write it."""
    if value is None:
        return NONE
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if value.is_integer() and abs(value) < 1e15 else f"{value:.6g}"
    return str(value)


def bounds(found: Report) -> dict[str, Any]:
    """A part of a document whose floats are upper bounds: these as text that is no smaller (CAPC-ACCT-004)."""
    return {key: _bound(value) for key, value in found.items()}


def _bound(value: object) -> object:
    if isinstance(value, Mapping):
        return bounds(value)
    return upwards(value) if isinstance(value, float) else value


def words(key: str) -> str:
    """The name of a part of a document, in words."""
    return key.replace("_", " ")
