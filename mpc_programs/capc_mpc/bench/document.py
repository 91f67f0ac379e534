"""The report as one JSON document (capc_spec/schemas/mpc_bench.schema.json), which is whole after every row."""

from __future__ import annotations

import csv
import datetime
import hashlib
import io
import json
import os
import platform
import shlex
from collections.abc import Sequence
from dataclasses import asdict
from enum import StrEnum
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from capc.foundation.environment import installed_version
from capc.foundation.errors import InputError
from capc_mpc.bench.measure import Setting
from capc_mpc.bench.plan import Plan
from capc_mpc.bench.rows import Row, from_json, to_json
from capc_mpc.emulated.probe import Ceiling
from capc_mpc.modelled.prediction import FORMULA
from capc_mpc.spdz.checkouts import commit_of

SCHEMA = "mpc_bench/v3"
_CODE = ("capc", "capc_mpc", "capc_spec")
_SAME = {"code": "another state of this project's code", "mp_spdz": "another MP-SPDZ", "machine": "another machine"}
"""What rows of one report have in common, and what is said of those that have not."""


class Status(StrEnum):
    """How far a report is."""

    RUNNING = "running"
    """Or it was killed."""
    COMPLETE = "complete"
    INTERRUPTED = "interrupted"
    OUT_OF_TIME = "out_of_time"


def document(
    rows: Sequence[Row],
    plan: Plan,
    setting: Setting,
    command: Sequence[str],
    status: Status,
    forecast_seconds: float,
    ceiling: Ceiling | None = None,
) -> dict[str, Any]:
    """The rows as JSON, with what they were measured on, and by which command."""
    return {
        "schema": SCHEMA,
        "status": str(status),
        "capc": installed_version("capc"),
        "command": shlex.join(["capc", *command]),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        **origin(None if setting.machine is None else setting.machine.version),
        "note": None,
        "repeats": setting.repeats,
        "warm_ups": setting.warm_ups,
        "long_seconds": setting.long_seconds,
        "limit_seconds": setting.limits.seconds,
        "limit_bytes": setting.limits.memory_bytes,
        "forecast_seconds": round(forecast_seconds),
        "networks": {name: asdict(network) for name, network in setting.networks.items()},
        "formula": FORMULA,
        "link_ceiling": None if ceiling is None else asdict(ceiling),
        "left_out": [{"variant": asdict(variant), "why": why} for variant, why in plan.left_out],
        "rows": [to_json(row) for row in rows],
    }


def origin(mp_spdz: str | None) -> dict[str, Any]:
    """What rows of one report have in common: code, MP-SPDZ and machine."""
    return {"code": code_digest(), "commit": _commit(), "mp_spdz": mp_spdz, "machine": machine_facts()}


@cache
def code_digest() -> str:
    """SHA-256 of the code that measures and of what is measured, cut to 16 digits."""
    digest = hashlib.sha256()
    for package in _CODE:
        root = Path(str(resources.files(package)))
        for file in sorted(path for suffix in ("py", "mpc") for path in root.rglob(f"*.{suffix}")):
            digest.update(f"{package}/{file.relative_to(root).as_posix()}\0".encode() + file.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _commit() -> str | None:
    """Of the checkout in which this package lies; None elsewhere. Files may differ from it: the digest is exact."""
    return commit_of(Path(str(resources.files("capc_mpc"))).resolve().parents[1])


def machine_facts() -> dict[str, Any]:
    """What the times are of; nothing that names the machine."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "system": platform.system(),
        "python": platform.python_version(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def load(file: Path) -> tuple[dict[str, Any], list[Row]]:
    """A report that was written before: the document, and its rows.

    Raises:
        InputError: the file is no such report.
    """
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        if found["schema"] != SCHEMA:
            raise ValueError
        return found, [from_json(entry) for entry in found["rows"]]
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise InputError(f"{file}: no report of capc mpc bench of schema {SCHEMA}: name its bench.json") from None


def resumable(file: Path, setting: Setting) -> list[Row]:
    """The rows of an unfinished report that can stand beside new ones.

    Raises:
        InputError: it is no report, or its rows are of other code, of another MP-SPDZ, of another machine, or were
            measured otherwise.
    """
    found, rows = load(file)
    for name, value in origin(None if setting.machine is None else setting.machine.version).items():
        if name in _SAME and found.get(name) != value:
            raise InputError(
                f"{file} (--resume): its rows are of {_SAME[name]} ({found.get(name)}, and here {value}): measure anew "
                f"into another folder"
            )
    for name, number in (("repeats", setting.repeats), ("warm_ups", setting.warm_ups)):
        if found.get(name) != number:
            raise InputError(f"{file} (--resume): its rows have {name} = {found.get(name)}: give the same")
    return [row for row in rows if row.ran]


def to_csv(rows: Sequence[Row]) -> str:
    """One line a row: what the variant is, and its figures, in seconds and bytes of the whole batch."""
    stream = io.StringIO()
    lines = [_flat(row) for row in rows]
    names = list(dict.fromkeys(name for line in lines for name in line))
    writer = csv.DictWriter(stream, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return stream.getvalue()


def _flat(row: Row) -> dict[str, object]:
    costs = row.costs
    by_party = {f"sent_by_{party}": number for party, number in enumerate(row.sent())}
    return {
        **asdict(row.variant),
        "network": row.network,
        "parties": row.parties,
        "model": str(row.model),
        "adversary": str(row.adversary),
        "channels": row.channels,
        "equal": row.equal,
        "median_seconds": row.seconds if row.ran else None,
        "spread": row.spread if row.ran else None,
        "runs": len(row.runs),
        "setup_seconds": row.median_of("setup"),
        "online_seconds": row.median_of("online"),
        "offline_seconds": row.median_of("offline"),
        "compile_seconds": row.compile,
        "keys_seconds": row.keys,
        "joint_keys_seconds": row.joint_keys,
        "peak_bytes": row.peak(),
        "rounds": costs.rounds if costs else None,
        "bytes": costs.bytes_sent if costs else None,
        **by_party,
        "delay_seconds": row.link.delay if row.link else None,
        "bits_per_second": row.link.rate if row.link else None,
        **{f"predicted_{name}_seconds": said.seconds for name, said in row.predicted.items()},
        "refused": row.refused,
    }
