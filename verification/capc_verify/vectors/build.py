"""Builds vector files: every operation is performed as it is written down, and faults must be the declared ones."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from capc.foundation.errors import CapcError
from capc.foundation.parties import Party
from capc.foundation.randomness import Seed
from capc.session.parameters import SPEC_VERSION
from capc_verify.vectors.derive import Source
from capc_verify.vectors.notes import NOTES
from capc_verify.vectors.operation import Fault, GroupType
from capc_verify.vectors.replay import Run, digest_of, write_fields
from capc_verify.vectors.values import Json, apply_edit

INLINE_DIGITS = 200
"""Longer hex becomes a blob, or in groups that only hash, a hash."""


class GenerationError(CapcError):
    """The code does not do what a case says it must do."""


class FileBuilder:
    """One vector file.

    Args:
        stem: the file's name without ``.json``.
        algorithm: the id of what is tested.
        header: lines for the reader, first of all what is not tested.
    """

    def __init__(self, stem: str, algorithm: str, header: Sequence[str]) -> None:
        self.stem = stem
        self.source = Source(f"capc/{stem}")
        self._algorithm = algorithm
        self._header = list(header)
        self._groups: list[GroupBuilder] = []

    def group(self, kind: GroupType, *, hashed: bool = False, **params: Any) -> GroupBuilder:  # noqa: ANN401
        """Begins a group. ``hashed`` writes long outputs as hashes; otherwise they become blobs."""
        self._groups.append(GroupBuilder(self.source, kind, write_fields(kind.params, params), hashed=hashed))
        return self._groups[-1]

    def to_json(self) -> Json:
        """The file."""
        groups = [group.to_json() for group in self._groups]
        flags = {flag for group in groups for test in group["tests"] for flag in test["flags"]}
        return {
            "schema": f"{self.stem}/v1",
            "specVersion": SPEC_VERSION,
            "algorithm": self._algorithm,
            "header": self._header,
            "notes": {flag: NOTES[flag].to_json() for flag in sorted(flags)},
            "source": {
                "name": self.source.name,
                "version": self.source.version,
                "seed": self.source.seed.hex(),
            },
            "numberOfTests": sum(len(group["tests"]) for group in groups),
            "testGroups": groups,
        }


class GroupBuilder:
    """One group of tests, all with the same parameters."""

    def __init__(self, source: Source, kind: GroupType, params: Json, *, hashed: bool) -> None:
        self.source = source
        self.kind = kind
        self.params = params
        self.hashed = hashed
        self.blobs: dict[str, str] = {}
        self.tests: dict[str, TestBuilder] = {}

    def test(
        self,
        name: str,
        comment: str,
        requirements: Sequence[str],
        flags: Sequence[str] = (),
        *,
        after: tuple[TestBuilder, int] | None = None,
        inputs: Mapping[str, Json] | None = None,
        result: str = "",
    ) -> TestBuilder:
        """Begins a test.

        Args:
            name: its key.
            comment: what it shows.
            requirements: ids of the specification.
            flags: what is special about it; each has a note.
            after: another test and how many of its operations come first.
            inputs: what its numbers stand for, for people.
            result: ``acceptable``, where the specification grants latitude.
        """
        if name in self.tests:
            raise GenerationError(f"two tests are called {name}")
        head: Json = {
            "name": name,
            "comment": comment,
            "flags": list(flags),
            "requirements": list(requirements),
            "prelude": {"test": after[0].name, "operations": after[1]} if after else None,
            "inputs": dict(inputs or {}),
        }
        run = after[0].snapshots[after[1]].fork() if after else Run(self.kind, self.params, self.blobs)
        self.tests[name] = TestBuilder(self, head, run, result)
        return self.tests[name]

    def case(
        self,
        op: str,
        name: str,
        comment: str,
        requirements: Sequence[str],
        flags: Sequence[str] = (),
        /,
        *,
        meaning: Mapping[str, Json] | None = None,
        party: Party | None = None,
        leaves: Sequence[str] = (),
        fault: Fault | None = None,
        **fields: Any,  # noqa: ANN401
    ) -> dict[str, Any]:
        """A whole test of one operation; returns what it gave. Arguments as of :meth:`test` and `TestBuilder.run`."""
        test = self.test(name, comment, requirements, flags, inputs=meaning)
        return test.run(op, party, leaves=leaves, fault=fault, **fields)

    def to_json(self) -> Json:
        """The group."""
        return {
            "type": self.kind.name,
            "params": self.params,
            "blobs": self.blobs,
            "tests": [test.to_json() for test in self.tests.values()],
        }


class TestBuilder:
    """One test: its operations so far, and the run that performed them."""

    __test__ = False

    def __init__(self, group: GroupBuilder, head: Json, run: Run, result: str) -> None:
        self._group = group
        self._head = head
        self._run = run
        self._result = result
        self.operations: list[Json] = []
        self.snapshots: dict[int, Run] = {}

    @property
    def name(self) -> str:
        """The test's name."""
        return str(self._head["name"])

    def draw(self, field: str, length: int) -> bytes:
        """Random bytes for a field of the next operation; the label is test, operation number and field."""
        return self._group.source.draw(f"{self.name}/{len(self.operations)}/{field}", length)

    def seed(self, number: int | None = None) -> Seed:
        """An operation's seed; the next one's if it has no number."""
        place = len(self.operations) if number is None else number
        return self._group.source.step_seed(f"{self.name}/{place}/seed")

    def run(
        self,
        op: str,
        party: Party | None = None,
        *,
        states: Sequence[str] = (),
        leaves: Sequence[str] = (),
        fault: Fault | None = None,
        snapshot: bool = False,
        **fields: Any,  # noqa: ANN401
    ) -> dict[str, Any]:
        """Performs an operation and writes it down with what it gave.

        Args:
            op: its name.
            party: who acts.
            states: handles that it takes.
            leaves: handles that it leaves.
            fault: the error that it must end with.
            snapshot: keep the run as it is after this operation, for tests that come after it.
            fields: its inputs.

        Returns:
            its outputs and intermediate values.

        Raises:
            GenerationError: it ends in another way than declared.
        """
        operation = self._group.kind.operations[op]
        step: Json = {"op": op}
        if party is not None:
            step |= {"role": party.role.value, "party_index": party.index}
        step["in"] = self._shorten(write_fields(operation.takes, fields), f"{self.name}_{len(self.operations)}")
        if states:
            step["state_in"] = list(states)
        if leaves:
            step["state_out"] = list(leaves)
        found, values = self._run.perform(step)
        wanted = fault.to_json() if fault else None
        if found.get("error") != wanted:
            raise GenerationError(f"{self.name}: {op} ended with {found.get('error')}, declared was {wanted}")
        step["expect"] = self._shorten(found, f"{self.name}_{len(self.operations)}", expected=True)
        self.operations.append(step)
        if snapshot:
            self.snapshots[len(self.operations)] = self._run.fork()
        return values

    def to_json(self) -> Json:
        """The test."""
        failed = "error" in self.operations[-1]["expect"]
        result = self._result or ("invalid" if failed else "valid")
        return {**self._head, "operations": self.operations, "result": result}

    def _shorten(self, value: Json, name: str, *, expected: bool = False) -> Json:
        """The value with long hex replaced by a reference, and edits of short bytes carried out."""
        if isinstance(value, list):
            return [self._shorten(entry, f"{name}_{i}", expected=expected) for i, entry in enumerate(value)]
        if isinstance(value, dict):
            if "base" in value:
                return self._edited(value, name)
            return {key: self._shorten(entry, f"{name}_{key}", expected=expected) for key, entry in value.items()}
        if not isinstance(value, str) or len(value) <= INLINE_DIGITS or not _is_hex(value):
            return value
        hashed = expected and self._group.hashed and value not in self._group.blobs.values()
        return digest_of(value) if hashed else {"blob": self._blob(value, name)}

    def _edited(self, value: Json, name: str) -> Json:
        if len(value["base"]) <= INLINE_DIGITS:
            return apply_edit(bytes.fromhex(value["base"]), value["edit"]).hex()
        return {"blob": self._blob(value["base"], name), "edit": value["edit"]}

    def _blob(self, value: str, name: str) -> str:
        for known, held in self._group.blobs.items():
            if held == value:
                return known
        self._group.blobs[name] = value
        return name


def canonical_text(document: Json) -> str:
    """The one way in which a document is written to a file."""
    return json.dumps(document, indent=1, ensure_ascii=True) + "\n"


def _is_hex(text: str) -> bool:
    """Whether a text is hex, and not a string of bits."""
    return len(text) % 2 == 0 and set(text) <= set("0123456789abcdef") and not set(text) <= set("01")
