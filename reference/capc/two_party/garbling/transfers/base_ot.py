"""128 base oblivious transfers on Curve25519: the evaluator has pairs of seeds, the garbler one seed of each pair.

Which one is the garbler's choice: bit j of its offset Delta for pair j. :mod:`.ot_extension` makes any number of
transfers of labels from them.

Source: Naor and Pinkas 2001 in the form of Chou and Orlandi 2015. Spec: CAPC-OT-002, CAPC-NAME-008.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from capc.foundation import primitives
from capc.foundation.encoding import LABEL_BITS
from capc.foundation.primitives import Point, Scalar
from capc.foundation.randomness import RandomSource, Seed
from capc.foundation.single_use import SpentMark
from capc.two_party.garbling.transfers.ot_messages import BaseOtChoice, BaseOtOffer
from capc_spec.registry import TAGS


@dataclass(frozen=True, repr=False)
class BaseOtSender:
    """The evaluator between its offer and the choice it answers to. Secret: the scalar a."""

    scalar: Scalar
    offer: BaseOtOffer

    def __repr__(self) -> str:
        return "<BaseOtSender>"


@dataclass(frozen=True, repr=False)
class ChosenSeeds:
    """The garbler's end: Delta, and for each of its bits the seed it chose. Secret: all of it.

    Delta's lowest bit is 1, so that the two labels of a wire differ in their lowest bit (point and permute).

    Attributes:
        delta: the offset.
        seeds: one of each pair.
        context: of the connection.
        said: what was sent so far: offer and choice.
        destroyed: taken when a check failed, of trees or of an extension of a key that they gave; none follows.
    """

    delta: int
    seeds: tuple[Seed, ...]
    context: bytes
    said: bytes
    destroyed: SpentMark = field(default_factory=SpentMark, kw_only=True, compare=False)

    def __repr__(self) -> str:
        return "<ChosenSeeds>"


def base_ot_offer(source: RandomSource) -> tuple[BaseOtSender, BaseOtOffer]:
    """Evaluator: a fresh scalar a, and the offer A = aG."""
    scalar = primitives.random_scalar(source)
    offer = BaseOtOffer(primitives.base_multiply(scalar))
    return BaseOtSender(scalar, offer), offer


def base_ot_choose(offer: BaseOtOffer, context: bytes, source: RandomSource) -> tuple[ChosenSeeds, BaseOtChoice]:
    """Garbler: chooses Delta, and one seed of each pair by Delta's bits.

    1. Delta is 127 uniform bits above a lowest bit of 1.
    2. For bit j: B_j = b_j G, plus A where the bit is 1.
    3. The chosen seed is the hash of b_j A.

    Reveals: nothing to the evaluator; B_j is uniform whatever the bit is.
    """
    return _choose(source.bits(LABEL_BITS) | 1, offer, context, source)


def _choose(delta: int, offer: BaseOtOffer, context: bytes, source: RandomSource) -> tuple[ChosenSeeds, BaseOtChoice]:
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
    choice = BaseOtChoice(tuple(points))
    return ChosenSeeds(delta, tuple(seeds), context, offer.to_bytes() + choice.to_bytes()), choice


def base_ot_finish(sender: BaseOtSender, choice: BaseOtChoice, context: bytes) -> tuple[tuple[Seed, Seed], ...]:
    """Evaluator: 128 pairs of seeds, which are secret, from a B_j and a (B_j - A).

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
    return tuple(pairs)


def _derive_seed(context: bytes, position: int, offer: Point, choice: Point, shared: Point) -> Seed:
    """SHA-256 over the domain, the session's context, the position and all three points."""
    preimage = TAGS["base-ot"] + len(context).to_bytes(2, "little") + context + position.to_bytes(2, "little")
    return Seed(hashlib.sha256(preimage + offer + choice + shared).digest())
