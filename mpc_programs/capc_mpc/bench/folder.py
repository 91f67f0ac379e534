"""A report for people: a folder with bench.json, bench.csv, README.md and figures."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from capc.foundation.errors import InputError
from capc.job.keeping.files import write_text
from capc_mpc.bench.document import Status, to_csv
from capc_mpc.bench.figures import draw
from capc_mpc.bench.rows import Row
from capc_mpc.bench.tables import markdown, sections
from capc_mpc.bench.variants import PROGRAMS
from capc_mpc.spdz.site import LOOPBACK

REPORT = "bench.json"


def keep(folder: Path, found: Mapping[str, Any]) -> None:
    """Writes the document, whole at every moment.

    Raises:
        InputError: the folder cannot be made, or the disk refused.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder} (--report): no folder: {error.strerror}") from None
    write_text(json.dumps(found, indent=1) + "\n", folder / REPORT, "report")


def write_pages(folder: Path, found: Mapping[str, Any], rows: Sequence[Row]) -> None:
    """Writes what people look at, from the rows of a document that has been kept.

    Raises:
        InputError: the disk refused, or matplotlib is not installed.
    """
    write_text(to_csv(rows), folder / "bench.csv", "report")
    parts = [part for part in _head(found) if part]
    for name in _programs(rows):
        parts.append(f"## {name}")
        for network, mine in _drawable(rows, name).items():
            over = "" if network == LOOPBACK.name else f" over {network}"
            file = draw(name, over, mine, folder)
            parts.append(f"![{name}{over}: time, bytes and rounds]({file.name})")
        for section in sections([row for row in rows if _program(row) == name]):
            parts += [f"### {section.title}", markdown(section)]
    write_text("\n\n".join(parts) + "\n", folder / "README.md", "report")


def _program(row: Row) -> str:
    """A row's program, of a baseline the one that it stands beside."""
    return PROGRAMS[row.variant.program].beside or row.variant.program


def _programs(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(map(_program, rows)))


def _drawable(rows: Sequence[Row], program: str) -> dict[str, list[Row]]:
    """The rows that ran, by network."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        if _program(row) == program and row.ran:
            found.setdefault(row.network, []).append(row)
    return found


def _over_networks(found: Mapping[str, Any]) -> list[str]:
    """What is said of links and of the model, where there are any."""
    if not any(row["predicted"] or row["link"] for row in found["rows"]):
        return []
    parts = [
        f"Over a link, which is emulated between namespaces of the network, the model says: {found['formula']}. Its "
        "parts are those of the longest chain of messages that wait for each other, from traffic that was recorded "
        "over links without a rate; by how much it misses the measurement stands beside it."
    ]
    ceiling = found["link_ceiling"]
    if ceiling is not None:
        parts.append(
            f"Without delay and rate the emulated link carries {ceiling['bits_per_second'] / 1e9:.1f} Gbit/s, takes "
            f"{1e6 * ceiling['trip_seconds']:.0f} us for a round trip, and computes "
            f"{ceiling['cpu_per_gigabyte']:.1f} s for a gigabyte."
        )
    return parts


def _head(found: Mapping[str, Any]) -> list[str]:
    machine = found["machine"]
    state = "" if found["status"] == Status.COMPLETE else f" **Not whole: {found['status'].replace('_', ' ')}.**"
    entries = [(entry["variant"], entry["why"]) for entry in found["left_out"]]
    names = dict.fromkeys((variant["program"], variant["protocol"], why) for variant, why in entries)
    left_out = [f"- {program} {protocol}: {why}" for program, protocol, why in names]
    engine = f"MP-SPDZ {found['mp_spdz']}" if found["mp_spdz"] else "no MP-SPDZ"
    return [
        "# MPC variants, measured",
        f"`{found['command']}` of capc {found['capc']} (code {found['code'] or 'before'}), with {engine}; "
        f"{machine['processor']}, {machine['cores']} cores; {found['date']}.{state}",
        found["note"] or "",
        f"Each figure is the median of the runs that count, after {found['warm_ups']} that do not; the spread is the "
        f"distance of their quartiles. A variant whose first run took more than {found['long_seconds']:g} s ran once. "
        "Times of a run are from "
        f"the first input to the last output, preprocessing included; starting, connecting and handshakes are the "
        "set-up, and compiling and keys stand apart. Bytes are as the engine counts them, without what TLS and TCP "
        "add.",
        *_over_networks(found),
        "\n".join(["Not measured, since it cannot run:", *left_out]) if left_out else "",
    ]
