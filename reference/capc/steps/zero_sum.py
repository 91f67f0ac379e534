"""Additive sharing of the votes among querying party and guardian, and the pairwise zero-sum masks (step 2).

Spec: CAPC-AGG-001, CAPC-AGG-002, CAPC-AGG-003, CAPC-AGG-005.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping

from capc.foundation import primitives, ring
from capc.foundation.primitives import Point, Scalar
from capc.foundation.randomness import RandomSource, Seed
from capc_spec.registry import TAGS


def pairwise_key(session_tag: bytes, mine: Scalar, points: Mapping[int, Point], me: int, peer: int) -> Seed:
    """The key that AP_me and AP_peer share: both derive the same from one secret scalar and the other's point.

    SHA-256(domain || session tag || lower index || higher index || their points in that order || shared point).

    Args:
        session_tag: binds the key to the session.
        mine: AP_me's secret scalar.
        points: the public points of both.
        me: this party's index.
        peer: the other's index.
    """
    low, high = min(me, peer), max(me, peer)
    shared = primitives.multiply(mine, points[peer])
    order = low.to_bytes(2, "little") + high.to_bytes(2, "little")
    return Seed(
        hashlib.sha256(TAGS["pairwise-mask"] + session_tag + order + points[low] + points[high] + shared).digest()
    )


def zero_sum_mask(
    me: int,
    keys: Mapping[int, Seed],
    label: bytes,
    num_classes: int,
    vote_bits: int,
    expand: Callable[[Seed, bytes], RandomSource],
) -> list[int]:
    """AP_me's mask for one query: the masks of all answering parties sum to zero in Z_{2^w}^C.

    For each pair i < j elements are drawn from their key and the query's label; AP_i adds them, AP_j subtracts them.
    """
    mask = [0] * num_classes
    for peer in sorted(keys):
        drawn = ring.uniform(expand(keys[peer], label), num_classes, vote_bits)
        mask = ring.add(mask, drawn, vote_bits) if me < peer else ring.subtract(mask, drawn, vote_bits)
    return mask
