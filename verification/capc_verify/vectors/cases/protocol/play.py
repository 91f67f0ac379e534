"""An honest session of steps, and one fault at a time in each message that a step takes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from capc.foundation.encoding import LABEL_BITS
from capc.foundation.errors import ErrorCode
from capc.foundation.parties import QUERYING_PARTY, ROLE_CODES, Party
from capc.foundation.primitives import base_multiply, random_scalar
from capc.foundation.randomness import XofSource
from capc.session.envelope import HEADER
from capc_verify.vectors.build import FileBuilder, GroupBuilder, TestBuilder
from capc_verify.vectors.cases.common import MessageFault, expect_equal, message_faults
from capc_verify.vectors.cases.protocol.honest_session import HonestSession, Performed
from capc_verify.vectors.cases.protocol.payload_faults import payload_faults
from capc_verify.vectors.operation import Fault
from capc_verify.vectors.operations.protocol.steps import BATCHES, REALISED
from capc_verify.vectors.values import Edited

_GARBLED_ROUNDS = ("answering_party_garble_round",)
_FROM_EVERYBODY = ("mask_keys", "checks", "choices", "vote_shares", "offers", "trees")
"""Fields with a message of each participant."""
_ROLES = {code: role for role, code in ROLE_CODES.items()}
_LAST_LAYER = "1_1_1"
"""Query 1, AP_1, layer 1: the steps whose messages the faults are put into."""
MISTAKE = Fault.of_caller("input_error")


@dataclass(frozen=True)
class Play:
    """An honest session in its file, and what goes wrong after the first steps of it."""

    file: FileBuilder
    group: GroupBuilder
    honest: HonestSession

    def steps(self, ops: Collection[str]) -> list[Performed]:
        """All steps of these names."""
        return [step for step in self.honest.steps if step.op in ops]

    def taking(self, op: str, state: str) -> Performed:
        """The step of this name whose first state this is."""
        return next(step for step in self.steps([op]) if step.states[0] == state)

    def test_after(
        self, name: str, comment: str, requirements: list[str], flag: str, step: Performed, done: int = 0
    ) -> TestBuilder:
        """A test that begins after all steps before one, and ``done`` from it on."""
        count = step.number + done
        return self.group.test(name, comment, requirements, [flag], after=(self.honest.test, count) if count else None)

    def case(
        self,
        name: str,
        comment: str,
        requirements: list[str],
        flag: str,
        step: Performed,
        fault: Fault | None = None,
        **changed: Any,  # noqa: ANN401
    ) -> TestBuilder:
        """A test that takes the step with some inputs changed."""
        test = self.test_after(name, comment, requirements, flag, step)
        again(test, step, fault, **changed)
        return test

    def faults(self) -> Play:
        """One fault at a time in each message of the group, a missing one, and a receipt for something else."""
        for step in self._chosen():
            for number, (key, message, replaced) in enumerate(_messages(step)):
                # The release in realised mode and the batches take multiples of 8 transfers: no padding bits.
                padded = self.group.kind is not REALISED and self.group.kind is not BATCHES
                faults = list(message_faults(message, empty_payload=len(message) == HEADER.size))
                for fault in [*faults, *payload_faults(step.op, key, message, padded=padded)]:
                    self.one_fault(step, f"{key}_{fault.name}", fault, replaced(fault.message))
                if number == 0 and step.states:
                    self._recovery(
                        step, Fault.of_peer("malformed_length", _sender(message)), replaced(faults[0].message)
                    )
            self._missing(step)
            if "receipt" in step.fields:
                self._receipts(step)
        return self

    def reuses(self, ops: Collection[str]) -> Play:
        """States that were used before."""
        for step in self.steps(ops):
            name = f"{step.op}_state_reused"
            if step.states and name not in self.group.tests:
                test = self.test_after(name, "The state was consumed.", ["CAPC-ROLE-008"], "StateReuse", step, done=1)
                again(test, step, Fault.of_caller("state_reused"))
        return self

    def offsets(self) -> Play:
        """Valid points for offsets Delta' that no honest party draws, and then the messages of the honest session.

        With other points the answering party makes other trees and so other bits d; what it receives is well-formed.
        """
        choice = self.steps(["answering_party_finish_reverse"])[0]
        _, last = [step for step in self.steps(_GARBLED_ROUNDS) if step.party == choice.party][:2]
        between = self.honest.steps[choice.number + 1 : last.number]
        following = [step for step in between if step.party in (choice.party, QUERYING_PARTY)]
        [row] = payload_faults(last.op, "message", last.fields["message"], padded=False)
        for name, points, fault in (("even", 1, None), ("zero", LABEL_BITS, None), (f"even_rows_{row.name}", 1, row)):
            comment = f"Points of {points} of the bits of Delta' are for 0; then the messages of the honest session."
            flags = ["OffsetOfChoice", *([fault.flag] if fault else [])]
            requirements = ["CAPC-ROUND-010", *([fault.requirement] if fault else [])]
            after = (self.honest.test, choice.number)
            test = self.group.test(f"offset_{name}", comment, requirements, flags, after=after)
            source = XofSource(test.seed(), b"points")
            patch = b"".join(base_multiply(random_scalar(source)) for _ in range(points))
            again(test, choice, message=Edited(choice.fields["message"], {"at": HEADER.size, "replace": patch.hex()}))
            for step in following:
                again(test, step)
            if fault is None:
                again(test, last)
            else:
                again(test, last, Fault.of_peer(fault.code, QUERYING_PARTY), message=fault.message)
        return self

    def _chosen(self) -> list[Performed]:
        """Of each step the occurrence that the faults are put into."""
        chosen: dict[str, Performed] = {}
        for step in self.steps(self.group.kind.receives):
            if step.op not in chosen or step.states[0].endswith(_LAST_LAYER):
                chosen[step.op] = step
        return list(chosen.values())

    def one_fault(self, step: Performed, name: str, fault: MessageFault, changed: dict[str, Any]) -> None:
        """A message with a fault, which its sender is blamed for."""
        requirements = [fault.requirement, "CAPC-ERR-001", "CAPC-ERR-002"]
        wanted = Fault.of_peer(fault.code, _sender(fault.message.base))
        if fault.code != ErrorCode.INCONSISTENT_TRANSFERS:
            self.case(
                f"{step.op}_{name}", "One fault in one message.", requirements, fault.flag, step, wanted, **changed
            )
            return
        comment = "One fault in one message; the honest one comes too late."
        requirements.append("CAPC-ROLE-020")
        test = self.case(f"{step.op}_{name}", comment, requirements, fault.flag, step, wanted, **changed)
        again(test, step, Fault.of_caller("state_reused"))

    def _recovery(self, step: Performed, fault: Fault, changed: dict[str, Any]) -> None:
        comment = "A message without a header is refused; then the honest one is accepted, with the same result."
        test = self.case(f"{step.op}_recovers", comment, ["CAPC-ROLE-009"], "Recovery", step, fault, **changed)
        again(test, step)
        expect_equal(test.operations[-1]["expect"], self.honest.test.operations[step.number]["expect"], test.name)

    def _missing(self, step: Performed) -> None:
        for key in _FROM_EVERYBODY:
            held: Mapping[Party, bytes] = step.fields.get(key, {})
            requirements = ["CAPC-ROLE-006", "CAPC-AGG-004"] if key == "vote_shares" else ["CAPC-ROLE-006"]
            for party in held:
                name, comment = f"{step.op}_without_{party}", "The message of one participant is missing."
                others = {other: message for other, message in held.items() if other != party}
                fault = Fault.of_peer("missing_participant", party)
                self.case(name, comment, requirements, "Missing", step, fault, **{key: others})

    def _receipts(self, step: Performed) -> None:
        comment = "The receipt was given for something else: nothing is drawn, nothing is sent."
        for what, change in (
            ("session", {"session_tag": bytes(32)}),
            ("query", {"query": 2}),
            ("shares", {"inputs_digest": bytes(32)}),
        ):
            receipt = {**step.fields["receipt"], **change}
            name = f"{step.op}_receipt_of_other_{what}"
            self.case(name, comment, ["CAPC-REL-004"], "ForeignReceipt", step, MISTAKE, receipt=receipt)
        self.reuses([step.op])


def again(
    test: TestBuilder,
    step: Performed,
    fault: Fault | None = None,
    states: Sequence[str] | None = None,
    **changed: Any,  # noqa: ANN401
) -> None:
    """Takes a step that the honest session took, with some inputs changed."""
    taken = step.states if states is None else states
    test.run(step.op, step.party, states=taken, leaves=step.leaves, fault=fault, **{**step.fields, **changed})


def _messages(step: Performed) -> Iterator[tuple[str, bytes, Callable[[Edited], dict[str, Any]]]]:
    """The messages that a step takes: a name, the bytes, and the inputs that change with another in its place."""
    for key in ("message", "he_public_key", "offer", "check"):
        if key in step.fields:
            yield key, step.fields[key], lambda edited, key=key: {key: edited}  # type: ignore[misc]
    for key in _FROM_EVERYBODY:
        held: Mapping[Party, bytes] = step.fields.get(key, {})
        for party in list(held)[-1:]:
            yield (
                f"{key}_{party}",
                held[party],
                lambda edited, key=key, held=held, party=party: {key: {**held, party: edited}},  # type: ignore[misc]
            )


def _sender(message: bytes) -> Party:
    fields = HEADER.unpack_from(message)
    return Party(_ROLES[fields[4]], fields[5])
