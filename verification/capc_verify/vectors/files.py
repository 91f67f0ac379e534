"""All files of the vectors and their schemas, made in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from capc_verify.trace.spec import spec_files
from capc_verify.vectors.build import FileBuilder, canonical_text
from capc_verify.vectors.cases import accounting, arithmetic, circuits, he, ledger, noise, sharing, two_party
from capc_verify.vectors.cases.architectures import operators
from capc_verify.vectors.cases.protocol import messages, runs, sessions, steps
from capc_verify.vectors.cases.worked import examples, layers, streams
from capc_verify.vectors.places import schema_path, vector_path
from capc_verify.vectors.registry import FILES
from capc_verify.vectors.schema import file_schema
from capc_verify.vectors.tables import with_tables

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
    "noise_traces": examples.noise_traces,
    "gate_lists": examples.gate_lists,
    "streams": streams.streams,
    "he_layers": layers.he_layers,
}
"""What makes each file, by its stem."""


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
