"""A composition as bytes: what was asked and found, and the curves between which anybody can take the steps again.

A file is a line of JSON, then the curves' slopes as compressed little-endian doubles, then SHA-256 of all before it.
The digest finds damage. Whoever can write the file can also write a digest, so a reader takes some of the steps again,
and all of them where more is at stake.

Spec: CAPC-ACCT-144.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from fractions import Fraction

import numpy as np

from capc.foundation.errors import InputError
from capc.noise.mechanism import DiscreteGaussian, RoundedGaussian
from capc.privacy.composition.family import Family
from capc.privacy.composition.recursion import BLOCK, MAX_LABELS, Composed, Wanted, delta_of, grid_of
from capc.privacy.composition.value_function import MAX_PLACES, Curve

VERSION = 2
"""Of the recursion and of the file: a change of any number that a curve depends on makes it another."""

_DIGEST_BYTES = 32
_NOISES = {noise.name.value: noise for noise in (RoundedGaussian, DiscreteGaussian)}
_MOST_BYTES = MAX_PLACES * (MAX_LABELS // BLOCK + 1) * 8


def name_of(wanted: Wanted) -> str:
    """A file name that differs for every question."""
    return hashlib.sha256(json.dumps(_question(wanted)).encode()).hexdigest()[:32] + ".composition"


def encode(composed: Composed) -> bytes:
    """The bytes of a certificate."""
    head = {**_question(composed.wanted), "found": composed.labels, "found_delta": composed.delta.hex()}
    slopes = np.array([curve.slopes for curve in composed.curves], dtype="<f8")
    body = json.dumps(head).encode() + b"\n" + zlib.compress(slopes.tobytes(), 6)
    return body + hashlib.sha256(body).digest()


def decode(content: bytes, wanted: Wanted) -> Composed:
    """What the bytes claim about a question; no step is taken again.

    Raises:
        InputError: they are damaged, or not about this question, or their curves are none, or their delta is not that
            of the last curve.
    """
    body, digest = content[:-_DIGEST_BYTES], content[-_DIGEST_BYTES:]
    if hashlib.sha256(body).digest() != digest:
        raise InputError("it is damaged")
    line, _, packed = body.partition(b"\n")
    try:
        head = json.loads(line)
        labels, delta = head.pop("found"), float.fromhex(head.pop("found_delta"))
        unpacked = zlib.decompressobj().decompress(packed, _MOST_BYTES + 1)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, zlib.error) as error:
        raise InputError("it is no certificate") from error
    if head != _question(wanted):
        raise InputError("it answers another question")
    if type(labels) is not int or not 0 <= labels <= (wanted.labels or MAX_LABELS):
        raise InputError("its number of queries is out of range")
    if wanted.labels is not None and labels != wanted.labels:
        raise InputError("it has another number of queries")
    grid, blocks = grid_of(wanted), -(-labels // BLOCK)
    places = grid.high - grid.low + 1
    if len(unpacked) != blocks * 8 * places:
        raise InputError("its curves have another length")
    slopes = np.frombuffer(unpacked, dtype="<f8").reshape(blocks, places).astype(np.float64)
    composed = Composed(wanted, labels, delta, tuple(Curve(grid, row) for row in slopes))
    if delta != (delta_of(composed.curves[-1], wanted.epsilon) if blocks else 0.0):
        raise InputError("its delta is not that of its last curve")
    if wanted.delta is not None and delta > wanted.delta:
        raise InputError("its delta is above the one asked for")
    return composed


def asked(content: bytes) -> Wanted:
    """The question that a certificate says it answers; :func:`decode` says whether it is one.

    Raises:
        InputError: no question can be read.
    """
    try:
        head = json.loads(content.partition(b"\n")[0])
        noise = _NOISES[head["mechanism"]](Fraction(head["sigma_votes"]), head["grid_bits"])
        family = Family(noise, head["shift"], head["adjacency"] == "replace_one", head["offsets"])
        delta = None if head["delta"] is None else Fraction(head["delta"])
        return Wanted(family, Fraction(head["epsilon"]), delta, head["queries"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, ZeroDivisionError) as error:
        raise InputError("it is no certificate") from error


def _question(wanted: Wanted) -> dict[str, object]:
    family = wanted.family
    return {
        "version": VERSION,
        "mechanism": str(family.noise.name),
        "sigma_votes": str(family.noise.sigma_votes),
        "grid_bits": family.noise.grid_bits,
        "shift": family.shift,
        "adjacency": "replace_one" if family.moves else "null_vote",
        "offsets": family.offsets,
        "epsilon": str(wanted.epsilon),
        "delta": None if wanted.delta is None else str(wanted.delta),
        "queries": wanted.labels,
    }
