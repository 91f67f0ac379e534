"""All files of the vectors and their schemas, made in memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from importlib import resources
from pathlib import Path

from capc.foundation.errors import InputError
from capc_verify.trace.spec import spec_files
from capc_verify.vectors.build import FileBuilder, canonical_text
from capc_verify.vectors.cases import accounting, arithmetic, circuits, he, ledger, noise, operators, sharing, two_party
from capc_verify.vectors.cases.protocol import messages, runs, sessions, steps
from capc_verify.vectors.registry import FILES
from capc_verify.vectors.schema import file_schema
from capc_verify.vectors.tables import with_tables
from capc_verify.vectors.values import Json

VECTORS, SCHEMAS = "vectors", "schemas"
"""The two folders under ``capc_spec``."""

BUILDERS: Mapping[str, Callable[[], FileBuilder]] = {
    "ring": arithmetic.ring,
    "xof": arithmetic.xof,
    "session": sessions.session,
    "messages": messages.messages,
    "noise": noise.noise,
    "circuits": circuits.circuits,
    "operators": operators.operators,
    "oblivious_transfer": two_party.oblivious_transfer,
    "garbling": two_party.garbling,
    "aggregation": sharing.aggregation,
    "accounting": accounting.accounting,
    "ledger": ledger.ledger,
    "protocol_plain": steps.protocol_plain,
    "protocol_threshold": steps.protocol_threshold,
    "protocol_single_draw": steps.protocol_single_draw,
    "protocol_realised": steps.protocol_realised,
    "protocol_batches": steps.protocol_batches,
    "protocol_all_pairs": steps.protocol_all_pairs,
    "protocol_rounds": steps.protocol_rounds,
    "run": runs.run,
    "he": he.he,
}
"""What makes each file, by its stem."""


def spec_folder() -> Path:
    """The installed folder of ``capc_spec``."""
    return Path(str(resources.files("capc_spec")))


def vector_path(folder: Path, stem: str) -> Path:
    """Where a vector file lies."""
    return folder / VECTORS / f"{stem}.json"


def schema_path(folder: Path, stem: str) -> Path:
    """Where its schema lies."""
    return folder / SCHEMAS / f"{stem}.schema.json"


def generate(folder: Path) -> dict[Path, str]:
    """The text of every file, by where it belongs; and of the specification beside the folder, with its tables."""
    texts: dict[Path, str] = {}
    for stem, build in BUILDERS.items():
        texts[vector_path(folder, stem)] = canonical_text(build().to_json())
        texts[schema_path(folder, stem)] = canonical_text(file_schema(stem, FILES[stem]))
    for path in spec_files(folder.parent.parent):
        text = path.read_text(encoding="utf-8")
        if "<!-- generated: " in text:
            texts[path] = with_tables(text)
    return texts


def read_document(path: Path) -> Json:
    """A file of vectors, or a schema.

    Raises:
        InputError: it is not there, or is no JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file; run `capc-vectors generate`") from None
    except json.JSONDecodeError as error:
        raise InputError(f"{path}: not JSON ({error}); run `capc-vectors generate`") from None
