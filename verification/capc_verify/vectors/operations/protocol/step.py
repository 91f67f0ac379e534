"""How the operation of a step function is made, and what its vectors begin from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from capc.foundation.errors import InputError
from capc.foundation.parties import Party, Role
from capc.foundation.single_use import SingleUse
from capc.linear.ideal import IdealLinear
from capc.models.model import QuantisedModel, dense_model
from capc.session.envelope import HEADER
from capc.session.session import Session
from capc.steps.suite import Suite, reference_suite
from capc_verify.vectors.operation import NOTHING, Call, Fields, Operation, Part, Result
from capc_verify.vectors.operations.accounts import receipt_fields, receipt_from
from capc_verify.vectors.operations.protocol.sessions import session_from
from capc_verify.vectors.operations.shapes import layers_from
from capc_verify.vectors.values import COUNT, INTEGERS, many, record

Step = Callable[..., Any]
MODEL = record({"fraction_bits": COUNT, "layers": many(record({"weights": many(INTEGERS), "biases": INTEGERS}))})


@dataclass(frozen=True)
class Protocol:
    """The environment of a protocol test: the session, and the building blocks that all its roles share."""

    session: Session
    suite: Suite


def suite_of(session: Session) -> Suite:
    """Ideal linear layers and everything else real."""
    return reference_suite(
        session.parameters, IdealLinear(session.parameters.widths.logit_bits, session.parameters.widths.guard_bits)
    )


def protocol_from(params: Mapping[str, Any]) -> Protocol:
    """The session and its building blocks."""
    session = session_from(params["session"])
    return Protocol(session, suite_of(session))


def model_from(fields: Mapping[str, Any]) -> QuantisedModel:
    """The model that the fields of :data:`MODEL` state."""
    return dense_model(layers_from(fields["layers"]), fields["fraction_bits"])


def model_of(session: Session, me: Party, fields: Mapping[str, Any]) -> QuantisedModel:
    """The model of these layers, with the architecture that the session has for the party."""
    return QuantisedModel(session.architecture(me), layers_from(fields["layers"]), fields["fraction_bits"])


def model_fields(model: QuantisedModel) -> dict[str, Any]:
    """The fields of a model."""
    return {"fraction_bits": model.fraction_bits, "layers": [vars(layer) for layer in model.layers]}


def _same(value: Any, _: Call | None = None) -> Any:  # noqa: ANN401
    return value


def _acting(call: Call) -> Party:
    if call.party is None:
        raise InputError("a step without a party: a vector says who acts")
    return call.party


_READ: Mapping[str, Callable[[Any, Call], Any]] = {
    "model": lambda fields, call: model_of(call.environment.session, _acting(call), fields),
    "receipt": lambda fields, _: receipt_from(fields),
}
_WRITE: Mapping[str, Callable[[Any], Any]] = {"model": model_fields, "receipt": receipt_fields}
"""Inputs of steps that are objects in the code, and fields in a vector."""


def parts_of(made: object) -> Iterator[Any]:
    """What a step was called with or gave, states and all else side by side; a list of no states is one value."""
    if isinstance(made, tuple) or (isinstance(made, list) and isinstance(made[0], SingleUse)):
        for part in made:
            yield from parts_of(part)
    else:
        yield made


def fields_of(operation: Operation, given: tuple[object, ...]) -> dict[str, Any]:
    """The fields of a vector for the arguments that a step was called with."""
    inputs = (part for part in parts_of(given) if not isinstance(part, SingleUse | Session | Suite | Party))
    return {name: _WRITE.get(name, _same)(value) for name, value in zip(operation.takes, inputs, strict=False)}


def step(
    name: str,
    function: Step,
    part: Part,
    takes: Fields = NOTHING,
    gives: Fields = NOTHING,
    shows: Fields = NOTHING,
    tells: Callable[..., Mapping[str, Any]] = lambda *_: {},
    recalls: Callable[[Call], Mapping[str, Any]] = lambda _: {},
    gathers: int | None = None,
    calls: tuple[Step, ...] = (),
) -> Operation:
    """The operation of a step function.

    Args:
        name: of the operation, which stays when the function gets another.
        function: takes states, or where it begins from nothing the session, the suite and who acts; then the inputs.
        part: of the session.
        takes: its inputs, in its own order.
        gives: what counts: what ``tells`` finds, and the rest in the function's own order.
        shows: intermediate values, which ``tells`` finds.
        tells: finds values in what the function returns, states first.
        recalls: finds values in what it was called with.
        gathers: from which state on the function takes them as one sequence; None where each is an argument.
        calls: the step functions that it stands for, where the layer says which it is.
    """
    role = next(role for role in Role if name.startswith(role.value))

    def run(call: Call) -> Result:
        given: list[Any] = list(call.states)
        if gathers is not None:
            given[gathers:] = [given[gathers:]]
        elif not given:
            me = [call.party] if role is Role.ANSWERING_PARTY else []
            given = [call.environment.session, call.environment.suite, *me]
        made = list(parts_of(function(*given, *(_READ.get(key, _same)(call[key], call) for key in takes))))
        states = tuple(part for part in made if isinstance(part, SingleUse))
        values = (part for part in made if not isinstance(part, SingleUse))
        told = {**recalls(call), **tells(*made)}
        told |= zip((key for key in gives if key not in told), values, strict=False)
        return Result({key: told.get(key) for key in gives}, states, {key: told[key] for key in shows})

    return Operation(name, run, takes, gives, shows, role.value, calls or (function,), part)


def share_of_products(call: Call) -> dict[str, Any]:
    """What the querying party's response decrypts to."""
    layer_input, payload = call.states[0].layer_input, call["message"][HEADER.size :]
    linear, key = call.environment.suite.linear, layer_input.party.he_secret_key
    return {"share_of_products": linear.decrypt(key, layer_input.stage.operator, layer_input.batch.count, payload)}
