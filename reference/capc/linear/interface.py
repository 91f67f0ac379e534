"""Linear layers under encryption: the interface that the HE layer implements, and its ideal stand-in.

The querying party encrypts its shares of a layer's inputs, one for each query of a batch; the answering party, which
holds the weights, returns the encrypted products plus addends of its own; the querying party decrypts.
``capc.linear.bfv`` implements this with BFV.

Source: design decision 1 (exact BFV, t = 2^l). Spec: CAPC-HE-001 to CAPC-HE-009.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from fractions import Fraction
from typing import Protocol, TypeVar

from capc.foundation.randomness import RandomSource
from capc.models.operators import Matrix, Operator

SecretKey = TypeVar("SecretKey")

PublicKey = TypeVar("PublicKey")

Weights = TypeVar("Weights")

Plain = tuple[Operator, Matrix]


class LinearScheme(Protocol[SecretKey, PublicKey, Weights]):
    """Encrypted evaluation of a linear operator over Z_{2^l}, exact, for a batch of ``count`` >= 1 queries at a time.

    The key holder (querying party) learns W x + addend mod 2^l for each query and the operator, and nothing else; the
    evaluator (answering party) learns the operator and the count. Payload functions raise
    :class:`InvalidPayloadError` on bytes that a correct peer cannot have sent. Keys and prepared weights are the
    scheme's own. Rows of values belong to queries, in one order throughout.
    """

    def generate_keys(self) -> tuple[SecretKey, bytes]:
        """A secret key for this party, and the public key's payload for the peers."""

    def public_key_length(self) -> int:
        """Bytes of a public key payload."""

    def read_public_key(self, payload: bytes) -> PublicKey:
        """The public key of a peer, checked for length and range."""

    def prepare(self, operator: Operator, weights: Matrix) -> Weights:
        """The weights in the form in which products are fast; made once per stage."""

    def multiply(self, prepared: Weights, rows: Sequence[Sequence[int]]) -> list[list[int]]:
        """W x in Z_{2^l} in the clear for each row x, for the evaluator's own shares."""

    def statistical_distance(self, prepared: Weights, count: int) -> Fraction:
        """How far one response to ``count`` queries may be from one that does not depend on the weights.

        For the evaluator only.
        """

    def distance_per_query(self, prepared: Weights) -> Fraction:
        """At least ``statistical_distance(prepared, count) / count`` for every count. For the evaluator only."""

    def request_layout(self, operator: Operator, count: int) -> Hashable:
        """What the bytes of a request depend on: operators of equal layout accept the very same request."""

    def request_length(self, operator: Operator, count: int) -> int:
        """Bytes of ``count`` encrypted inputs."""

    def encrypt(self, secret_key: SecretKey, operator: Operator, vectors: Sequence[Sequence[int]]) -> bytes:
        """The encryption of ``operator.inputs`` elements of Z_{2^l} for each of 1 or more queries."""

    def response_length(self, operator: Operator, count: int) -> int:
        """Bytes of ``count`` encrypted results."""

    def evaluate(
        self,
        public_key: PublicKey,
        prepared: Weights,
        request: bytes,
        addends: Sequence[Sequence[int]],
        source: RandomSource,
    ) -> bytes:
        """The encryption of W x + addend for each query, re-randomised, flooded, nothing else released."""

    def decrypt(self, secret_key: SecretKey, operator: Operator, count: int, response: bytes) -> list[list[int]]:
        """The ``operator.outputs`` elements of Z_{2^l} of each query in a response."""
