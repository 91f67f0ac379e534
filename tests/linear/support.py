"""Schemes and keys for tests, made once per parameter set: SEAL contexts and keys are the slow part."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from capc.foundation.randomness import Seed, XofSource
from capc.linear.bfv import BfvLinear
from capc.models.operators import Dense, Matrix, Operator, apply
from capc.session.parameters import ParameterSet

Rows = list[list[int]]


@dataclass
class Setting:
    """A scheme with one key pair, and shorthands for whole products."""

    widths: ParameterSet
    scheme: BfvLinear
    secret_key: object
    public_payload: bytes
    public_key: object

    def elements(self, count: int, label: str) -> list[int]:
        """Uniform elements of Z_{2^l}, the same for the same label."""
        source = self.source(label)
        return [source.bits(self.widths.logit_bits) for _ in range(count)]

    def rows(self, count: int, length: int, label: str) -> Rows:
        """Uniform elements of Z_{2^l} for each of several queries."""
        return [self.elements(length, f"{label}/{query}") for query in range(count)]

    def weights(self, operator: Operator, label: str, bits: int) -> Matrix:
        """Uniform signed weights of ``bits`` bits, the same for the same label."""
        source = self.source(label)
        half = 1 << (bits - 1)
        return tuple(tuple(source.bits(bits) - half for _ in range(operator.columns)) for _ in range(operator.rows))

    def source(self, label: str) -> XofSource:
        """A reproducible source."""
        return XofSource(Seed(bytes(32)), label.encode())

    def prepare_dense(self, weights: Matrix) -> Any:
        """The weights of a fully connected layer."""
        return self.scheme.prepare(dense(weights), weights)

    def run(
        self,
        weights: Matrix,
        vector: list[int],
        addend: list[int],
        label: str = "flooding",
        operator: Operator | None = None,
    ) -> list[int]:
        """One query of :meth:`run_batch`. Without an operator: a fully connected layer."""
        (result,) = self.run_batch(operator or dense(weights), weights, [vector], [addend], label)
        return result

    def run_batch(
        self, operator: Operator, weights: Matrix, vectors: Rows, addends: Rows, label: str = "flooding"
    ) -> Rows:
        """Encrypt, evaluate, decrypt; lengths are checked on the way."""
        request = self.scheme.encrypt(self.secret_key, operator, vectors)
        assert len(request) == self.scheme.request_length(operator, len(vectors))
        return self.results(operator, weights, request, addends, label)

    def results(self, operator: Operator, weights: Matrix, request: bytes, addends: Rows, label: str) -> Rows:
        """Evaluate a request, and decrypt the response."""
        scheme, count = self.scheme, len(addends)
        prepared = scheme.prepare(operator, weights)
        response = scheme.evaluate(self.public_key, prepared, request, addends, self.source(label))
        assert len(response) == scheme.response_length(operator, count)
        return scheme.decrypt(self.secret_key, operator, count, response)

    def check(self, operator: Operator, weights: Matrix, vectors: Rows, addends: Rows, label: str = "flooding") -> None:
        """Holds :meth:`run_batch` against plain integers."""
        queries = zip(vectors, addends, strict=True)
        expected = [self.expected(weights, *query, operator) for query in queries]
        assert self.run_batch(operator, weights, vectors, addends, label) == expected

    def expected(
        self, weights: Matrix, vector: list[int], addend: list[int], operator: Operator | None = None
    ) -> list[int]:
        """W x + addend modulo 2^l in plain integers."""
        modulus = 1 << self.widths.logit_bits
        totals = apply(operator or dense(weights), weights, vector)
        return [(total + added) % modulus for total, added in zip(totals, addend, strict=True)]


def dense(weights: Matrix) -> Dense:
    """The fully connected layer that weights fit."""
    return Dense(len(weights[0]), len(weights))


@cache
def _setting(widths: ParameterSet) -> Setting:
    scheme = BfvLinear(widths)
    secret_key, payload = scheme.generate_keys()
    return Setting(widths, scheme, secret_key, payload, scheme.read_public_key(payload))


def altered(name: str, **fields: Any) -> Setting:
    """The setting of the named parameter set with some fields replaced."""
    return _setting(replace(ParameterSet.named(name), **fields))


def one_level() -> Setting:
    """A set with a single data prime: its modulus switch does nothing, so it hides nothing either."""
    return altered("toy", he_coefficient_bits=(60, 17), he_flood_bits=44)
