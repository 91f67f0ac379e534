"""What can happen to a query, and what an account writes down of it. Nothing here has a cost.

An account records events and the accountants read them; what they cost is told by :mod:`capc.privacy.query_cost` and
:mod:`capc.privacy.accountants`, which refuse a kind that they do not know by its name.

Spec: CAPC-ACCT-101.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction

from capc.noise.mechanism import CostUnit

DIGEST_BYTES = 32
"""Length of a session tag and of a digest of inputs."""


class EventKind(StrEnum):
    """What can happen to a query. Nothing else is charged or given back."""

    THRESHOLD_CHECK = "threshold_check"
    """Counts with draws of the check's own were, or are about to be, compared with the threshold."""
    ANSWER_RESERVED = "answer_reserved"
    """A label may leave from now on. It counts as released until a settlement says otherwise."""
    CONFIDENT_STEP = "confident_step"
    """Check and answer as one step, charged jointly and always, whether a label leaves or not."""
    LABEL_RELEASED = "label_released"
    """A settlement: the querying party got a label."""
    LABEL_WITHHELD = "label_withheld"
    """A settlement: the check failed and no label was released."""
    NOISE_SHARE_LOST = "noise_share_lost"
    """A contributor's share of this query's noise never arrived, or its owner turned out to collude."""


@dataclass(frozen=True)
class Event:
    """One thing that happened, without its cost.

    Attributes:
        kind: what happened.
        session_tag: the 32 bytes of the session.
        query: the number of the query in its session.
    """

    kind: EventKind
    session_tag: bytes
    query: int


@dataclass(frozen=True)
class Receipt:
    """Proof that one query was charged: whoever draws its noise shows it (CAPC-ACCT-006).

    Attributes:
        session_tag: the session, 32 bytes.
        query: the number of the query in its session.
        inputs_digest: 32 bytes that bind the charge to what the noise is added to. Other inputs need another
            charge and fresh noise. Secret: a digest of few candidates tells which it was.
        reserved: the cost that was reserved.
        unit: its unit.
    """

    session_tag: bytes
    query: int
    inputs_digest: bytes = field(repr=False)
    reserved: Fraction
    unit: CostUnit


@dataclass(frozen=True)
class Reservation:
    """An entry: one query was charged in full."""

    receipt: Receipt


@dataclass(frozen=True)
class Dispatch:
    """An entry: the one message that may carry this query's noise.

    Attributes:
        receipt: of the query.
        message_digest: SHA-256 of the message.
    """

    receipt: Receipt
    message_digest: bytes


@dataclass(frozen=True)
class Settlement:
    """An entry: whether a label was released, in realised mode."""

    receipt: Receipt
    answered: bool


Entry = Reservation | Dispatch | Settlement
"""What one call writes down."""
