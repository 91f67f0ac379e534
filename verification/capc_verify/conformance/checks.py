"""Holds one reply of a port to what a vector expects, and to the schemas."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction

from capc.foundation.errors import InputError
from capc_verify.conformance.difference import Difference, compare, drawn, input_schema, output_schema
from capc_verify.conformance.levels import Group, schema
from capc_verify.conformance.wire import Reply, ReplyKind, figure_of, is_figure, is_offer
from capc_verify.vectors.figures import FIGURE, HIGHEST, LOWEST
from capc_verify.vectors.operation import Call
from capc_verify.vectors.values import Json

_NUMBER = re.compile(r"^(0|[1-9][0-9]*)(/[1-9][0-9]*|(\.[0-9]+)?([eE][+-]?[0-9]{1,4})?)$")


def difference_of(
    group: Group, step: Json, inputs: Json, expected: Json, reply: Reply, codes: Mapping[str, str]
) -> Difference | None:
    """Where a reply first differs from what is expected; None if nowhere.

    Args:
        group: the group of the vector.
        step: the operation.
        inputs: its inputs, resolved.
        expected: its ``expect``, resolved.
        reply: an ``out`` or an ``error``.
        codes: the port's own code for some of the specification's.
    """
    if "error" in expected:
        wanted = expected["error"] | {"code": codes.get(expected["error"]["code"], expected["error"]["code"])}
        if reply.kind is not ReplyKind.ERROR:
            return Difference("error", "missing: the port gave a result", _told(wanted))
        return _of_error(reply.value, wanted)
    if reply.kind is ReplyKind.ERROR:
        return Difference("out", f"missing: the port gave the error {_told(reply.value)}", "a result")
    if is_figure(step):
        return _of_figure(reply.value, inputs)
    if is_offer(step):
        return _of_offer(group, step, inputs, reply.value)
    return _of_result(group, step, inputs, expected, reply)


def _of_result(group: Group, step: Json, inputs: Json, expected: Json, reply: Reply) -> Difference | None:
    """Holds outputs to the expected ones; of others, says what they were drawn from and what differed before them."""
    shapes = output_schema(group.stem, group.document["type"], step["op"])
    found = compare(expected["out"], reply.value, shapes["out"], "out")
    if found is None:
        return None
    found = replace(found, **drawn(step, inputs, found.field))
    shown = {name: value for name, value in expected.get("intermediate", {}).items() if name in reply.intermediate}
    given = {name: reply.intermediate[name] for name in shown}
    earlier = compare(shown, given, shapes.get("intermediate", {}), "intermediate")
    return replace(found, expected=f"{found.expected}; before that, {earlier}") if earlier else found


def _of_error(found: Json, expected: Json) -> Difference | None:
    for name in ("code", "blame", "party_index"):
        if found[name] != expected[name]:
            return Difference(f"error.{name}", str(found[name])[:100], str(expected[name]))
    return None


def _told(error: Json) -> str:
    return f"{str(error['code'])[:100]}, blame {str(error['blame'])[:100]} {error['party_index']}"


def _of_figure(out: Json, inputs: Json) -> Difference | None:
    """Holds a figure, or each of several, to its bounds."""
    given, several = figure_of(out), isinstance(inputs[LOWEST], list)
    figures = given if several and isinstance(given, list) else [given]
    lows, highs = (value if several else [value] for value in (inputs[LOWEST], inputs[HIGHEST]))
    for index, text in enumerate(figures):
        if not isinstance(text, str) or not _NUMBER.match(text):
            return Difference(f"out.{FIGURE}", str(text)[:100], "a number as text: 3/7, or 0.25, or 2.5e-9")
        field = f"out.{FIGURE}[{index}]" if several else f"out.{FIGURE}"
        inside = index >= len(lows) or Fraction(lows[index]) <= Fraction(text) <= Fraction(highs[index])
        if not inside:
            return Difference(field, text, f"from {lows[index]} to {highs[index]}")
    if len(figures) != len(lows):
        return Difference(f"out.{FIGURE}", f"{len(figures)} figures", f"{len(lows)} figures")
    return None


def opens_results(group: Group) -> bool:
    """Whether a chosen vector asks for a result that is opened here."""
    tests = (test for test in group.document["tests"] if test["name"] in group.chosen)
    return any(is_offer(step) for test in tests for step in test["operations"])


def _of_offer(group: Group, step: Json, inputs: Json, out: Json) -> Difference | None:
    """Looks at a result that is not determined, such as a ciphertext, which is opened here."""
    # What opens it needs the HE library; no other vector does.
    from capc_verify.vectors.registry import GROUP_TYPES  # noqa: PLC0415
    from capc_verify.vectors.replay import read_fields  # noqa: PLC0415

    kind = GROUP_TYPES[group.document["type"]]
    operation = kind.operations[step["op"]]
    offer = operation.offer
    if offer is None:
        raise InputError(f"{group.stem}: {step['op']} states no result, and nothing looks at one")
    if set(out) != set(offer.gives):
        return Difference("out", f"an object with {', '.join(sorted(out)) or 'nothing'}", ", ".join(offer.gives))
    try:
        given = {name: offer.gives[name].read(out[name]) for name in offer.gives}
    except (TypeError, ValueError) as error:
        return Difference("out", f"unreadable: {error}"[:200], "values as capc_spec writes them")
    environment = kind.prepare(read_fields(kind.params, group.document["params"]))
    call = Call(environment, read_fields(operation.takes, inputs), (), None)
    problem = offer.problem(call, given)
    return Difference("out", problem, "what the vector's description says") if problem else None


def check_input(group: Group, step: Json, inputs: Json) -> None:
    """Holds the inputs of an operation to the schema, before they are sent.

    Raises:
        InputError: they break it: the vectors that are installed are not those of their schemas.
    """
    problem = _breach(group.stem, input_schema(group.stem, group.document["type"], step["op"]), inputs)
    if problem:
        raise InputError(f"{group.stem}: {step['op']}: in: {problem}; run `capc-vectors check`")


def check_output(group: Group, step: Json, reply: Reply) -> str | None:
    """What the schema says against a result; of errors, figures and offers the comparison has said everything."""
    if reply.kind is ReplyKind.ERROR or is_figure(step) or is_offer(step):
        return None
    shapes = output_schema(group.stem, group.document["type"], step["op"])
    problem = _breach(group.stem, shapes["out"], reply.value)
    if problem is None and reply.intermediate:
        problem = _breach(group.stem, shapes.get("intermediate", {"additionalProperties": False}), reply.intermediate)
    return f"against the schema: {problem}" if problem else None


def _breach(stem: str, shape: Json, value: Json) -> str | None:
    from jsonschema import Draft202012Validator  # noqa: PLC0415  # of the extra `verify`, and only for --validate-io

    errors = Draft202012Validator({**shape, "$defs": schema(stem)["$defs"]}).iter_errors(value)
    error = next(errors, None)
    if error is None:
        return None
    place = "/".join(map(str, error.absolute_path))
    return f"{place or 'the object'}: {error.message[:200]}"
