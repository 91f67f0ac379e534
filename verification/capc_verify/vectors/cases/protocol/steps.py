"""The step functions in sequence: honest sessions, and one fault at a time in each message that a step takes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from capc.foundation.encoding import LABEL_BITS
from capc.foundation.errors import ErrorCode
from capc.foundation.parties import QUERYING_PARTY, ROLE_CODES, Party
from capc.foundation.primitives import base_multiply, random_scalar
from capc.foundation.randomness import XofSource
from capc.protocol.seats import Mode
from capc.session.envelope import HEADER
from capc.session.parameters import Charge, ReleasePolicy, VoteVariant
from capc.steps.release_transfers import FIRST_BYTES
from capc_verify.vectors.build import FileBuilder, GroupBuilder, TestBuilder
from capc_verify.vectors.cases.common import (
    MessageFault,
    confident,
    expect_equal,
    message_faults,
    policy,
    single_draw,
    toy_session,
)
from capc_verify.vectors.cases.protocol.honest_session import MODELS, HonestSession, Performed, features_where, models
from capc_verify.vectors.cases.protocol.layers import model_of_layers, session_of_layers
from capc_verify.vectors.cases.protocol.payload_faults import payload_faults
from capc_verify.vectors.cases.protocol.recording import Script
from capc_verify.vectors.operation import Fault, GroupType
from capc_verify.vectors.operations.protocol.rounds import ROUNDS
from capc_verify.vectors.operations.protocol.sessions import SESSION
from capc_verify.vectors.operations.protocol.steps import ALL_PAIRS, BATCHES, PLAIN, REALISED, SINGLE_DRAW, THRESHOLD
from capc_verify.vectors.operations.protocol.sums import LAYERS
from capc_verify.vectors.values import Edited

_HEADER_LINES = [
    "The step functions of the three roles, in sequence, with the published toy set.",
    "Linear layers are ideal handles: a trusted party of the test keeps a list, from index 0, to which every",
    "encrypted input and every 2^h W x less the answering party's share, mod 2^(l+h), is appended; a message is the",
    "index, 8 bytes, and the HE public key is empty. HE ciphertexts depend on a library's randomness; he.json tests",
    "them. Everything else is real. A step's seed is expanded under the labels of section 11.",
    "`prelude` performs the first operations of another test of the group. An error leaves all states as they were,",
    "but `inconsistent_transfers`, which ends the session of who received them: `state_reused` from then on.",
]
_OUTPUTS = ("CAPC-REL-007", "CAPC-REL-001", "CAPC-WIRE-001", "CAPC-WIRE-008")
_VARIANTS = {
    VoteVariant.TOURNAMENT: (),
    VoteVariant.ALL_PAIRS: ("CAPC-ARG-014",),
    VoteVariant.MULTI_ROUND: ("CAPC-ROUND-001", "CAPC-ROUND-008", "CAPC-ROUND-010"),
}
_GARBLED_ROUNDS = ("answering_party_garble_round",)
_ROUNDS = {*ROUNDS.receives, "answering_party_offer_reverse", "answering_party_begin_rounds"}
_AHEAD = {
    *BATCHES.receives,
    "querying_party_mask_batch",
    "querying_party_finish_preparation",
    "answering_party_finish_preparation",
    "querying_party_enter_prepared",
}
_LAST = {"querying_party_finish_release", "privacy_guardian_read_answered"}
_FROM_EVERYBODY = ("mask_keys", "checks", "choices", "vote_shares", "offers", "trees")
"""Fields with a message of each participant."""
_ROLES = {code: role for role, code in ROLE_CODES.items()}
_LAST_LAYER = "1_1_1"
"""Query 1, AP_1, layer 1: the steps whose messages the faults are put into."""
_AGREED, _DISPUTED = features_where(agree=True), features_where(agree=False)
_MISTAKE = Fault.of_caller("input_error")


_MODEL = MODELS[0]
_WIDE = {"weights": [[200, -200], [-4, 5]], "biases": [2, -1]}
_BEGIN, _OPEN, _ENTER = "answering_party_begin_setup", "querying_party_open_batch", "querying_party_enter_batch"
_MODEL_REFUSED, _BATCH_REFUSED = "The model is not admitted.", "Not a batch."
_QUERY_REFUSED = "Not a query of this session."
_MISTAKES: tuple[tuple[str, str, str, str, dict[str, Any]], ...] = (
    (_BEGIN, "model_of_other_widths", _MODEL_REFUSED, "CAPC-ROLE-012", {"model": MODELS[1]}),
    (
        _BEGIN,
        "model_of_other_fraction_bits",
        _MODEL_REFUSED,
        "CAPC-ROLE-012",
        {"model": {**_MODEL, "fraction_bits": 3}},
    ),
    (
        _BEGIN,
        "model_that_could_wrap",
        _MODEL_REFUSED,
        "CAPC-PARAM-030",
        {"model": {**_MODEL, "layers": [_WIDE, _MODEL["layers"][1]]}},
    ),
    (_OPEN, "batch_of_none", _BATCH_REFUSED, "CAPC-BATCH-001", {"count": 0}),
    (_OPEN, "batch_too_large", _BATCH_REFUSED, "CAPC-BATCH-001", {"count": 1 << 23}),
    (_ENTER, "query_short", _QUERY_REFUSED, "CAPC-ROLE-011", {"queries": [[1]]}),
    (_ENTER, "query_long", _QUERY_REFUSED, "CAPC-ROLE-011", {"queries": [[1, 2, 3]]}),
    (_ENTER, "feature_5", _QUERY_REFUSED, "CAPC-ROLE-011", {"queries": [[5, 0]]}),
    (_ENTER, "feature_minus_5", _QUERY_REFUSED, "CAPC-ROLE-011", {"queries": [[0, -5]]}),
)
"""A caller's mistakes: step, name, what is wrong, the statement, and the inputs that are wrong."""


@dataclass(frozen=True)
class _Play:
    """An honest session in its file, and what goes wrong after the first steps of it."""

    file: FileBuilder
    group: GroupBuilder
    honest: HonestSession

    def steps(self, ops: Collection[str]) -> list[Performed]:
        """All steps of these names."""
        return [step for step in self.honest.steps if step.op in ops]

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
        _again(test, step, fault, **changed)
        return test

    def faults(self) -> _Play:
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

    def reuses(self, ops: Collection[str]) -> _Play:
        """States that were used before."""
        for step in self.steps(ops):
            name = f"{step.op}_state_reused"
            if step.states and name not in self.group.tests:
                test = self.test_after(name, "The state was consumed.", ["CAPC-ROLE-008"], "StateReuse", step, done=1)
                _again(test, step, Fault.of_caller("state_reused"))
        return self

    def offsets(self) -> _Play:
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
            _again(test, choice, message=Edited(choice.fields["message"], {"at": HEADER.size, "replace": patch.hex()}))
            for step in following:
                _again(test, step)
            if fault is None:
                _again(test, last)
            else:
                _again(test, last, Fault.of_peer(fault.code, QUERYING_PARTY), message=fault.message)
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
        _again(test, step, Fault.of_caller("state_reused"))

    def _recovery(self, step: Performed, fault: Fault, changed: dict[str, Any]) -> None:
        comment = "A message without a header is refused; then the honest one is accepted, with the same result."
        test = self.case(f"{step.op}_recovers", comment, ["CAPC-ROLE-009"], "Recovery", step, fault, **changed)
        _again(test, step)
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
            self.case(name, comment, ["CAPC-REL-004"], "ForeignReceipt", step, _MISTAKE, receipt=receipt)
        self.reuses([step.op])


def _again(
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


def protocol_plain() -> FileBuilder:
    """Plain GNMax: every step, every message, and a caller's mistakes."""
    play = _play("plain", PLAIN, policy(), [(Mode.LABEL, [_AGREED])]).faults().reuses(PLAIN.operations)
    for op, name, comment, requirement, changed in _MISTAKES:
        play.case(name, comment, [requirement], "CallerMistake", play.steps([op])[0], _MISTAKE, **changed)
    (entered,), (opened,), (release,) = (play.steps([op]) for op in (_ENTER, _OPEN, "querying_party_request_release"))
    comment = "Features of -1 and 1 are admitted."
    play.case("ends_of_the_range", comment, ["CAPC-ROLE-011"], "Extreme", entered, queries=[[-4, 4]])
    turn, first, second = release.states
    for name, states in (("share_missing", [turn, first]), ("share_twice", [turn, first, first])):
        comment, requirements = "One share of every party.", ["CAPC-AGG-004"]
        play.case(name, comment, requirements, "CallerMistake", release, _MISTAKE, states=states)
    test = play.test_after(
        "shares_of_another_query", "Shares of query 1, turn of query 2.", ["CAPC-WIRE-006"], "CallerMistake", release
    )
    leaves = ["qp_3", "open_2_1", "open_2_2", "turn_2"]
    test.run(opened.op, opened.party, states=["qp_2"], leaves=leaves, count=1)
    _again(test, release, _MISTAKE, ["turn_2", first, second], seed=test.seed())
    return play.file


def protocol_batches() -> FileBuilder:
    """A batch of two queries, and one that is prepared before its queries are known."""
    script = [(Mode.LABEL, [_AGREED, _DISPUTED]), (Mode.ONLINE, [_DISPUTED, _AGREED])]
    play = _play("batches", BATCHES, policy(), script).faults().reuses(_AHEAD)
    _layers(play.file)
    return play.file


def _layers(file: FileBuilder) -> None:
    """A model with skips, weights of other fraction bits, and a layer without activation: at once, then prepared."""
    session = session_of_layers(file.source)
    group = file.group(LAYERS, session=SESSION.read(session.document()))
    requirements = [*_OUTPUTS, "CAPC-PARAM-042", "CAPC-AHEAD-001"]
    comment = "Skips of the query, of a ReLU and of sums under weights of 3 bits, where f is 2."
    test = group.test("session_of_layers", comment, requirements)
    script = [(Mode.LABEL, [_AGREED]), (Mode.ONLINE, [_DISPUTED])]
    honest = HonestSession(group, test, session, script, [model_of_layers(session)])
    _Play(file, group, honest).faults().reuses(LAYERS.receives)


def protocol_all_pairs() -> FileBuilder:
    """Votes by all pairs: in a batch of two queries, and in one that is prepared. Messages as in the other files."""
    script = [(Mode.LABEL, [_AGREED, _DISPUTED]), (Mode.ONLINE, [_DISPUTED])]
    return _play("all_pairs", ALL_PAIRS, policy(), script, VoteVariant.ALL_PAIRS).file


def protocol_rounds() -> FileBuilder:
    """Votes in rounds: the reverse set-up, a batch of two queries, and one query."""
    script = [(Mode.LABEL, [_AGREED, _DISPUTED]), (Mode.LABEL, [_AGREED])]
    return _play("rounds", ROUNDS, policy(), script, VoteVariant.MULTI_ROUND).faults().offsets().reuses(_ROUNDS).file


def protocol_threshold() -> FileBuilder:
    """Confident-GNMax, charged at the worst case: the release."""
    return _both_outcomes("threshold", THRESHOLD, confident(threshold_sigma=Fraction(1, 12))).file


def protocol_single_draw() -> FileBuilder:
    """A threshold on the noised counts of which the label is the largest: the release."""
    return _both_outcomes("single_draw", SINGLE_DRAW, single_draw(sigma=Fraction(1, 12))).file


def protocol_realised() -> FileBuilder:
    """Confident-GNMax, realised charging: the release, the returned answered bit, and a replayed label."""
    release = confident(charge=Charge.REALISED, threshold_sigma=Fraction(1, 12))
    play = _both_outcomes("realised", REALISED, release)
    first, second = play.steps(["privacy_guardian_read_answered"])
    label = first.fields["message"][HEADER.size :]
    replayed = Edited(second.fields["message"], {"at": HEADER.size, "replace": label.hex()})
    fault = MessageFault("label_of_query_1", "invalid_output_label", "ForgedLabel", "CAPC-GC-005", replayed)
    play.one_fault(second, fault.name, fault, {"message": replayed})
    _other_transfers(play)
    return play.file


def _other_transfers(play: _Play) -> None:
    """The second request uses transfers of the first; here it names other ones, and the honest request follows."""
    _, second = play.steps(["privacy_guardian_release"])
    honest = second.fields["message"]
    for name, first in (("query_2", 2), ("no_query", 0)):
        edited = Edited(honest, {"at": HEADER.size, "replace": first.to_bytes(FIRST_BYTES, "little").hex()})
        comment = "Transfers that no request made; then the honest message is accepted, with the same result."
        requirements = ["CAPC-REL-011", "CAPC-REL-012", "CAPC-ROLE-009"]
        wanted = Fault.of_peer("wrong_query", QUERYING_PARTY)
        test = play.case(
            f"transfers_of_{name}", comment, requirements, "OtherTransfers", second, wanted, message=edited
        )
        _again(test, second)
        expect_equal(test.operations[-1]["expect"], play.honest.test.operations[second.number]["expect"], test.name)


def _both_outcomes(name: str, kind: GroupType, release: ReleasePolicy) -> _Play:
    play = _play(name, kind, release, [(Mode.LABEL, [_AGREED]), (Mode.LABEL, [_DISPUTED])])
    labels = play.honest.labels
    expect_equal([label is None for label in labels], [False, True], "one answer, then no consensus")
    return play.faults().reuses(_LAST)


def _play(
    name: str, kind: GroupType, release: ReleasePolicy, script: Script, variant: VoteVariant = VoteVariant.TOURNAMENT
) -> _Play:
    file = FileBuilder(f"protocol_{name}", f"CAPC-PROTOCOL-{name.upper().replace('_', '-')}", _HEADER_LINES)
    session = toy_session(file.source, release, variant=variant)
    group = file.group(kind, session=SESSION.read(session.document()))
    queries = [_AGREED] + ([_DISPUTED] if release.threshold is not None else [])
    meaning = {
        "features": [[str(value) for value in query] for query in queries],
        "logits": [" ".join(str(model.logits(query)) for model in models()) for query in queries],
    }
    requirements = [*_OUTPUTS, *_VARIANTS[variant]]
    test = group.test("honest_session", "Set-up and every query, step by step.", requirements, inputs=meaning)
    return _Play(file, group, HonestSession(group, test, session, script))
