"""``python -m capc_verify.port``: the reference as a port, which ``capc conformance`` can judge.

One JSON object on a line of standard input is a request, one on a line of standard output its reply. docs/porting.md
says what they hold. Nothing else is written to standard output.
"""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, BinaryIO

from capc.foundation.environment import installed_version
from capc.foundation.errors import InputError
from capc.session.parameters import SPEC_VERSION
from capc_verify.vectors.figures import asked
from capc_verify.vectors.operation import GroupType
from capc_verify.vectors.operations.protocol.fed_circuits import FedTwoParty
from capc_verify.vectors.operations.protocol.feed import SUPPORTED, Feed
from capc_verify.vectors.operations.protocol.feeding import FedLinear, fed
from capc_verify.vectors.operations.protocol.step import Protocol
from capc_verify.vectors.registry import GROUP_TYPES
from capc_verify.vectors.replay import Run
from capc_verify.vectors.values import Json

Answer = Callable[[Json], Json]
"""From a request to the outcome that its reply holds beside the id."""

_TYPES: Mapping[str, GroupType] = {
    name: replace(kind, operations={op: asked(operation) for op, operation in kind.operations.items()})
    for name, kind in GROUP_TYPES.items()
}


class Port:
    """The reference, asked one request after another.

    Args:
        linear: what stands for F_linear, and may be fed by an oracle.
        circuits: what stands for two-party computation, likewise.
    """

    def __init__(self, linear: type[FedLinear] = FedLinear, circuits: type[FedTwoParty] = FedTwoParty) -> None:
        self._feed = Feed()
        self._blocks = linear, circuits
        self._run: Run | None = None
        self._kept: dict[str, Run] = {}

    def answer(self, request: Json) -> Json:
        """The outcome of a request: exactly one of ``out``, ``error``, ``skipped`` and ``errored``."""
        if request["request"] == "run":
            return self._perform(request)
        if request["request"] == "reset":
            return self._reset(request)
        described = {
            "name": "reference",
            "language": "Python",
            "version": installed_version("capc") or "unknown",
            "spec_version": SPEC_VERSION,
            "snapshots": True,
            "codes": {},
            "oracles": list(SUPPORTED),
        }
        return {"out": described if request["request"] == "start" else {}}

    def _perform(self, request: Json) -> Json:
        if request["group"] not in _TYPES:
            return {"skipped": f"group type {request['group']!r} is unknown"}
        if self._run is None:
            self._run = Run(self._fed(_TYPES[request["group"]]), request["params"], {})
        self._feed.fill(request.get("oracle", {}))
        found, _ = self._run.perform(request)
        return found

    def _fed(self, kind: GroupType) -> GroupType:
        """A type of groups whose environment takes what an oracle gives."""

        def prepare(params: Mapping[str, Any]) -> object:
            made = kind.prepare(params)
            return fed(made, self._feed, *self._blocks) if isinstance(made, Protocol) else made

        return replace(kind, prepare=prepare)

    def _reset(self, request: Json) -> Json:
        if request["keep"] is not None:
            if self._run is None:
                return {"errored": "there are no states to keep"}
            self._kept[request["keep"]] = self._run
        if request["forget"]:
            self._kept.clear()
        self._run = None if request["to"] is None else self._kept[request["to"]].fork()
        return {"out": {}}


def serve(answer: Answer, requests: Iterable[bytes], replies: BinaryIO) -> None:
    """Replies to every request, one a line, until ``stop``.

    Args:
        answer: what does the work. A mistake of the request is told as ``errored``, as is a fault of the code, whose
            traceback goes to standard error.
        requests: lines.
        replies: where the lines of the replies go.
    """
    for line in requests:
        request = json.loads(line)
        try:
            outcome = answer(request)
        except InputError as error:
            outcome = {"errored": str(error)}
        except Exception as error:  # noqa: BLE001  # whatever is wrong here, the judge is told, and goes on
            traceback.print_exc()
            outcome = {"errored": f"{type(error).__name__}: {error}"}
        replies.write(json.dumps({"id": request["id"], **outcome}).encode("ascii") + b"\n")
        replies.flush()
        if request["request"] == "stop":
            return


if __name__ == "__main__":
    serve(Port().answer, sys.stdin.buffer, sys.stdout.buffer)
