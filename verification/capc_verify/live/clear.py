"""Linear layers in the clear, whose messages hold what F_linear would keep: for parties in processes apart.

It hides nothing from anybody, and stands beside what judges ports: all its bytes follow from seeds, which those of
ciphertexts do not.
"""

from __future__ import annotations

from collections.abc import Sequence

from capc.foundation.encoding import elements_from_bytes, elements_to_bytes
from capc.foundation.randomness import RandomSource
from capc.linear.ideal import IdealLinear
from capc.linear.interface import Plain
from capc.models.operators import Operator


class ClearLinear(IdealLinear):
    """As F_linear, without a trusted party: a request is the inputs, a response the querying party's shares."""

    def request_length(self, operator: Operator, count: int) -> int:
        """Elements of l bits, query by query."""
        return count * operator.inputs * ((self.logit_bits + 7) // 8)

    def response_length(self, operator: Operator, count: int) -> int:
        """Elements of l + h bits, query by query."""
        return count * operator.outputs * ((self.logit_bits + self.guard_bits + 7) // 8)

    def encrypt(self, secret_key: None, operator: Operator, vectors: Sequence[Sequence[int]]) -> bytes:  # noqa: ARG002
        """The inputs as they are."""
        return b"".join(elements_to_bytes(vector, self.logit_bits) for vector in vectors)

    def evaluate(
        self, public_key: None, prepared: Plain, request: bytes, count: int, source: RandomSource
    ) -> tuple[list[list[int]], bytes]:
        """The same shares, drawn in the same way, and the other party's as they are.

        Raises:
            InvalidPayloadError: an element of the request has more than l bits.
        """
        rows = _rows(request, self.logit_bits, count)
        shares, handle = super().evaluate(public_key, prepared, self._store(rows), count, source)
        width = self.logit_bits + self.guard_bits
        return shares, b"".join(elements_to_bytes(row, width) for row in self._load(handle, count, prepared[0].outputs))

    def decrypt(self, secret_key: None, operator: Operator, count: int, response: bytes) -> list[list[int]]:  # noqa: ARG002
        """The shares as they are.

        Raises:
            InvalidPayloadError: an element has more than l + h bits.
        """
        return _rows(response, self.logit_bits + self.guard_bits, count)


def _rows(data: bytes, width: int, count: int) -> list[list[int]]:
    elements = elements_from_bytes(data, width)
    length = len(elements) // count
    return [elements[start : start + length] for start in range(0, len(elements), length)]
