"""One linear operator between two parties, for benchmarks."""

from __future__ import annotations

from dataclasses import dataclass

from capc.foundation import ring
from capc.foundation.randomness import XofSource, fresh_seed
from capc.linear.bfv import BfvLinear
from capc.models.operators import Matrix, Operator
from capc.session.widths import ParameterSet

WEIGHT_BITS = 14
BINDING = b"bench"


@dataclass
class Layer:
    """A batch of queries to an operator between two parties, with every message that a benchmark may start from."""

    scheme: BfvLinear
    operator: Operator
    weights: Matrix
    vectors: list[list[int]]

    def __post_init__(self) -> None:
        self.secret_key = self.scheme.generate_secret_key()
        payload = self.scheme.public_key(self.secret_key, BINDING, XofSource(fresh_seed(), b"bench"))
        self.public_key = self.scheme.read_public_key(payload, BINDING)
        self.prepared = self.scheme.prepare(self.operator, self.weights)
        self.request = self.encrypt()
        self.response = self.evaluate()

    @classmethod
    def random(cls, scheme: BfvLinear, operator: Operator, widths: ParameterSet, count: int = 1) -> Layer:
        """Uniform shares for a batch of queries, and weights of 14 bits."""
        source = XofSource(fresh_seed(), b"layer")
        half = 1 << (WEIGHT_BITS - 1)
        rows = [[w - half for w in ring.uniform(source, operator.columns, WEIGHT_BITS)] for _ in range(operator.rows)]
        return cls(
            scheme=scheme,
            operator=operator,
            weights=tuple(map(tuple, rows)),
            vectors=[ring.uniform(source, operator.inputs, widths.logit_bits) for _ in range(count)],
        )

    def encrypt(self) -> bytes:
        """The querying party's request."""
        return self.scheme.encrypt(self.secret_key, self.operator, self.vectors)

    def evaluate(self) -> bytes:
        """The answering party's response; its shares are left out."""
        source = XofSource(fresh_seed(), b"bench")
        return self.scheme.evaluate(self.public_key, self.prepared, self.request, len(self.vectors), source)[1]

    def multiply(self) -> list[list[int]]:
        """The answering party's own part."""
        return self.scheme.multiply(self.prepared, self.vectors)

    def decrypt(self) -> list[list[int]]:
        """The querying party's shares."""
        return self.scheme.decrypt(self.secret_key, self.operator, len(self.vectors), self.response)

    def query(self) -> list[list[int]]:
        """Request, response and shares, all made anew."""
        self.request = self.encrypt()
        self.response = self.evaluate()
        return self.decrypt()
