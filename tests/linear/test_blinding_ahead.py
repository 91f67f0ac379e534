"""Blinding that is prepared ahead: it serves exactly one response, of its operator."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable

import pytest

from capc.foundation.errors import InputError, InvalidPayloadError, ParameterError, StateReuseError
from capc.linear.bfv.blinding import Blinding
from capc.models.operators import Convolution, Dense, Grid, Operator
from linear.support import Setting, altered

OPERATORS = [Dense(64, 32), Dense(5000, 90), Convolution(Grid(3, 16, 16, (3, 3), padding=(1, 1)), 9)]
DENSE = OPERATORS[0]


class Query:
    """One operator with weights, a request, and an addend."""

    def __init__(self, setting: Setting, operator: Operator) -> None:
        self.setting, self.operator = setting, operator
        self.weights = setting.weights(operator, "weights", 10)
        self.prepared = setting.scheme.prepare(operator, self.weights)
        self.vector = setting.elements(operator.inputs, "vector")
        self.addend = setting.elements(operator.outputs, "addend")
        self.request = setting.scheme.encrypt(setting.secret_key, operator, [self.vector])

    def blinding(self) -> Blinding:
        made = self.setting.scheme.prepare_blinding(
            self.setting.public_key, self.operator, 1, self.setting.source("flooding")
        )
        assert isinstance(made, Blinding)
        return made

    def evaluate(self, blinding: object, request: bytes | None = None) -> bytes:
        request = self.request if request is None else request
        return self.setting.scheme.evaluate_blinded(blinding, self.prepared, request, [self.addend])


@pytest.mark.slow
@pytest.mark.req("CAPC-HE-001", "CAPC-HE-002")
@pytest.mark.parametrize("operator", OPERATORS)
def test_blinding_made_ahead_gives_the_same_exact_result(operator: Operator) -> None:
    query = Query(altered("test"), operator)
    response = query.evaluate(query.blinding())
    (result,) = query.setting.scheme.decrypt(query.setting.secret_key, operator, 1, response)
    assert result == query.setting.expected(query.weights, query.vector, query.addend, operator)


@pytest.mark.req("CAPC-HE-002", "CAPC-HE-012")
def test_a_second_use_is_refused_and_a_refused_request_costs_nothing() -> None:
    query = Query(altered("toy"), DENSE)
    blinding = query.blinding()
    with pytest.raises(InvalidPayloadError):
        query.evaluate(blinding, query.request[:-1])
    with pytest.raises(InvalidPayloadError):
        query.evaluate(blinding, b"\xff" * len(query.request))
    query.evaluate(blinding)
    for _ in range(2):
        with pytest.raises(StateReuseError, match="one for each response"):
            query.evaluate(blinding)


@pytest.mark.req("CAPC-HE-002", "CAPC-HE-012")
@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, pickle.dumps])
def test_a_blinding_cannot_be_duplicated(duplicate: Callable[[object], object]) -> None:
    blinding = Query(altered("toy"), DENSE).blinding()
    with pytest.raises(InputError, match="cannot be copied"):
        duplicate(blinding)


@pytest.mark.req("CAPC-HE-003")
def test_a_blinding_of_another_operator_or_of_other_parameters_is_refused() -> None:
    query = Query(altered("toy"), DENSE)
    with pytest.raises(InputError, match=r"a blinding for \(Dense"):
        query.evaluate(Query(query.setting, Dense(64, 31)).blinding())
    with pytest.raises(ParameterError, match="other parameters"):
        query.evaluate(Query(altered("test"), DENSE).blinding())
    with pytest.raises(InputError, match="bytes where a Blinding"):
        query.evaluate(b"")


@pytest.mark.slow
@pytest.mark.req("CAPC-HE-001", "CAPC-HE-002", "CAPC-HE-012")
@pytest.mark.parametrize("operator", OPERATORS)
def test_a_batch_is_blinded_ahead_for_its_number_of_queries(operator: Operator) -> None:
    setting, count = altered("toy"), 9
    scheme, weights = setting.scheme, setting.weights(operator, "weights", 10)
    prepared = scheme.prepare(operator, weights)
    vectors, addends = setting.rows(count, operator.inputs, "x"), setting.rows(count, operator.outputs, "a")
    request = scheme.encrypt(setting.secret_key, operator, vectors)
    other = scheme.prepare_blinding(setting.public_key, operator, count + 1, setting.source("f"))
    with pytest.raises(InputError, match=r"10.*used for.*9"):
        scheme.evaluate_blinded(other, prepared, request, addends)
    blinding = scheme.prepare_blinding(setting.public_key, operator, count, setting.source("f"))
    response = scheme.evaluate_blinded(blinding, prepared, request, addends)
    results = scheme.decrypt(setting.secret_key, operator, count, response)
    expected = [
        setting.expected(weights, vector, addend, operator) for vector, addend in zip(vectors, addends, strict=True)
    ]
    assert results == expected
    with pytest.raises(StateReuseError):
        scheme.evaluate_blinded(blinding, prepared, request, addends)


def test_a_blinding_shows_nothing() -> None:
    blinding = Query(altered("toy"), Dense(2, 1)).blinding()
    assert repr(blinding) == "Blinding(Dense(inputs=2, outputs=1), 1, <secret>)"
