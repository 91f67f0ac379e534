"""Schemes and keys for tests, made once per parameter set: SEAL contexts and keys are the slow part."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from capc.foundation import guarded
from capc.foundation.randomness import Seed, XofSource
from capc.linear.bfv import BfvLinear
from capc.linear.bfv.keys import SecretKey
from capc.models.operators import Dense, Matrix, Operator, apply
from capc.session.widths import TWICE_ERROR_OF_REQUEST, ParameterSet

Rows = list[list[int]]

BINDING = b"what the answering party drew"


@dataclass
class Setting:
    """A scheme with one secret key and the public key for one peer, and shorthands for whole products."""

    widths: ParameterSet
    scheme: BfvLinear
    secret_key: SecretKey
    public_payload: bytes
    public_key: Any

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

    @property
    def most_weight(self) -> int:
        """The largest sum of magnitudes of a layer's weights that is admitted, in plain integers."""
        return self.scheme._context.modulus // (TWICE_ERROR_OF_REQUEST << self.widths.share_bits)

    def most_bits(self, operator: Operator) -> int:
        """The bits of the widest signed weights that this operator may have everywhere."""
        room = self.most_weight // (operator.rows * operator.columns)
        return min(self.widths.logit_bits, room.bit_length())

    def source(self, label: str) -> XofSource:
        """A reproducible source."""
        return XofSource(Seed(bytes(32)), label.encode())

    def prepare_dense(self, weights: Matrix) -> Any:
        """The weights of a fully connected layer."""
        return self.scheme.prepare(dense(weights), weights)

    def shares(
        self, operator: Operator, weights: Matrix, request: bytes, count: int, label: str = "response"
    ) -> tuple[Rows, Rows]:
        """Evaluates a request and decrypts the response: both parties' shares."""
        scheme, prepared = self.scheme, self.scheme.prepare(operator, weights)
        garbler, response = scheme.evaluate(self.public_key, prepared, request, count, self.source(label))
        assert len(response) == scheme.response_length(operator, count)
        return garbler, scheme.decrypt(self.secret_key, operator, count, response)

    def request(self, operator: Operator, vectors: Rows) -> bytes:
        """The encryption of a batch, of the stated length."""
        request = self.scheme.encrypt(self.secret_key, operator, vectors)
        assert len(request) == self.scheme.request_length(operator, len(vectors))
        return request

    def opened(self, garbler: Rows, evaluator: Rows) -> Rows:
        """What circuits make of both parties' shares."""
        widths = self.widths
        return [
            [
                guarded.opened(
                    guarded.evaluator_word(theirs, widths.guard_bits),
                    guarded.garbler_word(own, widths.logit_bits, widths.guard_bits),
                    widths.logit_bits,
                )
                for own, theirs in zip(*rows, strict=True)
            ]
            for rows in zip(garbler, evaluator, strict=True)
        ]

    def errors(self, garbler: Rows, evaluator: Rows, expected: Rows) -> list[int]:
        """v of each result: what both shares add up to, less 2^h times the result."""
        modulus, found = 1 << self.widths.share_bits, []
        for rows in zip(garbler, evaluator, expected, strict=True):
            for own, theirs, result in zip(*rows, strict=True):
                error = (own + theirs - (result << self.widths.guard_bits)) % modulus
                found.append(error - modulus if error >= modulus // 2 else error)
        return found

    def check(self, operator: Operator, weights: Matrix, vectors: Rows, label: str = "response") -> list[int]:
        """Holds a whole product against plain integers, and its errors within the public bound; gives the errors."""
        expected = [self.expected(weights, vector, operator) for vector in vectors]
        shares = self.shares(operator, weights, self.request(operator, vectors), len(vectors), label)
        for rows in shares:
            assert all(0 <= share < 1 << self.widths.share_bits for row in rows for share in row)
        assert self.opened(*shares) == expected
        errors = self.errors(*shares, expected)
        assert max(map(abs, errors)) <= self.widths.response_error
        return errors

    def expected(self, weights: Matrix, vector: list[int], operator: Operator | None = None) -> list[int]:
        """W x modulo 2^l in plain integers."""
        modulus = 1 << self.widths.logit_bits
        return [total % modulus for total in apply(operator or dense(weights), weights, vector)]


def dense(weights: Matrix) -> Dense:
    """The fully connected layer that weights fit."""
    return Dense(len(weights[0]), len(weights))


@cache
def _setting(widths: ParameterSet) -> Setting:
    return keyed(widths, BfvLinear(widths))


def keyed(widths: ParameterSet, scheme: BfvLinear) -> Setting:
    """A scheme with keys of its own."""
    secret_key = scheme.generate_secret_key()
    payload = scheme.public_key(secret_key, BINDING, XofSource(Seed(bytes(32)), b"public key"))
    return Setting(widths, scheme, secret_key, payload, scheme.read_public_key(payload, BINDING))


def altered(name: str, **fields: Any) -> Setting:
    """The setting of the named parameter set with some fields replaced."""
    return _setting(replace(ParameterSet.named(name), **fields))


def one_level() -> Setting:
    """A set with a single data prime: its modulus switch does nothing, so it hides nothing either."""
    return altered("toy", he_coefficient_bits=(60, 17))
