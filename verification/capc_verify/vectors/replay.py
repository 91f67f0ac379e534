"""Runs the operations of a vector through the shipped code, and compares what they give with what is expected."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from capc.foundation.errors import CapcError, InputError
from capc.foundation.parties import Party, Role
from capc.foundation.single_use import SpentMark
from capc_verify.vectors.operation import Call, Fault, GroupType, Operation
from capc_verify.vectors.values import Json, Kind, resolve


class VectorMismatchError(CapcError):
    """The code does not give what a vector expects. The message names the place; vectors hold no secrets."""


class Run:
    """One test in progress: its environment, and the states that operations left under their handles.

    Args:
        group_type: what the group's parameters mean.
        params: the group's parameters, as JSON.
        blobs: the group's blobs, which may grow while vectors are generated.
    """

    def __init__(self, group_type: GroupType, params: Json, blobs: Mapping[str, str]) -> None:
        self._type = group_type
        self._blobs = blobs
        self._environment = group_type.prepare(read_fields(group_type.params, params))
        self._states: dict[str, object] = {}

    def fork(self) -> Run:
        """A copy that shares no state with this run."""
        twin = copy.copy(self)
        # Copies of a state share its mark; a test that goes on from another's state needs one of its own.
        marks = {id(mark): SpentMark() for mark in _unspent_marks(self._states.values())}
        twin._environment, twin._states = copy.deepcopy((self._environment, self._states), marks)
        return twin

    def perform(self, step: Json) -> tuple[Json, dict[str, Any]]:
        """Performs an operation.

        Args:
            step: the operation as the vector holds it; ``expect`` is not looked at.

        Returns:
            what ``expect`` would have to hold, with all bytes in full; and the outputs and intermediate values as
            Python values.

        Raises:
            InputError: the operation, a handle or a blob is unknown.
        """
        operation = self._operation(step["op"])
        fields = read_fields(operation.takes, resolve(step["in"], self._blobs))
        states = [self._state(handle) for handle in step.get("state_in", [])]
        party = Party(Role(step["role"]), step["party_index"]) if "role" in step else None
        try:
            result = operation.run(Call(self._environment, fields, states, party))
        except CapcError as error:
            return {"error": Fault.of_error(error).to_json()}, {}
        handles = step.get("state_out", [])
        if len(handles) != len(result.states):
            raise InputError(f"{operation.name} leaves {len(result.states)} states and the vector names {len(handles)}")
        self._states.update(zip(handles, result.states, strict=True))
        found: Json = {"out": write_fields(operation.gives, result.out)}
        if operation.shows:
            found["intermediate"] = write_fields(operation.shows, result.intermediate)
        return found, {**result.out, **result.intermediate}

    def _operation(self, name: str) -> Operation:
        if name not in self._type.operations:
            raise InputError(f"operation {name!r} does not exist in groups of type {self._type.name}")
        return self._type.operations[name]

    def _state(self, handle: str) -> object:
        if handle not in self._states:
            raise InputError(f"no operation of this test left a state {handle!r}")
        return self._states[handle]


def _unspent_marks(values: Iterable[object]) -> Iterator[SpentMark]:
    """The marks of all states in states, and in the plain containers and objects that states hold."""
    seen: set[int] = set()
    waiting = list(values)
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, SpentMark):
            if not value.spent:
                yield value
        elif isinstance(value, Mapping):
            waiting += value.values()
        elif isinstance(value, list | tuple | set | frozenset):
            waiting += value
        elif hasattr(value, "__dict__") and not isinstance(value, type):
            waiting += vars(value).values()


class Replayer:
    """Replays the tests of one group. Operations that several tests share are performed once and copied."""

    def __init__(self, group_type: GroupType, group: Json) -> None:
        self._type = group_type
        self._group = group
        self._tests = {test["name"]: test for test in group["tests"]}
        self._prepared: dict[tuple[str, int], Run] = {}

    def replay(self, name: str) -> None:
        """Performs a test's operations.

        Raises:
            VectorMismatchError: an operation gives something else than the vector expects.
        """
        test = self._tests[name]
        run = self.start(test["prelude"])
        for number, step in enumerate(test["operations"]):
            self._compare(run, step, f"{name}, operation {number} ({step['op']})")

    def start(self, prelude: Json) -> Run:
        """A run in which the operations of a prelude were performed."""
        if prelude is None:
            return Run(self._type, self._group["params"], self._group["blobs"])
        name, count = prelude["test"], prelude["operations"]
        if (name, count) not in self._prepared:
            run = self.start({"test": name, "operations": count - 1} if count > 1 else self._tests[name]["prelude"])
            step = self._tests[name]["operations"][count - 1]
            self._compare(run, step, f"{name}, operation {count - 1} ({step['op']})")
            self._prepared[name, count] = run
        return self._prepared[name, count].fork()

    def _compare(self, run: Run, step: Json, place: str) -> None:
        found, _ = run.perform(step)
        expected = resolve(step["expect"], self._group["blobs"])
        difference = first_difference(expected, found)
        if difference:
            raise VectorMismatchError(f"{place}: {difference}")


def read_fields(kinds: Mapping[str, Kind], values: Json) -> dict[str, Any]:
    """The fields, read.

    Raises:
        InputError: a field is missing, or is not one of these.
    """
    if set(values) != set(kinds):
        raise InputError(f"fields {sorted(values)} where {sorted(kinds)} are needed")
    return {name: kind.read(values[name]) for name, kind in kinds.items()}


def write_fields(kinds: Mapping[str, Kind], values: Mapping[str, Any]) -> Json:
    """The fields as JSON."""
    return {name: kind.write(values[name]) for name, kind in kinds.items()}


def first_difference(expected: Json, found: Json, place: str = "expect") -> str | None:
    """The first place at which a result differs from what is expected, in words; None if there is none."""
    if isinstance(expected, dict) and isinstance(found, str) and set(expected) == {"sha256", "length"}:
        found = digest_of(found)
    if isinstance(expected, dict) and isinstance(found, dict) and expected.keys() == found.keys():
        return _first(first_difference(expected[key], found[key], f"{place}.{key}") for key in expected)
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        pairs = enumerate(zip(expected, found, strict=True))
        return _first(first_difference(left, right, f"{place}[{index}]") for index, (left, right) in pairs)
    if type(expected) is type(found) and expected == found:
        return None
    return f"{place} is {_short(found)}, expected {_short(expected)}"


def digest_of(data: str) -> Json:
    """What stands for long bytes of which only the hash is written down; ``data`` is hex."""
    raw = bytes.fromhex(data)
    return {"sha256": hashlib.sha256(raw).hexdigest(), "length": len(raw)}


def _first(differences: Any) -> str | None:  # noqa: ANN401
    return next((difference for difference in differences if difference), None)


def _short(value: Json) -> str:
    text = str(value)
    return text if len(text) <= 100 else f"{text[:100]}... ({len(text)} characters)"


def group_replayers(types: Mapping[str, GroupType], groups: Sequence[Json]) -> list[Replayer]:
    """One replayer per group.

    Raises:
        InputError: a group's type is unknown.
    """
    for group in groups:
        if group["type"] not in types:
            raise InputError(f"group type {group['type']!r} is unknown")
    return [Replayer(types[group["type"]], group) for group in groups]
