"""Section 16: a session document, its bytes and digests."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from fractions import Fraction

from capc.foundation.parties import PRIVACY_GUARDIAN, QUERYING_PARTY, answering_party
from capc.models.architecture import Activation, Architecture, StageShape, dense_architecture
from capc.models.operators import Convolution, Dense, Grid, SumPool
from capc.session.parameters import (
    Adjacency,
    Charge,
    NoiseName,
    Parameters,
    ReleasePolicy,
    canonical_json,
)
from capc.session.session import Participant, Session
from capc.session.widths import ParameterSet
from capc_verify.vectors.text.writing import listing, table, wrapped

_WIDTH = 116


def example() -> Session:
    """Two answering parties, one of them with every kind of layer."""
    policy = ReleasePolicy(
        mechanism=NoiseName.ROUNDED_GAUSSIAN,
        sigma=Fraction(5, 2),
        threshold=None,
        threshold_sigma=None,
        charge=Charge.WORST_CASE,
        adjacency=Adjacency.REPLACE_ONE,
        epsilon=Fraction(8),
        delta=Fraction(1, 100000),
    )
    widths = replace(ParameterSet.named("default"), name="example")
    return Session(
        Parameters(widths, 3, 16, policy),
        bytes(range(32)),
        (
            Participant(QUERYING_PARTY, bytes([1]) * 32),
            Participant(answering_party(1), bytes([2]) * 32, dense_architecture((16, 4, 3))),
            Participant(answering_party(2), bytes([3]) * 32, _every_kind()),
            Participant(PRIVACY_GUARDIAN, bytes([4]) * 32),
        ),
    )


def _every_kind() -> Architecture:
    image, small = Grid(1, 4, 4, (3, 3), padding=(1, 1)), Grid(2, 4, 4, (2, 2), stride=(2, 2))
    return Architecture(
        (
            StageShape(
                Convolution(image, 2),
                0,
                Activation.RELU_MAX_POOL,
                max_pool=small,
                cap=Fraction(6),
                cap_bits=15,
                weight_bits=14,
            ),
            StageShape(Dense(8, 8), 1, Activation.NONE, sum_bits=33),
            StageShape(Dense(8, 8), 1, Activation.RELU, skips=(1, 2), leak_bits=3),
            StageShape(Dense(2, 3), 3, Activation.VOTE, sum_pool=SumPool(Grid(2, 2, 2, (2, 2)))),
        )
    )


def session_document() -> str:
    """The document, for people: in its order, with line breaks."""
    return listing(_lines(json.loads(example().canonical)), "json")


def _lines(value: object, indent: str = "", before: str = "", after: str = "") -> list[str]:
    """A value of JSON in one line where it fits, else an entry in each."""
    whole = indent + before + json.dumps(value, sort_keys=True) + after
    if len(whole) <= _WIDTH or not isinstance(value, dict | list):
        return [whole]
    is_object = isinstance(value, dict)
    opening, closing = "{}" if is_object else "[]"
    parts = sorted(value.items()) if isinstance(value, dict) else [("", entry) for entry in value]
    lines = [indent + before + opening]
    for number, (key, entry) in enumerate(parts):
        name = f'"{key}": ' if is_object else ""
        lines += _lines(entry, indent + "  ", name, "," if number < len(parts) - 1 else "")
    return [*lines, indent + closing + after]


def canonical_bytes() -> str:
    """The canonical JSON of the parameters, and of a participant, as they are hashed."""
    session = example()
    parts = [canonical_json(session.parameters.document()), canonical_json(session.participants[1].document())]
    lines: list[str] = []
    for part in parts:
        lines += wrapped(part.decode("ascii"), _WIDTH)
        lines.append("--")
    return listing(lines[:-1])


def session_digests() -> str:
    """What is made of them."""
    session = example()
    rows = [
        ("canonical JSON of the parameters", len(canonical_json(session.parameters.document())), "parameter digest"),
        ("canonical JSON of the session", len(session.canonical), "session tag"),
        ("the same", len(session.canonical), "SHA-256 of these bytes alone"),
    ]
    values = [session.parameters.digest, session.tag, hashlib.sha256(session.canonical).digest()]
    return table(
        "of | bytes | is | value", [(*row, f"`{value.hex()}`") for row, value in zip(rows, values, strict=True)]
    )
