"""F_linear: linear layers by a trusted party, for the hybrid model."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

from capc.foundation import ring
from capc.foundation.errors import ErrorCode, InvalidPayloadError
from capc.foundation.guarded import GUARD_BITS
from capc.foundation.hidden import type_only
from capc.foundation.randomness import RandomSource
from capc.linear.interface import Plain
from capc.models.operators import Matrix, Operator, check_weights, multiply


@dataclass
class IdealLinear:
    """F_linear: a trusted party computes the layer; messages are handles that say nothing.

    For tests in the hybrid model and for runs without the HE extra. Both roles must share one object.
    """

    logit_bits: int
    guard_bits: int = GUARD_BITS
    _entries: list[list[list[int]]] = field(default_factory=list)

    __repr__ = type_only

    def generate_secret_key(self) -> None:
        """No key: the trusted party needs none."""

    def public_key_length(self) -> int:
        """0."""
        return 0

    def public_key(self, secret_key: None, binding: bytes, source: RandomSource) -> bytes:  # noqa: ARG002
        """No key."""
        return b""

    def read_public_key(self, payload: bytes, binding: bytes) -> None:  # noqa: ARG002
        """Accepts the empty payload only."""
        if payload:
            raise InvalidPayloadError(ErrorCode.MALFORMED_LENGTH, f"public key of {len(payload)} bytes instead of 0")

    def prepare(self, operator: Operator, weights: Matrix) -> Plain:
        """The weights as they are."""
        check_weights(operator, weights)
        return operator, weights

    def multiply(self, prepared: Plain, rows: Sequence[Sequence[int]]) -> list[list[int]]:
        """W x in Z_{2^l} for each row x, by the definition."""
        operator, weights = prepared
        return [multiply(operator, weights, row, self.logit_bits) for row in rows]

    def request_layout(self, operator: Operator, count: int) -> Hashable:
        """A handle serves every operator of as many inputs."""
        return operator.inputs, count

    def request_length(self, operator: Operator, count: int) -> int:  # noqa: ARG002
        """A handle has 8 bytes."""
        return 8

    def response_length(self, operator: Operator, count: int) -> int:  # noqa: ARG002
        """A handle has 8 bytes."""
        return 8

    def encrypt(self, secret_key: None, operator: Operator, vectors: Sequence[Sequence[int]]) -> bytes:  # noqa: ARG002
        """Hands the vectors to the trusted party."""
        return self._store([list(vector) for vector in vectors])

    def evaluate(
        self,
        public_key: None,  # noqa: ARG002
        prepared: Plain,
        request: bytes,
        count: int,
        source: RandomSource,
    ) -> tuple[list[list[int]], bytes]:
        """Lets the trusted party share 2^h W x in Z_{2^T}: uniform shares, without an error."""
        width = self.logit_bits + self.guard_bits
        products = self.multiply(prepared, self._load(request, count, prepared[0].inputs))
        shares = [ring.uniform(source, len(row), width) for row in products]
        pairs = zip(products, shares, strict=True)
        others = [ring.subtract(ring.scale(row, 1 << self.guard_bits, width), own, width) for row, own in pairs]
        return shares, self._store(others)

    def decrypt(self, secret_key: None, operator: Operator, count: int, response: bytes) -> list[list[int]]:  # noqa: ARG002
        """Takes the shares from the trusted party."""
        return self._load(response, count, operator.outputs)

    def _store(self, rows: list[list[int]]) -> bytes:
        self._entries.append(rows)
        return (len(self._entries) - 1).to_bytes(8, "little")

    def _load(self, handle: bytes, count: int, elements: int) -> list[list[int]]:
        index = int.from_bytes(handle, "little")
        rows = self._entries[index] if len(handle) == 8 and index < len(self._entries) else []
        if [len(row) for row in rows] != [elements] * count:
            raise InvalidPayloadError(ErrorCode.VALUE_OUT_OF_RANGE, "a handle that the trusted party did not give")
        return rows
