"""The names that are bytes, as the files of ``names`` hold them. Section 11 of the specification prints them.

Spec: CAPC-NAME-001 to CAPC-NAME-006.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import resources
from typing import Any


def entries(name: str) -> dict[str, dict[str, Any]]:
    """What a file of the folder holds."""
    file = resources.files("capc_spec") / "names" / f"{name}.json"
    table: dict[str, dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))
    return table


TAGS: Mapping[str, bytes] = {name: entry["bytes"].encode("ascii") for name, entry in entries("tags").items()}
STEP_LABELS: Mapping[str, bytes] = {step: entry["label"].encode("ascii") for step, entry in entries("steps").items()}
MESSAGE_TYPES: Mapping[str, int] = {name: entry["type"] for name, entry in entries("messages").items()}
ERROR_CODES: Mapping[str, str] = {code: code for code in entries("errors")}
"""Of peers' faults, and of callers' mistakes."""
