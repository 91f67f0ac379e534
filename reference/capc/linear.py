"""Linear layers under encryption: the interface that the HE layer implements, and its ideal stand-in.

The querying party encrypts its share of a layer's input; the answering party, which holds the weights, returns
the encrypted product plus an addend of its own; the querying party decrypts. ``capc.he`` implements this with BFV.

Source: design decision 1 (exact BFV, t = 2^l). Spec: CAPC-HE-001 to CAPC-HE-009.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from capc import ring
from capc.errors import ErrorCode, InvalidPayloadError
from capc.randomness import RandomSource

Matrix = tuple[tuple[int, ...], ...]
"""outputs x inputs signed integers."""


class LayerShape(NamedTuple):
    """A fully connected layer's public shape."""

    inputs: int
    outputs: int


class LinearScheme(Protocol):
    """Encrypted evaluation of a fully connected layer over Z_{2^l}, exact.

    The key holder (querying party) learns W x + addend mod 2^l and the shape, and nothing else; the evaluator
    (answering party) learns the shape. Payload functions raise :class:`InvalidPayloadError` on bytes that a
    correct peer cannot have sent. Keys and prepared weights are opaque objects of the scheme.
    """

    def generate_keys(self) -> tuple[object, bytes]:
        """A secret key for this party, and the public key's payload for the peers."""

    def public_key_length(self) -> int:
        """Bytes of a public key payload."""

    def read_public_key(self, payload: bytes) -> object:
        """The public key of a peer, checked for length and range."""

    def prepare(self, weights: Matrix) -> object:
        """The weights in the form in which products are fast; made once per layer."""

    def request_length(self, shape: LayerShape) -> int:
        """Bytes of an encrypted input."""

    def encrypt(self, secret_key: object, shape: LayerShape, vector: Sequence[int]) -> bytes:
        """The encryption of ``shape.inputs`` elements of Z_{2^l}."""

    def response_length(self, shape: LayerShape) -> int:
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

    def decrypt(self, secret_key: object, shape: LayerShape, response: bytes) -> list[int]:
        """The ``shape.outputs`` elements of Z_{2^l} in a response."""


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

    def prepare(self, weights: Matrix) -> object:
        """The weights as they are."""
        return weights

    def request_length(self, shape: LayerShape) -> int:  # noqa: ARG002
        """A handle has 8 bytes."""
        return 8

    def response_length(self, shape: LayerShape) -> int:  # noqa: ARG002
        """A handle has 8 bytes."""
        return 8

    def encrypt(self, secret_key: object, shape: LayerShape, vector: Sequence[int]) -> bytes:  # noqa: ARG002
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
        weights: Matrix = prepared  # type: ignore[assignment]
        vector = self._load(request)
        return self._store(ring.add(multiply(weights, vector, self.logit_bits), addend, self.logit_bits))

    def decrypt(self, secret_key: object, shape: LayerShape, response: bytes) -> list[int]:  # noqa: ARG002
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


def multiply(weights: Matrix, vector: Sequence[int], width: int) -> list[int]:
    """W x in Z_{2^width}."""
    return [ring.reduce(sum(w * x for w, x in zip(row, vector, strict=True)), width) for row in weights]
