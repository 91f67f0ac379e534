"""Linear layers under encryption: the interface that the HE layer implements, and its ideal stand-in.

The querying party encrypts its shares of a layer's inputs, one for each query of a batch; the answering party, which
holds the weights, keeps a share of the product and returns what decrypts to the other one. ``capc.linear.bfv``
implements this with BFV.

Shares are in Z_{2^T}, T = l + h, and have guard bits (:mod:`capc.foundation.guarded`).

Source: design decision 1 (exact BFV). Spec: CAPC-HE-001, CAPC-HE-002,
CAPC-HE-004 to CAPC-HE-006, CAPC-HE-008 to CAPC-HE-010, CAPC-HE-012 to CAPC-HE-014, CAPC-HE-016, CAPC-HE-017.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Protocol, TypeVar

from capc.foundation.randomness import RandomSource
from capc.models.operators import Matrix, Operator

SecretKey = TypeVar("SecretKey")

PublicKey = TypeVar("PublicKey")

Weights = TypeVar("Weights")

Plain = tuple[Operator, Matrix]


class LinearScheme(Protocol[SecretKey, PublicKey, Weights]):
    """Encrypted evaluation of a linear operator over Z_{2^l}, exact, for a batch of ``count`` >= 1 queries at a time.

    The key holder (querying party) learns a share of W x for each query and the operator, and nothing else; the
    evaluator (answering party) learns the operator and the count. Payload functions raise
    :class:`InvalidPayloadError` on bytes that a correct peer cannot have sent. Keys and prepared weights are the
    scheme's own. Rows of values belong to queries, in one order throughout.
    """

    def generate_secret_key(self) -> SecretKey:
        """A secret key for this party."""

    def public_key_length(self) -> int:
        """Bytes of a public key payload."""

    def public_key(self, secret_key: SecretKey, binding: bytes, source: RandomSource) -> bytes:
        """The public key's payload for one peer, bound to what that peer drew."""

    def read_public_key(self, payload: bytes, binding: bytes) -> PublicKey:
        """The public key of a peer, checked for length and range."""

    def prepare(self, operator: Operator, weights: Matrix) -> Weights:
        """The weights in the form in which products are fast; made once per stage."""

    def multiply(self, prepared: Weights, rows: Sequence[Sequence[int]]) -> list[list[int]]:
        """W x in Z_{2^l} in the clear for each row x, for the evaluator's own shares."""

    def request_layout(self, operator: Operator, count: int) -> Hashable:
        """What the bytes of a request depend on: operators of equal layout accept the very same request."""

    def request_length(self, operator: Operator, count: int) -> int:
        """Bytes of ``count`` encrypted inputs."""

    def encrypt(self, secret_key: SecretKey, operator: Operator, vectors: Sequence[Sequence[int]]) -> bytes:
        """The encryption of ``operator.inputs`` elements of Z_{2^l} for each of 1 or more queries."""

    def response_length(self, operator: Operator, count: int) -> int:
        """Bytes of ``count`` encrypted results."""

    def evaluate(
        self, public_key: PublicKey, prepared: Weights, request: bytes, count: int, source: RandomSource
    ) -> tuple[list[list[int]], bytes]:
        """The evaluator's share of W x for each query, in Z_{2^T}, and the response with the key holder's."""

    def decrypt(self, secret_key: SecretKey, operator: Operator, count: int, response: bytes) -> list[list[int]]:
        """The key holder's share of the ``operator.outputs`` elements of each query, in Z_{2^T}."""
