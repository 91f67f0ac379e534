"""The hash chain over a ledger's records, and the signed head that pins all of it (CAPC-LEDG-004, CAPC-LEDG-005).

    digest_n = SHA-256(body_n)
    link_n   = SHA-256(domain || link_(n-1) || digest_n)      link_(-1) is 32 zero bytes
    head_n   = (identity = link_0, size = n + 1, link_n), signed with Ed25519

Bodies are salted, so that a chain of digests can be shown to others without showing what was recorded.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from capc.foundation.primitives import sign, signature_holds
from capc.foundation.randomness import Seed
from capc_spec.registry import TAGS

HASH_BYTES = 32
START = bytes(HASH_BYTES)
"""The link before the first record."""


def digest_of(body: bytes) -> bytes:
    """SHA-256 of a record's body."""
    return hashlib.sha256(body).digest()


def next_link(link: bytes, digest: bytes) -> bytes:
    """The link of the record with this digest, after the record of that link."""
    return hashlib.sha256(TAGS["ledger-link"] + link + digest).digest()


@dataclass(frozen=True)
class Head:
    """A ledger up to one record.

    Attributes:
        identity: link_0. It names the ledger: its terms, its key and a salt are all in the first record.
        size: how many records there are, at least 1.
        link: the link of the last one.
    """

    identity: bytes
    size: int
    link: bytes

    def signed_bytes(self) -> bytes:
        """What a signature is over."""
        return TAGS["ledger-head"] + self.identity + self.size.to_bytes(8, "little") + self.link

    def sign(self, key: Seed) -> bytes:
        """The owner's signature, 64 bytes."""
        return sign(key, self.signed_bytes())

    def is_signed(self, public_key: bytes, signature: bytes) -> bool:
        """Whether this is the owner's signature of this head."""
        return signature_holds(public_key, self.signed_bytes(), signature)

    def extended(self, digest: bytes) -> Head:
        """The head after one more record."""
        return Head(self.identity, self.size + 1, next_link(self.link, digest))


def first_head(digest: bytes) -> Head:
    """The head of a ledger that holds its first record only."""
    link = next_link(START, digest)
    return Head(link, 1, link)
