"""What the specification prints of data and code: tables of names that are bytes, and worked examples.

A part stands after a line ``<!-- generated: NAME -->``, up to the next empty line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from importlib import resources

from capc_spec.registry import entries
from capc_verify.vectors.text import documents, encodings, fields, gates, labels, listings, samplers, statements, states
from capc_verify.vectors.text.writing import table
from capc_verify.vectors.values import Json

_PLACE = re.compile(r"(<!-- generated: (\w+) -->\n)(?:.+\n)*")


def with_tables(text: str) -> str:
    """The text of a file of the specification, with its tables as the data has them now."""
    return _PLACE.sub(lambda place: place[1] + TABLES[place[2]](), text)


def _tags() -> str:
    rows = ((f"`{name}`", f"`{tag['bytes']}`", tag["frame"], tag["use"]) for name, tag in entries("tags").items())
    return table("tag | bytes | frame | use", rows)


def _steps() -> str:
    parts = entries("tags")

    def draw(entry: Mapping[str, str]) -> str:
        part = f"`{parts[entry['part']]['bytes']}`: " if "part" in entry else ""
        return f"{part}{entry['take']}, {entry['what']}" + (f" ({entry['when']})" if "when" in entry else "")

    rows = (
        (
            ", ".join(f"`{name}`" for name in (step, entry.get("also")) if name),
            f"`{entry['label']}`",
            entry["peers"],
            entry["at"],
            entry.get("bound_to", ""),
            "; ".join(map(draw, entry["draws"])),
        )
        for step, entry in entries("steps").items()
    )
    return table("step | label | peers | at | bound to | draws", rows)


def _messages() -> str:
    rows = ((entry["type"], name, *_values(entry)[1:]) for name, entry in entries("messages").items())
    return table("type | name | from | to | payload | layout in", rows)


def _errors() -> str:
    rows = ((f"`{code}`", *_values(entry)) for code, entry in entries("errors").items())
    return table("code | fault of | what was sent, or what is wrong", rows)


def _values(entry: Json) -> list[object]:
    return list(entry.values())


def _parameter_sets() -> str:
    files = sorted((resources.files("capc_spec") / "parameter_sets").iterdir(), key=lambda file: file.name)
    rows = []
    for entry in (json.loads(file.read_text(encoding="utf-8")) for file in files):
        name, *widths, primes = entry.values()
        rows.append((name, *widths, ", ".join(map(str, primes))))
    return table("set | l | w | g | f | h | N | bits of the primes (p, others of q, the special prime)", rows)


TABLES: Mapping[str, Callable[[], str]] = {
    "tags": _tags,
    "steps": _steps,
    "messages": _messages,
    "errors": _errors,
    "parameter_sets": _parameter_sets,
    "one_label": labels.one_label,
    "labels": labels.labels,
    "scalars": labels.scalars,
    "digests": labels.digests,
    "rounded_trace": samplers.rounded_trace,
    "discrete_trace": samplers.discrete_trace,
    "skellam_trace": samplers.skellam_trace,
    "primes": encodings.primes,
    "expansion": encodings.expansion,
    "tilings": encodings.tilings,
    "encoding": encodings.encoding,
    "gates": gates.gates,
    "session_document": documents.session_document,
    "canonical_bytes": documents.canonical_bytes,
    "session_digests": documents.session_digests,
    "step_states": states.step_states,
    "states": states.states,
    "listing_samplers": listings.samplers,
    "listing_pieces": listings.pieces,
    "listing_transfers": listings.transfers,
    "listing_garbling": listings.garbling,
    "listing_layouts": listings.layouts,
    "listing_releasing": listings.releasing,
    "index": statements.index,
    "field_types": fields.field_types,
    "param_types": fields.param_types,
    "kinds": fields.kinds,
}
