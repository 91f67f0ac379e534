"""What goes over the pipes: requests to a port, and its replies, one JSON object a line.

Spec: CAPC-VEC-002.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from capc_verify.vectors.figures import FIGURE, HIGHEST, HOLDS, LOWEST, question
from capc_verify.vectors.values import Json

PROTOCOL = 1
"""The version of this exchange."""


class ReplyKind(StrEnum):
    """What a reply holds beside its id: exactly one of these."""

    OUT = "out"
    ERROR = "error"
    SKIPPED = "skipped"
    ERRORED = "errored"


@dataclass(frozen=True)
class Reply:
    """A reply.

    Attributes:
        kind: what was replied.
        value: of ``out`` an object, of ``error`` code and blame, of the others a line for people.
        intermediate: values on the way, if the port showed any.
    """

    kind: ReplyKind
    value: Any
    intermediate: Mapping[str, Any] = field(default_factory=dict)


class JunkError(Exception):
    """A line that is no reply to the request; the text says why."""


def request_line(number: int, request: str, **fields: Json) -> bytes:
    """The line of a request."""
    return json.dumps({"id": number, "request": request, **fields}).encode("ascii") + b"\n"


def run_fields(group: Json, step: Json, inputs: Json, oracle: Json) -> dict[str, Json]:
    """What a request to perform an operation holds.

    Args:
        group: the group of vectors.
        step: the operation, as the vector holds it.
        inputs: its inputs, with every blob and edit resolved.
        oracle: what oracles give with it; the request has the key only if there is something.
    """
    role = {name: step[name] for name in ("role", "party_index") if name in step}
    states = {name: step.get(name, []) for name in ("state_in", "state_out")}
    helped = {"oracle": oracle} if oracle else {}
    asked = question(inputs) if {LOWEST, HIGHEST} <= set(inputs) else inputs
    return {"group": group["type"], "params": group["params"], "op": step["op"], **role, "in": asked, **states} | helped


def is_figure(step: Json) -> bool:
    """Whether an operation asks for a figure, whose bounds the judge keeps."""
    return {LOWEST, HIGHEST} <= set(step["in"])


def is_offer(step: Json) -> bool:
    """Whether an operation asks for a result that is not determined, and that the judge looks at."""
    return set(step["expect"].get("out", ())) == {HOLDS}


def read_reply(line: bytes, number: int, earlier: Mapping[int, str]) -> Reply:
    """The reply in a line.

    Args:
        line: what the port wrote.
        number: the id of the request.
        earlier: what ids of earlier requests asked for.

    Raises:
        JunkError: the line is none.
    """
    try:
        reply = json.loads(line, object_pairs_hook=_closed, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise JunkError(f"a line that is no JSON ({error}): {_shown(line)}") from None
    if not isinstance(reply, dict) or type(reply.get("id")) is not int:
        raise JunkError(f"a line that is no object with an id: {_shown(line)}")
    if reply["id"] != number:
        known = earlier.get(reply["id"])
        raise JunkError(
            f"a second or late reply to request {reply['id']} ({known}) where one to {number} is due"
            if known
            else f"a reply with id {reply['id']}, which no request has, where one to {number} is due"
        )
    kinds = [kind for kind in ReplyKind if kind in reply]
    others = set(reply) - {"id", *kinds, *(["intermediate"] if kinds == [ReplyKind.OUT] else [])}
    if len(kinds) != 1 or others:
        raise JunkError(
            f"a reply needs exactly one of {', '.join(ReplyKind)}; this one has {_names(set(reply) - {'id'})}"
        )
    return _checked(Reply(kinds[0], reply[kinds[0]], reply.get("intermediate", {})))


def _checked(reply: Reply) -> Reply:
    value: Any = reply.value
    shapes: Mapping[ReplyKind, type] = {ReplyKind.OUT: dict, ReplyKind.ERROR: dict}
    if not isinstance(reply.value, shapes.get(reply.kind, str)) or not isinstance(reply.intermediate, dict):
        needed = "an object" if reply.kind in shapes else "a line of text"
        raise JunkError(f"{reply.kind} must be {needed}")
    if reply.kind is ReplyKind.ERROR:
        wanted: dict[str, type] = {"code": str, "blame": str, "party_index": int}
        if set(value) != set(wanted) or any(type(value[name]) is not wanted[name] for name in wanted):
            raise JunkError(f"an error needs code, blame and party_index; this one has {_names(value)}")
    return reply


def figure_of(out: Json) -> Json:
    """What stands for the figure in a reply; None if there is none."""
    return out[FIGURE] if set(out) == {FIGURE} else None


def _closed(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return dict(pairs)


def _no_constant(text: str) -> Json:
    raise ValueError(f"{text} is no number of JSON")


def _names(keys: Mapping[str, Any] | set[str]) -> str:
    return ", ".join(sorted(str(key)[:40] for key in keys)[:8]) or "nothing"


def _shown(line: bytes) -> str:
    return repr(line[:80].decode("utf-8", "replace")) + (f"... ({len(line)} bytes)" if len(line) > 80 else "")
