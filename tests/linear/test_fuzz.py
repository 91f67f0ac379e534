"""Mutated payloads are refused by code, or read as a value of the right length and range: nothing else happens."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from numpy.typing import NDArray

from capc.foundation.errors import ErrorCode, InvalidPayloadError
from capc.models.operators import Convolution, Dense, Grid, Operator
from linear.mutations import mutated
from linear.support import BINDING, Setting, altered
from support.sizes import examples

MUTANTS = examples(ordinary=2000, nightly=100_000)
OPERATORS: dict[str, tuple[Operator, int]] = {
    "fully connected": (Dense(6, 3), 1),
    "fully connected, a batch": (Dense(6, 3), 5),
    "convolution": (Convolution(Grid(2, 6, 6, (3, 3), padding=(1, 1)), 2), 1),
    "convolution, a batch": (Convolution(Grid(2, 6, 6, (3, 3), padding=(1, 1)), 2), 3),
}
"""Operators and numbers of queries; a request and a response have one ciphertext each."""
KINDS = ("public key", "request", "response")


class Target:
    """One honest payload of each kind, and an independent account of what a well-formed one is."""

    def __init__(self, setting: Setting, operator: Operator, count: int) -> None:
        self.setting, self.operator, self.count, scheme = setting, operator, count, setting.scheme
        self.prepared = scheme.prepare(operator, setting.weights(operator, "weights", 8))
        request = scheme.encrypt(setting.secret_key, operator, setting.rows(count, operator.inputs, "vector"))
        context = scheme._context
        degree = context.degree
        self.honest = {"public key": setting.public_payload, "request": request, "response": self.respond(request)}
        self.layout = {
            "public key": [(prime, degree) for prime in context.data_primes],
            "request": [(prime, degree) for prime in context.data_primes],
            "response": [(prime, operator.outputs * count + degree) for prime in context.response_primes],
        }

    def respond(self, request: bytes, public_key: object | None = None) -> bytes:
        key = self.setting.public_key if public_key is None else public_key
        return self.setting.scheme.evaluate(key, self.prepared, request, self.count, self.setting.source("response"))[1]

    def read(self, kind: str, payload: bytes) -> None:
        """Reads the payload as its receiver does, and uses what it gives."""
        scheme, secret_key = self.setting.scheme, self.setting.secret_key
        if kind == "response":
            rows = scheme.decrypt(secret_key, self.operator, self.count, payload)
            assert len(rows) == self.count
            for values in rows:
                assert len(values) == self.operator.outputs
                assert 0 <= min(values) <= max(values) < 1 << self.setting.widths.share_bits
            return
        if kind == "request":
            response = self.respond(payload)
        else:
            response = self.respond(self.honest["request"], scheme.read_public_key(payload, BINDING))
        assert len(response) == scheme.response_length(self.operator, self.count)
        self.read("response", response)

    def flaw(self, kind: str, payload: bytes) -> ErrorCode | None:
        """Why the payload must be refused, by its layout alone."""
        if len(payload) != len(self.honest[kind]):
            return ErrorCode.MALFORMED_LENGTH
        position = 0
        for prime, count in self.layout[kind]:
            width = math.ceil(prime.bit_length() / 8)
            rows: NDArray[np.uint8] = np.frombuffer(payload, np.uint8, count * width, position).reshape(count, width)
            values = rows.astype(np.uint64) @ (np.uint64(1) << (np.arange(width, dtype=np.uint64) * np.uint64(8)))
            if (values >= prime).any():
                return ErrorCode.VALUE_OUT_OF_RANGE
            position += count * width
        return None


@pytest.mark.slow
@pytest.mark.req("CAPC-HE-005")
@pytest.mark.parametrize("operator", OPERATORS)
def test_mutants_are_refused_exactly_when_their_layout_is_flawed(operator: str) -> None:
    target = Target(altered("toy"), *OPERATORS[operator])
    source = target.setting.source(f"fuzz {operator}")
    seen: Counter[ErrorCode | None] = Counter()
    for number in range(MUTANTS // len(OPERATORS)):
        kind = KINDS[number % len(KINDS)]
        payload = mutated(source, target.honest[kind])
        flaw = target.flaw(kind, payload)
        seen[flaw] += 1
        if flaw is None:
            target.read(kind, payload)
            continue
        with pytest.raises(InvalidPayloadError) as caught:
            target.read(kind, payload)
        assert caught.value.code is flaw
    # All three outcomes are exercised, each by more than a twentieth of the mutants.
    for outcome in (None, ErrorCode.MALFORMED_LENGTH, ErrorCode.VALUE_OUT_OF_RANGE):
        assert seen[outcome] > MUTANTS // len(OPERATORS) // 20
