"""Draws that are held constant, so that a law is computed under a condition, exactly.

What a corrupted party draws is its own: the law is then the law given that randomness. What an honest party draws may
be fixed where the condition is one that the compared inputs share, such as a value that the coalition sees.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from capc.foundation.parties import Party
from capc_spec.registry import STEP_LABELS
from capc_verify.views.enumeration import Draw

Coalition = frozenset[Party]
ZERO_SUM = STEP_LABELS["answering_party_send_vote"].decode("ascii")
LOGIT_SHARES = STEP_LABELS["answering_party_evaluate_layer"].decode("ascii")
FRESH_SHARES = STEP_LABELS["answering_party_garble_layer"].decode("ascii")
QUERY_MASKS = STEP_LABELS["querying_party_mask_batch"].decode("ascii")
VALUE_MASKS = STEP_LABELS["querying_party_keep_circuits"].decode("ascii")
LOGIT_SHARES_OFFLINE = STEP_LABELS["answering_party_prepare_layer"].decode("ascii")
FRESH_SHARES_OFFLINE = STEP_LABELS["answering_party_garble_ahead"].decode("ascii")


@dataclass(frozen=True)
class Source:
    """Whose draw it is, and in which step.

    Attributes:
        step: the step's label.
        owners: the party that draws; for a zero-sum mask both ends of the pair.
        layer: the layer of the model; 0 where there is none.
    """

    step: str
    owners: Coalition
    layer: int


Fix = Callable[[Source, Draw], int | None]
"""Gives a draw a constant value, or None to have it enumerated."""


def nothing(source: Source, draw: Draw) -> int | None:  # noqa: ARG001
    """All draws are enumerated."""
    return None


def owned_by(coalition: Coalition, salt: int) -> Fix:
    """Constants for everything that a member draws, or knows as one end of a pair; another salt, other constants."""
    return lambda source, draw: _constant(salt, source, draw) if source.owners & coalition else None


def in_step(step: str, salt: int, owners: Coalition | None = None) -> Fix:
    """Constants for the draws of one step, of all parties or of the given ones."""
    return lambda source, draw: (
        _constant(salt, source, draw) if source.step == step and (owners is None or source.owners & owners) else None
    )


def seen_values(step: str, values: Mapping[Party, Sequence[int]], seen: Mapping[int, int], layer: int = 0) -> Fix:
    """The condition that the querying party ends with given shares: the draw is value - seen for each named output.

    What an answering party draws and what the querying party is left with determine each other, for a fixed value. So
    this is a condition on what it sees, which inputs with different values can share.

    Args:
        step: :data:`LOGIT_SHARES` (values: W x of its share x, times 2^h) or :data:`FRESH_SHARES` (values: what is
            shared).
        values: of each answering party concerned.
        seen: output to the querying party's share of it.
        layer: of the models.
    """

    def fix(source: Source, draw: Draw) -> int | None:
        party = next(iter(source.owners))
        if source.step != step or source.layer != layer or party not in values or draw.position not in seen:
            return None
        return values[party][draw.position] - seen[draw.position]

    return fix


def first_of(*fixes: Fix) -> Fix:
    """The first fix that gives a constant."""

    def fix(source: Source, draw: Draw) -> int | None:
        values = (each(source, draw) for each in fixes)
        return next((value for value in values if value is not None), None)

    return fix


def _constant(salt: int, source: Source, draw: Draw) -> int:
    """An arbitrary value that depends on nothing but the place of the draw."""
    owners = sorted(str(party) for party in source.owners)
    text = f"{salt} {source.step} {owners} {source.layer} {draw.position}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")
