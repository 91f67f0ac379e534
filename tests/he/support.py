"""Schemes and keys for tests, made once per parameter set: SEAL contexts and keys are the slow part."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from capc.he import BfvLinear
from capc.linear import LayerShape, Matrix
from capc.parameters import ParameterSet
from capc.randomness import Seed, XofSource


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

    def weights(self, shape: LayerShape, label: str, bits: int) -> Matrix:
        """Uniform signed weights of ``bits`` bits, the same for the same label."""
        source = self.source(label)
        half = 1 << (bits - 1)
        return tuple(tuple(source.bits(bits) - half for _ in range(shape.inputs)) for _ in range(shape.outputs))

    def source(self, label: str) -> XofSource:
        """A reproducible source."""
        return XofSource(Seed(bytes(32)), label.encode())

    def run(self, weights: Matrix, vector: list[int], addend: list[int], label: str = "flooding") -> list[int]:
        """Encrypt, evaluate, decrypt; lengths are checked on the way."""
        scheme, shape = self.scheme, LayerShape(len(weights[0]), len(weights))
        request = scheme.encrypt(self.secret_key, shape, vector)
        assert len(request) == scheme.request_length(shape)
        response = scheme.evaluate(self.public_key, scheme.prepare(weights), request, addend, self.source(label))
        assert len(response) == scheme.response_length(shape)
        return scheme.decrypt(self.secret_key, shape, response)

    def expected(self, weights: Matrix, vector: list[int], addend: list[int]) -> list[int]:
        """W x + addend modulo 2^l in plain integers."""
        modulus = 1 << self.widths.logit_bits
        results = []
        for row, added in zip(weights, addend, strict=True):
            total = added
            for weight, value in zip(row, vector, strict=True):
                total += weight * value
            results.append(total % modulus)
        return results


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
