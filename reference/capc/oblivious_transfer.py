"""Correlated oblivious transfers: 128 base OTs on Curve25519, extended without limit.

The garbler ends with a zero label per transfer, the evaluator with the label of its choice bit: the zero label, or
the zero label XOR the garbler's offset Delta. Labels come straight from the correlated OT; nothing else is sent.

Sources: base OT, Naor and Pinkas 2001 in the form of Chou and Orlandi 2015; extension, Ishai, Kilian, Nissim,
Petrank 2003 (semi-honest). Spec: CAPC-OT-001 to CAPC-OT-005.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from capc import primitives, ring
from capc.messages import BaseOtChoice, BaseOtOffer, OtColumns
from capc.parameters import LABEL_BITS
from capc.primitives import Point, Scalar
from capc.randomness import RandomSource, Seed, XofSource

_DOMAIN = b"CaPC/0.1/base-ot"


@dataclass(frozen=True, repr=False)
class BaseOtSender:
    """The evaluator between its offer and the choice it answers to. Secret: the scalar a."""

    scalar: Scalar
    offer: BaseOtOffer

    def __repr__(self) -> str:
        return "<BaseOtSender>"


@dataclass(frozen=True, repr=False)
class EvaluatorKey:
    """128 pairs of seeds, the evaluator's end of the extension. Secret: both seeds of every pair."""

    seed_pairs: tuple[tuple[Seed, Seed], ...]

    def __repr__(self) -> str:
        return "<EvaluatorKey>"


@dataclass(frozen=True, repr=False)
class GarblerKey:
    """The garbler's end: Delta, and for each of its bits the seed it chose. Secret: all of it.

    Delta's lowest bit is 1, so that the two labels of a wire differ in their lowest bit (point and permute).
    """

    delta: int
    seeds: tuple[Seed, ...]

    def __repr__(self) -> str:
        return "<GarblerKey>"


def base_ot_offer(source: RandomSource) -> tuple[BaseOtSender, BaseOtOffer]:
    """Evaluator: a fresh scalar a, and the offer A = aG."""
    scalar = primitives.random_scalar(source)
    offer = BaseOtOffer(primitives.base_multiply(scalar))
    return BaseOtSender(scalar, offer), offer


def base_ot_choose(offer: BaseOtOffer, context: bytes, source: RandomSource) -> tuple[GarblerKey, BaseOtChoice]:
    """Garbler: chooses Delta, and one seed of each pair by Delta's bits.

    1. Delta is 127 uniform bits above a lowest bit of 1.
    2. For bit j: B_j = b_j G, plus A where the bit is 1.
    3. The chosen seed is the hash of b_j A.

    Reveals: nothing to the evaluator; B_j is uniform whatever the bit is.
    """
    delta = source.bits(LABEL_BITS) | 1
    points: list[Point] = []
    seeds: list[Seed] = []
    for position in range(LABEL_BITS):
        scalar = primitives.random_scalar(source)
        point = primitives.base_multiply(scalar)
        if delta >> position & 1:
            point = primitives.add(point, offer.point)
        points.append(point)
        shared = primitives.multiply(scalar, offer.point)
        seeds.append(_derive_seed(context, position, offer.point, point, shared))
    return GarblerKey(delta, tuple(seeds)), BaseOtChoice(tuple(points))


def base_ot_finish(sender: BaseOtSender, choice: BaseOtChoice, context: bytes) -> EvaluatorKey:
    """Evaluator: both seeds of each pair, from a B_j and a (B_j - A).

    Reveals: nothing; the garbler's Delta stays hidden, and the garbler cannot know the other seed of a pair
    (computational Diffie-Hellman, with the hash as a random oracle).
    """
    pairs: list[tuple[Seed, Seed]] = []
    offer_shared = primitives.multiply(sender.scalar, sender.offer.point)
    for position, point in enumerate(choice.points):
        zero_shared = primitives.multiply(sender.scalar, point)
        one_shared = primitives.subtract(zero_shared, offer_shared)
        pairs.append(
            (
                _derive_seed(context, position, sender.offer.point, point, zero_shared),
                _derive_seed(context, position, sender.offer.point, point, one_shared),
            )
        )
    return EvaluatorKey(tuple(pairs))


def extend_receive(key: EvaluatorKey, context: bytes, choices: Sequence[int]) -> tuple[list[int], OtColumns]:
    """Evaluator: one label per choice bit, and the columns that let the garbler follow.

    For column j with seeds (k0, k1): t_j = XOF(k0), and the correction u_j = t_j XOR XOF(k1) XOR choices. Label i is
    bit i of every t_j.

    Args:
        key: the evaluator's end of the extension.
        context: public bytes that must never occur twice under one key: a second extension under the same
            bytes would send the XOR of both choice vectors.
        choices: m bits.
    """
    transfers = len(choices)
    choice_row = ring.from_bits(choices)
    columns: list[int] = []
    corrections: list[int] = []
    for zero_seed, one_seed in key.seed_pairs:
        column = XofSource(zero_seed, context).bits(transfers)
        columns.append(column)
        corrections.append(column ^ XofSource(one_seed, context).bits(transfers) ^ choice_row)
    return transpose(columns, transfers), OtColumns(tuple(corrections), transfers)


def extend_send(key: GarblerKey, context: bytes, correction: OtColumns) -> list[int]:
    """Garbler: the zero label of each transfer.

    For column j with chosen seed k: q_j = XOF(k), XOR u_j where bit j of Delta is 1. Zero label i is bit i of every
    q_j, and the evaluator's label is it XOR (choice_i AND Delta).
    """
    columns: list[int] = []
    for position, (seed, corrected) in enumerate(zip(key.seeds, correction.columns, strict=True)):
        column = XofSource(seed, context).bits(correction.transfers)
        columns.append(column ^ corrected if key.delta >> position & 1 else column)
    return transpose(columns, correction.transfers)


def transpose(columns: Sequence[int], rows: int) -> list[int]:
    """Row i, whose bit j is bit i of column j; from len(columns) columns of ``rows`` bits."""
    # Text is the fastest transposition that needs no library: most significant column first.
    texts = [format(column, f"0{rows}b") for column in reversed(columns)]
    return [int("".join(bits), 2) for bits in zip(*texts, strict=True)][::-1]


def _derive_seed(context: bytes, position: int, offer: Point, choice: Point, shared: Point) -> Seed:
    """SHA-256 over the domain, the session's context, the position and all three points."""
    preimage = _DOMAIN + len(context).to_bytes(2, "little") + context + position.to_bytes(2, "little")
    return Seed(hashlib.sha256(preimage + offer + choice + shared).digest())
