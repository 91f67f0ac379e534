"""Linear layers under encryption: the interface that the HE layer implements, and its ideal stand-in.

The querying party encrypts its share of a layer's input; the answering party, which holds the weights, returns
the encrypted product plus an addend of its own; the querying party decrypts. ``capc.he`` implements this with BFV.

Source: design decision 1 (exact BFV, t = 2^l). Spec: CAPC-HE-001 to CAPC-HE-009.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Protocol

from capc import ring
from capc.errors import ErrorCode, InvalidPayloadError
from capc.operators import Matrix, Operator, check_weights, multiply
from capc.randomness import RandomSource


class LinearScheme(Protocol):
    """Encrypted evaluation of a linear operator over Z_{2^l}, exact.

    The key holder (querying party) learns W x + addend mod 2^l and the operator, and nothing else; the
    evaluator (answering party) learns the operator. Payload functions raise :class:`InvalidPayloadError` on bytes that
    a correct peer cannot have sent. Keys and prepared weights are opaque objects of the scheme.
    """

    def generate_keys(self) -> tuple[object, bytes]:
        """A secret key for this party, and the public key's payload for the peers."""

    def public_key_length(self) -> int:
        """Bytes of a public key payload."""

    def read_public_key(self, payload: bytes) -> object:
        """The public key of a peer, checked for length and range."""

    def prepare(self, operator: Operator, weights: Matrix) -> object:
        """The weights in the form in which products are fast; made once per stage."""

    def multiply(self, prepared: object, values: Sequence[int]) -> list[int]:
        """W x in Z_{2^l} in the clear, for the evaluator's own share."""

    def statistical_distance(self, prepared: object) -> Fraction:
        """How far one response may be from one that does not depend on the weights; for the evaluator only."""

    def request_length(self, operator: Operator) -> int:
        """Bytes of an encrypted input."""

    def encrypt(self, secret_key: object, operator: Operator, vector: Sequence[int]) -> bytes:
        """The encryption of ``operator.inputs`` elements of Z_{2^l}."""

    def response_length(self, operator: Operator) -> int:
        """Bytes of an encrypted result."""

    def evaluate(
        self,
        public_key: object,
        prepared: object,
        request: bytes,
        addend: Sequence[int],
        source: RandomSource,
    ) -> bytes:
        """The encryption of W x + addend, re-randomised, flooded, and masked on every other coefficient."""

    def decrypt(self, secret_key: object, operator: Operator, response: bytes) -> list[int]:
        """The ``operator.outputs`` elements of Z_{2^l} in a response."""


@dataclass
class IdealLinear:
    """F_linear: a trusted party computes the layer; messages are handles that say nothing.

    For tests in the hybrid model and for runs without the HE extra. Both roles must share one object.
    """

    logit_bits: int
    _entries: list[list[int]] = field(default_factory=list)

    def generate_keys(self) -> tuple[object, bytes]:
        """No keys: the trusted party needs none."""
        return None, b""

    def public_key_length(self) -> int:
        """0."""
        return 0

    def read_public_key(self, payload: bytes) -> object:
        """Accepts the empty payload only."""
        if payload:
            raise InvalidPayloadError(ErrorCode.MALFORMED_LENGTH, f"public key of {len(payload)} bytes instead of 0")
        return None

    def prepare(self, operator: Operator, weights: Matrix) -> object:
        """The weights as they are."""
        check_weights(operator, weights)
        return operator, weights

    def statistical_distance(self, prepared: object) -> Fraction:  # noqa: ARG002
        """0: a handle says nothing."""
        return Fraction(0)

    def multiply(self, prepared: object, values: Sequence[int]) -> list[int]:
        """W x in Z_{2^l}, by the definition."""
        operator, weights = _prepared(prepared)
        return multiply(operator, weights, values, self.logit_bits)

    def request_length(self, operator: Operator) -> int:  # noqa: ARG002
        """A handle has 8 bytes."""
        return 8

    def response_length(self, operator: Operator) -> int:  # noqa: ARG002
        """A handle has 8 bytes."""
        return 8

    def encrypt(self, secret_key: object, operator: Operator, vector: Sequence[int]) -> bytes:  # noqa: ARG002
        """Hands the vector to the trusted party."""
        return self._store(list(vector))

    def evaluate(
        self,
        public_key: object,  # noqa: ARG002
        prepared: object,
        request: bytes,
        addend: Sequence[int],
        source: RandomSource,  # noqa: ARG002
    ) -> bytes:
        """Lets the trusted party compute W x + addend mod 2^l."""
        return self._store(ring.add(self.multiply(prepared, self._load(request)), addend, self.logit_bits))

    def decrypt(self, secret_key: object, operator: Operator, response: bytes) -> list[int]:  # noqa: ARG002
        """Takes the result from the trusted party."""
        return self._load(response)

    def _store(self, values: list[int]) -> bytes:
        self._entries.append(values)
        return (len(self._entries) - 1).to_bytes(8, "little")

    def _load(self, handle: bytes) -> list[int]:
        index = int.from_bytes(handle, "little")
        if len(handle) != 8 or index >= len(self._entries):
            raise InvalidPayloadError(ErrorCode.VALUE_OUT_OF_RANGE, "a handle that the trusted party did not give")
        return self._entries[index]


def _prepared(prepared: object) -> tuple[Operator, Matrix]:
    return prepared  # type: ignore[return-value]
