"""The step functions in sequence: honest sessions, and one fault at a time in each message that a step takes."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from capc.foundation.parties import QUERYING_PARTY
from capc.protocol.seats import Mode
from capc.session.envelope import HEADER
from capc.session.parameters import Charge, ReleasePolicy, VoteVariant
from capc.steps.release_transfers import FIRST_BYTES
from capc_verify.vectors.build import FileBuilder
from capc_verify.vectors.cases.common import (
    MessageFault,
    confident,
    expect_equal,
    policy,
    single_draw,
    toy_session,
)
from capc_verify.vectors.cases.protocol.honest_session import MODELS, HonestSession, features_where, models
from capc_verify.vectors.cases.protocol.layers import model_of_layers, session_of_layers
from capc_verify.vectors.cases.protocol.mistakes import (
    AT_ONCE,
    IN_ROUNDS,
    OF_LAYERS,
    PREPARED,
    answered_in_worst_case,
    in_two_batches,
    mistakes,
    without_reverse_set_up,
    without_rounds,
)
from capc_verify.vectors.cases.protocol.play import MISTAKE, Play, again
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
_ROUNDS = {*ROUNDS.receives, "answering_party_offer_reverse", "answering_party_begin_rounds"}
_AHEAD = {
    *BATCHES.receives,
    "querying_party_mask_batch",
    "querying_party_finish_preparation",
    "answering_party_finish_preparation",
    "querying_party_enter_prepared",
}
_LAST = {"querying_party_finish_release", "privacy_guardian_read_answered"}
_AGREED, _DISPUTED = features_where(agree=True), features_where(agree=False)


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


def protocol_plain() -> FileBuilder:
    """Plain GNMax: every step, every message, and a caller's mistakes."""
    play = _play("plain", PLAIN, policy(), [(Mode.LABEL, [_AGREED])]).faults().reuses(PLAIN.operations)
    for op, name, comment, requirement, changed in _MISTAKES:
        play.case(name, comment, [requirement], "CallerMistake", play.steps([op])[0], MISTAKE, **changed)
    (entered,), (opened,), (release,) = (play.steps([op]) for op in (_ENTER, _OPEN, "querying_party_request_release"))
    comment = "Features of -1 and 1 are admitted."
    play.case("ends_of_the_range", comment, ["CAPC-ROLE-011"], "Extreme", entered, queries=[[-4, 4]])
    turn, first, second = release.states
    for name, states in (("share_missing", [turn, first]), ("share_twice", [turn, first, first])):
        comment, requirements = "One share of every party.", ["CAPC-AGG-004"]
        play.case(name, comment, requirements, "CallerMistake", release, MISTAKE, states=states)
    test = play.test_after(
        "shares_of_another_query", "Shares of query 1, turn of query 2.", ["CAPC-WIRE-006"], "CallerMistake", release
    )
    leaves = ["qp_3", "open_2_1", "open_2_2", "turn_2"]
    test.run(opened.op, opened.party, states=["qp_2"], leaves=leaves, count=1)
    again(test, release, MISTAKE, ["turn_2", first, second], seed=test.seed())
    mistakes(play, AT_ONCE)
    in_two_batches(play)
    answered_in_worst_case(play)
    return play.file


def protocol_batches() -> FileBuilder:
    """A batch of two queries, and one that is prepared before its queries are known."""
    script = [(Mode.LABEL, [_AGREED, _DISPUTED]), (Mode.ONLINE, [_DISPUTED, _AGREED])]
    play = _play("batches", BATCHES, policy(), script).faults().reuses(_AHEAD)
    mistakes(play, PREPARED)
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
    mistakes(Play(file, group, honest).faults().reuses(LAYERS.receives), OF_LAYERS)


def protocol_all_pairs() -> FileBuilder:
    """Votes by all pairs: in a batch of two queries, and in one that is prepared. Messages as in the other files."""
    script = [(Mode.LABEL, [_AGREED, _DISPUTED]), (Mode.ONLINE, [_DISPUTED])]
    return _play("all_pairs", ALL_PAIRS, policy(), script, VoteVariant.ALL_PAIRS).file


def protocol_rounds() -> FileBuilder:
    """Votes in rounds: the reverse set-up, a batch of two queries, and one query."""
    script = [(Mode.LABEL, [_AGREED, _DISPUTED]), (Mode.LABEL, [_AGREED])]
    play = _play("rounds", ROUNDS, policy(), script, VoteVariant.MULTI_ROUND).faults().offsets().reuses(_ROUNDS)
    mistakes(play, IN_ROUNDS)
    without_reverse_set_up(play)
    without_rounds(play.file)
    return play.file


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


def _other_transfers(play: Play) -> None:
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
        again(test, second)
        expect_equal(test.operations[-1]["expect"], play.honest.test.operations[second.number]["expect"], test.name)


def _both_outcomes(name: str, kind: GroupType, release: ReleasePolicy) -> Play:
    play = _play(name, kind, release, [(Mode.LABEL, [_AGREED]), (Mode.LABEL, [_DISPUTED])])
    labels = play.honest.labels
    expect_equal([label is None for label in labels], [False, True], "one answer, then no consensus")
    return play.faults().reuses(_LAST)


def _play(
    name: str, kind: GroupType, release: ReleasePolicy, script: Script, variant: VoteVariant = VoteVariant.TOURNAMENT
) -> Play:
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
    return Play(file, group, HonestSession(group, test, session, script))
