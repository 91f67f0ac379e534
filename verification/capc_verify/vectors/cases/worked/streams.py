"""Labels and draws of every step, as the shipped steps make them, and every tag once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from hashlib import sha256
from itertools import pairwise
from typing import Any

from capc.foundation import primitives
from capc.foundation.parties import PRIVACY_GUARDIAN, QUERYING_PARTY, ROLE_CODES, Party, answering_party
from capc.foundation.randomness import BytesSource, RandomSource, Seed, XofSource
from capc.privacy.account import Account
from capc.protocol.collaboration import Table
from capc.protocol.embedded_methods import EMBEDDED
from capc.protocol.exchange import NoObserver
from capc.protocol.seats import Mode
from capc.session.envelope import HEADER
from capc.session.parameters import Charge, VoteVariant
from capc.session.session import Session
from capc.steps.release_transfers import request_lengths
from capc_spec.registry import STEP_LABELS, entries
from capc_verify.vectors.build import FileBuilder, GenerationError, GroupBuilder
from capc_verify.vectors.cases.common import confident, expect_equal, policy, toy_session
from capc_verify.vectors.cases.protocol.honest_session import features_where, models
from capc_verify.vectors.cases.protocol.recording import Call, Script, recorded
from capc_verify.vectors.operations.protocol.rounds import ROUNDS
from capc_verify.vectors.operations.protocol.sessions import SESSION
from capc_verify.vectors.operations.protocol.step import fields_of, suite_of
from capc_verify.vectors.operations.worked.draws import DRAWS, LinearLayer
from capc_verify.vectors.operations.worked.tags import FRAMES, TAGGED
from capc_verify.vectors.values import COUNT, DATA, Kind

_TAGS = ("CAPC-NAME-001", "CAPC-NAME-012")
_LABELS = ("CAPC-NAME-003", "CAPC-NAME-009")
_PLAIN = {"linear": LinearLayer.IDEAL, "count": 1, "elements": 0, "last": False, "bound_to": []}


def streams() -> FileBuilder:
    """Steps one by one, and tags one by one."""
    file = FileBuilder(
        "streams",
        "CAPC-STREAMS",
        [
            "`step_draws`: a step, and all that its label depends on; the label of each of its streams in full, and",
            "what is drawn from it, in order. `take` is the entry of section 11's table with its numbers;",
            "`integers` are what bits(k) and samplers gave, `data` the bytes of read(k), or the scalars, 32 bytes",
            "each, side by side. `bound_to` is what is hashed into the label, side by side, or for a digest `as it",
            "is` the digest. `count` is n, the queries of the batch; `elements` what the table calls S, d or O;",
            "`last` whether the layer is that of the vote, or the round the last. Steps, messages and seeds are",
            "those of toy sessions with ideal linear layers, recorded from the steps themselves; of steps with BFV",
            "or an engine they are drawn. `tag_use` uses each tag once, with the fields of its frame. Of a label,",
            "`value` is the first 32 bytes of its stream; of a signature, the bytes that are signed; of a context,",
            "the context.",
        ],
    )
    labelled = [(Mode.LABEL, [features_where(agree=True), features_where(agree=False)])]
    prepared = [*labelled, (Mode.ONLINE, [features_where(agree=False), features_where(agree=True)])]
    plain, told = toy_session(file.source, policy(), "plain"), set[tuple[str, ...]]()
    _steps(file, "plain", plain, prepared, told)
    _unplayed(file.group(DRAWS, hashed=True, session=SESSION.read(plain.document())))
    realised = confident(charge=Charge.REALISED, threshold_sigma=Fraction(1, 12))
    _steps(file, "realised", toy_session(file.source, realised, "realised"), labelled, told)
    rounds = toy_session(file.source, policy(), "rounds", VoteVariant.MULTI_ROUND)
    _steps(file, "rounds", rounds, labelled, told)
    _tags(file)
    return file


class _Listening:
    """A stream that writes down what is taken from it."""

    def __init__(self, source: RandomSource) -> None:
        self._source = source
        self.integers: list[int] = []
        self.data = b""

    def read(self, length: int) -> bytes:
        """Bytes, noted."""
        taken = self._source.read(length)
        self.data += taken
        return taken

    def bits(self, width: int) -> int:
        """A number, noted."""
        self.integers.append(self._source.bits(width))
        return self.integers[-1]

    def below(self, bound: int) -> int:
        """A number of a sampler, which shows as what the sampler gives."""
        return self._source.below(bound)


@dataclass(frozen=True)
class _Opened:
    """A stream that a step opened."""

    seed: bytes
    label: bytes
    taken: _Listening

    @property
    def step(self) -> str:
        """Whose label it begins with."""
        return next(name for name, label in STEP_LABELS.items() if self.label.startswith(label + b"/"))


def _played(session: Session, seeds: Iterator[Seed], script: Script) -> tuple[list[Call], list[_Opened]]:
    """Every step of a session, and every stream that one of them opened."""
    opened: list[_Opened] = []

    def expand(seed: Seed, label: bytes) -> _Listening:
        opened.append(_Opened(seed, label, _Listening(XofSource(seed, label))))
        return opened[-1].taken

    release, grid_bits = session.parameters.release, session.parameters.widths.grid_bits
    account, suite = Account(release, grid_bits, Fraction(1 << 20)), replace(suite_of(session), expand=expand)
    table = Table(session, models(), suite, account, EMBEDDED, seeds.__next__, NoObserver())
    steps = [operation for operation in ROUNDS.operations.values() if operation.calls]
    return recorded(table, steps, script), opened


def _steps(file: FileBuilder, name: str, session: Session, script: Script, told: set[tuple[str, ...]]) -> None:
    """Each step that draws, once towards each role of peers, and in each session those of the release."""
    group = file.group(DRAWS, session=SESSION.read(session.document()))
    seeds = (file.source.step_seed(f"{name}/{number}") for number in range(1 << 10))
    calls, opened = _played(session, seeds, script)
    by_seed = {fields["seed"]: (call, fields) for call in calls if "seed" in (fields := _fields(call))}
    for stream in opened:
        given = _pair(stream) if stream.seed not in by_seed else _given(*by_seed[stream.seed], stream, script)
        me, peer = given.pop("me"), given["peer"]
        kind = (stream.step, peer.role, *([name] if entries("steps")[stream.step]["at"] == "query" else []))
        if kind in told:
            continue
        told.add(kind)
        test = group.test(f"{name}_{stream.step}_{peer.role}", "What the step draws.", _LABELS)
        found = test.run("step_draws", me, step=stream.step, seed=stream.seed, **{**_PLAIN, **given})["streams"]
        same = [each for each in opened if each.seed == stream.seed] if stream.seed in by_seed else [stream]
        _compare(test.name, found, [each for each in same if _peer(each) in {None, peer}])
    if session.parameters.vote_variant is VoteVariant.TOURNAMENT:
        _with_engine(group, name)


def _fields(call: Call) -> dict[str, Any]:
    return fields_of(call.operation, call.given)


def _compare(name: str, found: Sequence[Mapping[str, Any]], mine: Sequence[_Opened]) -> None:
    """Holds the streams of a vector to those that the step opened towards this peer."""
    expect_equal([each["label"] for each in found], [each.label for each in mine], f"{name}: labels")
    for told, step in zip(found, mine, strict=True):
        kinds = {draw["take"].split(" x ")[1].partition("(")[0] for draw in told["draws"]}
        integers = [value for draw in told["draws"] for value in draw["integers"]]
        if not kinds & {"answer", "threshold"}:
            expect_equal(integers, step.taken.integers, f"{name}: integers")
        if "scalar" not in kinds:
            expect_equal(b"".join(draw["data"] for draw in told["draws"]), step.taken.data, f"{name}: bytes")


_END = 3


def _party(data: bytes) -> Party:
    role = next(role for role, code in ROLE_CODES.items() if code == data[0])
    return Party(role, int.from_bytes(data[1:_END], "little"))


def _peer(stream: _Opened) -> Party | None:
    """The other end in a label; None where it names none."""
    if entries("steps")[stream.step]["at"] == "pair":
        return None
    rest = stream.label[len(STEP_LABELS[stream.step]) + 1 :]
    me, ends = _party(rest), [_party(rest[_END + 32 + at :]) for at in (0, _END)]
    return next(end for end in ends if end != me)


def _pair(stream: _Opened) -> dict[str, Any]:
    """Inputs of the masks of a pair, whose seed is the pair's key."""
    query = int.from_bytes(stream.label[-4:], "little")
    return {"me": answering_party(1), "peer": answering_party(2), "query": query, "layer": 0}


def _given(call: Call, fields: Mapping[str, Any], stream: _Opened, script: Script) -> dict[str, Any]:
    """Inputs from which a step's label follows, out of the step itself."""
    peer, start = _peer(stream), len(STEP_LABELS[stream.step]) + 1 + _END + 32 + 2 * _END
    if peer is None:
        raise GenerationError(f"{stream.step}: a label of a pair under the seed of a step")
    query, layer = int.from_bytes(stream.label[start : start + 4], "little"), stream.label[start + 4]
    ends = [0]
    for _, batch in script:
        ends.append(ends[-1] + len(batch))
    count = next((last - first for first, last in pairwise(ends) if query <= last), 1)
    drawn = stream.taken.integers
    bound = entries("steps")[stream.step].get("bound_to")
    takes = [draw["take"] for draw in entries("steps")[stream.step]["draws"]]
    in_batch = any(take.startswith("n ") for take in takes)
    return {
        "me": call.party,
        "peer": peer,
        "query": query,
        "layer": layer,
        "count": count if in_batch else 1,
        "elements": len(drawn) // count if in_batch else 0,
        "bound_to": _bound(call, fields["message"][HEADER.size :]) if bound else [],
    }


def _bound(call: Call, payload: bytes) -> list[bytes]:
    """What a label is bound to, of a step that was sent this payload."""
    if call.operation.name != "privacy_guardian_release":
        return [payload]
    state = call.given[0]
    rows, _ = request_lengths(state.party.suite.two_party, state.party.session.parameters)
    return [state.inputs_digest, sha256(payload[:rows]).digest(), payload[rows:]]


@dataclass(frozen=True)
class _Unplayed:
    """A step of no session here: with BFV or an engine, or one that takes nothing."""

    name: str
    comment: str
    me: Party
    peer: Party
    step: str
    given: Mapping[str, Any]
    bound_bytes: int = 0


_ONE = answering_party(1)
_IN_BATCH = {"query": 1, "layer": 1, "count": 2}
_BFV = {"linear": LinearLayer.BFV}
_RESPONSE = {**_IN_BATCH, **_BFV, "elements": 3}
_LAST = {**_IN_BATCH, "last": True}
_UNPLAYED = (
    _Unplayed(
        "bfv", "With BFV the error of the key follows.", QUERYING_PARTY, _ONE, "querying_party_finish_setup", _BFV
    ),
    _Unplayed("bfv", "The seed of a response.", _ONE, QUERYING_PARTY, "answering_party_evaluate_layer", _RESPONSE, 8),
    _Unplayed("bfv", "The seed of a response.", _ONE, QUERYING_PARTY, "answering_party_prepare_layer", _RESPONSE, 8),
    _Unplayed("vote", "The vote has no masks.", QUERYING_PARTY, _ONE, "querying_party_keep_circuits", _LAST),
    _Unplayed("last", "The last round: nothing.", QUERYING_PARTY, _ONE, "querying_party_evaluate_round", _LAST, 40),
    _Unplayed(
        "nothing",
        "Out of realised mode: nothing.",
        QUERYING_PARTY,
        PRIVACY_GUARDIAN,
        "querying_party_request_release",
        {"query": 1},
    ),
    _Unplayed(
        "engine", "Fresh shares for an engine.", _ONE, QUERYING_PARTY, "answering_party_enter_argmax", _IN_BATCH, 48
    ),
)


def _unplayed(group: GroupBuilder) -> None:
    """Made from the table alone. What a label is bound to stands for a payload, or for shares of logits."""
    for case in _UNPLAYED:
        test = group.test(f"{case.step}_{case.name}", case.comment, _LABELS)
        fields = {**_PLAIN, "query": 0, "layer": 0, "peer": case.peer, "seed": test.seed(), **case.given}
        if case.bound_bytes:
            fields["bound_to"] = [test.draw("bound_to", case.bound_bytes)]
        test.run("step_draws", case.me, step=case.step, **fields)


def _with_engine(group: GroupBuilder, name: str) -> None:
    """What the guardian enters into an engine."""
    step, digest = "privacy_guardian_enter_release", group.source.draw("inputs_digest", 32)
    test = group.test(f"{name}_{step}", "Noise and blinding for an engine.", _LABELS)
    place: dict[str, Any] = {"query": 1, "layer": 0, "peer": QUERYING_PARTY, "seed": test.seed()}
    test.run("step_draws", PRIVACY_GUARDIAN, step=step, **{**_PLAIN, **place, "bound_to": [digest]})


def _tags(file: FileBuilder) -> None:
    """Each tag with fields of the file's randomness."""
    group = file.group(TAGGED)
    scalars = [primitives.random_scalar(BytesSource(file.source.draw(f"scalar/{number}", 64))) for number in (1, 2)]
    points = [primitives.base_multiply(scalar) for scalar in scalars]
    chosen: dict[str, Any] = {
        "number": 258,
        "tree": 3,
        "place": 7,
        "index": 2,
        "size": 258,
        "position": 1 << 20,
        "query": 258,
        "party": 0,
        "name": "lab_a",
        "version": "1",
        "words": [0, 1, (1 << 64) - 1],
        "scalar": scalars[0],
        "peer_point": points[1],
        "label": b"privacy_guardian_release/",
        "canonical": b'{"num_classes": 3}',
    }
    for tag, (fields, _) in FRAMES.items():
        name = f"tag_{tag.replace('-', '_')}"
        given = {key: chosen[key] if key in chosen else _value(file, name, key, kind) for key, kind in fields.items()}
        group.case("tag_use", name, "The tag, once.", _TAGS, of={"kind": tag, **given})


def _value(file: FileBuilder, name: str, field: str, kind: Kind) -> Any:  # noqa: ANN401
    """Bytes of the length that the field has, of nodes and seeds of AES 16; numbers that stand for nothing."""
    if kind is COUNT:
        return 17
    if kind is not DATA:
        return [file.source.draw(f"{name}/{field}/{index}", 32) for index in range(3)]
    return file.source.draw(f"{name}/{field}", 16 if field == "node" else 32)
