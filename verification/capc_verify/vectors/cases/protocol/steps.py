"""The step functions in sequence: honest sessions, and one fault at a time in each message that a step takes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from typing import Any

from capc.foundation.parties import ROLE_CODES, Party
from capc.session.envelope import HEADER
from capc.session.parameters import Charge, ReleasePolicy, VoteVariant
from capc_verify.vectors.build import FileBuilder, GroupBuilder, TestBuilder
from capc_verify.vectors.cases.common import MessageFault, confident, expect_equal, message_faults, policy, toy_session
from capc_verify.vectors.cases.protocol.honest_session import MODELS, HonestSession, Performed, features_where, models
from capc_verify.vectors.cases.protocol.payload_faults import payload_faults
from capc_verify.vectors.cases.protocol.rounds_session import RoundsSession
from capc_verify.vectors.operation import Fault, GroupType
from capc_verify.vectors.operations.protocol.rounds import ROUNDS
from capc_verify.vectors.operations.protocol.sessions import SESSION
from capc_verify.vectors.operations.protocol.steps import ALL_PAIRS, BATCHES, PLAIN, REALISED, THRESHOLD
from capc_verify.vectors.values import Edited

_HEADER_LINES = [
    "The step functions of the three roles, in sequence, with the published toy set.",
    "Linear layers are ideal handles: a trusted party of the test keeps a list, from index 0, to which every",
    "encrypted input and every result W x + addend mod 2^l is appended; a message is the index, 8 bytes, and the",
    "HE public key is empty. HE ciphertexts depend on a library's randomness; they are tested in he.json.",
    "Everything else is real. A step's seed is expanded under the labels of section 03.",
    "`prelude` performs the first operations of another test of the group. An error leaves all states as they were.",
]
_OUTPUTS = ("CAPC-REL-007", "CAPC-REL-001", "CAPC-WIRE-001", "CAPC-WIRE-008")
_VARIANTS = {
    VoteVariant.TOURNAMENT: (),
    VoteVariant.ALL_PAIRS: ("CAPC-ARG-014",),
    VoteVariant.MULTI_ROUND: ("CAPC-ROUND-001", "CAPC-ROUND-008"),
}
_ROUNDS = {
    *ROUNDS.receives,
    "answering_party_offer_reverse",
    "answering_party_begin_rounds",
}
_AHEAD = {
    *BATCHES.receives,
    "querying_party_mask_batch",
    "querying_party_finish_preparation",
    "answering_party_finish_preparation",
    "querying_party_enter_prepared",
}
_FROM_EVERYBODY = ("mask_keys", "checks", "choices", "vote_shares", "offers", "trees")
"""Fields with a message of each participant."""
_ROLES = {code: role for role, code in ROLE_CODES.items()}
_LAST_LAYER = "1_1_1"
"""Query 1, AP_1, layer 1: the steps whose messages the faults are put into."""


def protocol_plain() -> FileBuilder:
    """Plain GNMax: every step, every message."""
    file, group, honest = _begin("plain", PLAIN, policy())
    honest.set_up()
    honest.query(features_where(agree=True))
    _faults(group, honest, {*PLAIN.receives})
    _reuses(group, honest)
    _mistakes(group, honest)
    return file


def protocol_batches() -> FileBuilder:
    """A batch of two queries, and one that is prepared before its queries are known."""
    file, group, honest = _begin("batches", BATCHES, policy())
    honest.set_up()
    honest.batch([features_where(agree=True), features_where(agree=False)])
    honest.prepared_batch([features_where(agree=False), features_where(agree=True)])
    _faults(group, honest, {*BATCHES.receives})
    for step in honest.steps:
        if step.op in _AHEAD:
            _state_reuse(group, honest, step)
    return file


def protocol_all_pairs() -> FileBuilder:
    """Votes by all pairs: in a batch of two queries, and in one that is prepared. Messages as in the other files."""
    file, _, honest = _begin("all_pairs", ALL_PAIRS, policy(), VoteVariant.ALL_PAIRS)
    honest.set_up()
    honest.batch([features_where(agree=True), features_where(agree=False)])
    honest.prepared_batch([features_where(agree=False)])
    return file


def protocol_rounds() -> FileBuilder:
    """Votes in rounds: the reverse set-up, a batch of two queries, and one query."""
    file, group, honest = _begin("rounds", ROUNDS, policy(), VoteVariant.MULTI_ROUND, RoundsSession)
    honest.set_up()
    honest.batch([features_where(agree=True), features_where(agree=False)])
    honest.query(features_where(agree=True))
    _faults(group, honest, {*ROUNDS.receives})
    for step in honest.steps:
        if step.op in _ROUNDS:
            _state_reuse(group, honest, step)
    return file


def protocol_threshold() -> FileBuilder:
    """Confident-GNMax, charged at the worst case: the release."""
    file, group, honest = _begin("threshold", THRESHOLD, confident(threshold_sigma=Fraction(1, 12)))
    _both_outcomes(honest)
    _faults(group, honest, {*THRESHOLD.receives})
    _last_states(group, honest)
    return file


def protocol_realised() -> FileBuilder:
    """Confident-GNMax, realised charging: the release, and the returned answered bit."""
    release = confident(charge=Charge.REALISED, threshold_sigma=Fraction(1, 12))
    file, group, honest = _begin("realised", REALISED, release)
    _both_outcomes(honest)
    _faults(group, honest, {*REALISED.receives})
    _last_states(group, honest)
    _replayed_label(group, honest)
    return file


def _both_outcomes(honest: HonestSession) -> None:
    honest.set_up()
    honest.query(features_where(agree=True))
    honest.query(features_where(agree=False))
    expect_equal([label is None for label in honest.labels], [False, True], "one answer, then no consensus")


def _begin(
    name: str,
    kind: GroupType,
    release: ReleasePolicy,
    variant: VoteVariant = VoteVariant.TOURNAMENT,
    play: type[HonestSession] = HonestSession,
) -> tuple[FileBuilder, GroupBuilder, HonestSession]:
    file = FileBuilder(f"protocol_{name}", f"CAPC-PROTOCOL-{name.upper().replace('_', '-')}", _HEADER_LINES)
    session = toy_session(file.source, release, variant=variant)
    group = file.group(kind, session=SESSION.read(session.document()))
    queries = [features_where(agree=True)] + ([features_where(agree=False)] if release.threshold is not None else [])
    meaning = {
        "features": [[str(value) for value in query] for query in queries],
        "logits": [" ".join(str(model.logits(query)) for model in models()) for query in queries],
    }
    requirements = [*_OUTPUTS, *_VARIANTS[variant]]
    test = group.test("honest_session", "Set-up and every query, step by step.", requirements, inputs=meaning)
    return file, group, play(test, session)


def _messages(step: Performed) -> Iterable[tuple[str, bytes, Callable[[Edited], dict[str, Any]]]]:
    """The messages that a step takes: a name, the bytes, and the fields with another message in its place."""
    for key in ("message", "he_public_key", "offer", "check"):
        if isinstance(step.fields.get(key), bytes):
            yield key, step.fields[key], lambda edited, key=key: {**step.fields, key: edited}  # type: ignore[misc]
    for key in _FROM_EVERYBODY:
        held: Mapping[Party, bytes] = step.fields.get(key, {})
        for party in list(held)[-1:]:
            yield (
                f"{key}_{party}",
                held[party],
                lambda edited, key=key, held=held, party=party: {**step.fields, key: {**held, party: edited}},  # type: ignore[misc]
            )


def _sender(message: bytes) -> Party:
    fields = HEADER.unpack_from(message)
    return Party(_ROLES[fields[4]], fields[5])


def _chosen(honest: HonestSession, ops: set[str]) -> list[Performed]:
    """Of each step the occurrence that the faults are put into."""
    chosen: dict[str, Performed] = {}
    for step in honest.steps:
        if step.op in ops and (step.op not in chosen or step.states[0].endswith(_LAST_LAYER)):
            chosen[step.op] = step
    return list(chosen.values())


def _faults(group: GroupBuilder, honest: HonestSession, ops: set[str]) -> None:
    for step in _chosen(honest, ops):
        first = True
        for key, message, replaced in _messages(step):
            empty = len(message) == HEADER.size
            # The release in realised mode and the batches take multiples of 8 transfers: no padding bits.
            padded = group.kind is not REALISED and group.kind is not BATCHES
            faults = list(message_faults(message, empty_payload=empty))
            faults += payload_faults(step.op, key, message, padded=padded)
            for fault in faults:
                _one_fault(group, honest, step, f"{step.op}_{key}_{fault.name}", fault, replaced(fault.message))
            if first and step.states:
                _recovery(group, honest, step, _sender(message), replaced(faults[0].message))
            first = False
        _missing(group, honest, step)
        if "receipt" in step.fields:
            _receipts(group, honest, step)


def _after(honest: HonestSession, step: Performed, done: int = 0) -> tuple[TestBuilder, int] | None:
    count = step.number + done
    return (honest.test, count) if count else None


def _again(test: TestBuilder, step: Performed, fields: Mapping[str, Any], fault: Fault | None = None) -> None:
    test.run(step.op, step.party, states=step.states, leaves=step.leaves, fault=fault, **fields)


def _one_fault(
    group: GroupBuilder,
    honest: HonestSession,
    step: Performed,
    name: str,
    fault: MessageFault,
    fields: dict[str, Any],
) -> None:
    requirements = [fault.requirement, "CAPC-ERR-001", "CAPC-ERR-002"]
    test = group.test(name, "One fault in one message.", requirements, [fault.flag], after=_after(honest, step))
    _again(test, step, fields, Fault.of_peer(fault.code, _sender(fault.message.base)))


def _recovery(
    group: GroupBuilder, honest: HonestSession, step: Performed, sender: Party, faulty: dict[str, Any]
) -> None:
    test = group.test(
        f"{step.op}_recovers",
        "A message without a header is refused; then the honest one is accepted, with the same result.",
        ["CAPC-ROLE-009"],
        ["Recovery"],
        after=_after(honest, step),
    )
    _again(test, step, faulty, Fault.of_peer("malformed_length", sender))
    _again(test, step, step.fields)
    expect_equal(test.operations[-1]["expect"], honest.test.operations[step.number]["expect"], test.name)


def _missing(group: GroupBuilder, honest: HonestSession, step: Performed) -> None:
    for key in _FROM_EVERYBODY:
        held: Mapping[Party, bytes] = step.fields.get(key, {})
        for party in held:
            test = group.test(
                f"{step.op}_without_{party}",
                "The message of one participant is missing.",
                ["CAPC-ROLE-006", "CAPC-AGG-004"] if key == "vote_shares" else ["CAPC-ROLE-006"],
                ["Missing"],
                after=_after(honest, step),
            )
            others = {other: message for other, message in held.items() if other != party}
            _again(test, step, {**step.fields, key: others}, Fault.of_peer("missing_participant", party))


def _receipts(group: GroupBuilder, honest: HonestSession, step: Performed) -> None:
    for name, change in (
        ("session", {"session_tag": bytes(32)}),
        ("query", {"query": 2}),
        ("shares", {"inputs_digest": bytes(32)}),
    ):
        test = group.test(
            f"{step.op}_receipt_of_other_{name}",
            "The receipt was given for something else: nothing is drawn, nothing is sent.",
            ["CAPC-REL-004"],
            ["ForeignReceipt"],
            after=_after(honest, step),
        )
        fields: dict[str, Any] = {**step.fields, "receipt": {**step.fields["receipt"], **change}}
        _again(test, step, fields, Fault.of_caller("input_error"))
    _state_reuse(group, honest, step)


def _state_reuse(group: GroupBuilder, honest: HonestSession, step: Performed) -> None:
    name = f"{step.op}_state_reused"
    if name in group.tests:
        return
    test = group.test(name, "The state was consumed.", ["CAPC-ROLE-008"], ["StateReuse"], after=_after(honest, step, 1))
    _again(test, step, step.fields, Fault.of_caller("state_reused"))


def _reuses(group: GroupBuilder, honest: HonestSession) -> None:
    for step in honest.steps:
        if step.states:
            _state_reuse(group, honest, step)


def _last_states(group: GroupBuilder, honest: HonestSession) -> None:
    for step in honest.steps:
        if step.op in {"querying_party_finish_release", "privacy_guardian_read_answered"}:
            _state_reuse(group, honest, step)


def _replayed_label(group: GroupBuilder, honest: HonestSession) -> None:
    """A label of query 1 under the header of query 2."""
    first, second = (step for step in honest.steps if step.op == "privacy_guardian_read_answered")
    message = second.fields["message"]
    replayed = Edited(message, {"at": HEADER.size, "replace": first.fields["message"][HEADER.size :].hex()})
    fault = MessageFault("label_of_query_1", "invalid_output_label", "ForgedLabel", "CAPC-GC-005", replayed)
    _one_fault(group, honest, second, f"{second.op}_{fault.name}", fault, {"message": replayed})


def _mistakes(group: GroupBuilder, honest: HonestSession) -> None:
    mistake = Fault.of_caller("input_error")
    begun = honest.steps[0]
    model = MODELS[0]
    wide = {"weights": [[200, -200], [-4, 5]], "biases": [2, -1]}
    for name, requirement, changed in (
        ("model_of_other_widths", "CAPC-ROLE-012", MODELS[1]),
        ("model_of_other_fraction_bits", "CAPC-ROLE-012", {**model, "fraction_bits": 3}),
        ("model_that_could_wrap", "CAPC-PARAM-030", {**model, "layers": [wide, model["layers"][1]]}),
    ):
        test = group.test(name, "The model is not admitted.", [requirement], ["CallerMistake"])
        _again(test, begun, {**begun.fields, "model": changed}, mistake)
    opened = next(step for step in honest.steps if step.op == "querying_party_open_batch")
    for name, count in (("batch_of_none", 0), ("batch_too_large", 1 << 23)):
        test = group.test(name, "Not a batch.", ["CAPC-BATCH-001"], ["CallerMistake"], after=_after(honest, opened))
        _again(test, opened, {"count": count}, mistake)
    entered = next(step for step in honest.steps if step.op == "querying_party_enter_batch")
    for name, features in (
        ("query_short", [1]),
        ("query_long", [1, 2, 3]),
        ("feature_5", [5, 0]),
        ("feature_minus_5", [0, -5]),
    ):
        test = group.test(
            name, "Not a query of this session.", ["CAPC-ROLE-011"], ["CallerMistake"], after=_after(honest, entered)
        )
        _again(test, entered, {"queries": [features]}, mistake)
    ends = group.test(
        "ends_of_the_range",
        "Features of -1 and 1 are admitted.",
        ["CAPC-ROLE-011"],
        ["Extreme"],
        after=_after(honest, entered),
    )
    _again(ends, entered, {"queries": [[-4, 4]]})
    release = next(step for step in honest.steps if step.op == "querying_party_request_release")
    turn, first, second = release.states
    for name, states in (("share_missing", [turn, first]), ("share_twice", [turn, first, first])):
        test = group.test(
            name, "One share of every party.", ["CAPC-AGG-004"], ["CallerMistake"], after=_after(honest, release)
        )
        test.run(release.op, release.party, states=states, leaves=release.leaves, fault=mistake, **release.fields)
    test = group.test(
        "shares_of_another_query",
        "Shares of query 1, turn of query 2.",
        ["CAPC-WIRE-006"],
        ["CallerMistake"],
        after=_after(honest, release),
    )
    leaves = ["qp_3", "open_2_1", "open_2_2", "turn_2"]
    test.run(opened.op, opened.party, states=["qp_2"], leaves=leaves, count=1)
    states = ["turn_2", first, second]
    test.run(release.op, release.party, states=states, leaves=release.leaves, fault=mistake, seed=test.seed())
