"""What steps really draw from their seeds in a session, and where it is not what the registry says (section 11).

Every expansion is noted, with each value that is read of it. All expansions of one seed belong to one call of a step.
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from math import prod

import pytest

from capc.foundation.parties import PRIVACY_GUARDIAN, QUERYING_PARTY, ROLE_CODES, Party, Role
from capc.foundation.randomness import RandomSource, Seed, XofSource
from capc.linear.bfv import masks
from capc.models.architecture import Activation
from capc.session.parameters import Charge
from capc.session.session import Session
from capc.steps.suite import Suite
from capc.two_party.circuits.tournament import matches_per_round
from capc_spec.registry import STEP_LABELS, TAGS, entries
from protocol import recorded

STEPS = entries("steps")
BY_LABEL = {label: step for step, label in STEP_LABELS.items()}
PREFIXES = tuple(f"{role.value}_" for role in Role)
CONTEXT = 3 + 32 + 6 + 4 + 1
"""Bytes after a step's label: its party, the session, both ends, query and layer."""
_TAKE = re.compile(r"(.+) x (?:(read|bits)\(([\w+ ]+)\)|(\w+))")


@dataclass
class Stream:
    """One expansion: its label, the step function that made it, and what was read, in order."""

    seed: Seed
    label: bytes
    function: str
    reads: list[str] = field(default_factory=list)


class NotingSource:
    """A source that notes what is read of it, but for what a sampler reads."""

    def __init__(self, source: RandomSource, stream: Stream) -> None:
        self._source, self._stream = source, stream
        self.below = source.below

    def read(self, length: int) -> bytes:
        self._stream.reads.append(f"read({length})")
        return self._source.read(length)

    def bits(self, width: int) -> int:
        self._stream.reads.append(f"bits({width})")
        return self._source.bits(width)

    def sampled(self, law: str, count: int) -> RandomSource:
        """For a sampler: its draws are noted by the law's name, and not what they read."""
        self._stream.reads += [law] * count
        return self._source


@dataclass
class Notes:
    """What was drawn in one recorded session.

    Attributes:
        encrypted: whether it is played with BFV.
        counts: of each batch's queries, by the number of the first.
        streams: of steps, in the order in which they were expanded.
        responses: the same of seeds of responses.
        made: how many streams there were, noted or not.
        engine: the two-party engine's name.
    """

    encrypted: bool
    session: Session | None = None
    counts: dict[int, int] = field(default_factory=dict)
    streams: list[Stream] = field(default_factory=list)
    responses: list[Stream] = field(default_factory=list)
    made: int = 0
    engine: str = ""

    def expand(self, seed: Seed, label: bytes) -> NotingSource:
        self.streams.append(Stream(seed, label, _drawing_step()))
        return NotingSource(by_label(seed, label), self.streams[-1])

    def respond(self, seed: Seed, label: bytes) -> NotingSource:
        self.responses.append(Stream(seed, label, _drawing_step()))
        return NotingSource(XofSource(seed, label), self.responses[-1])


by_label, make_suite, open_session, label_batch = (
    recorded.by_label,
    recorded.reference_suite,
    recorded.open_collaboration,
    recorded.label,
)


def played(number: int, *, encrypted: bool = False) -> Notes:
    """Plays a recorded session, and notes what its steps draw."""
    notes = Notes(encrypted)

    def noting_suite(parameters, *arguments) -> Suite:
        suite = make_suite(parameters, *arguments)
        notes.engine = type(suite.two_party).__name__
        kind = type(suite.mechanisms.answer)
        sample = kind.sample

        def noting_sample(self, source: NotingSource, count: int) -> list[int]:
            return sample(
                self, source.sampled("answer" if self is suite.mechanisms.answer else "threshold", count), count
            )

        patch.setattr(kind, "sample", noting_sample)
        return suite

    def noting_session(session: Session, *arguments, **options):
        notes.session = session
        return open_session(session, *arguments, **options)

    def noting_batch(collaboration, way: str, queries):
        results = label_batch(collaboration, way, queries)
        notes.counts[results[0].index] = len(results)
        return results

    begin = XofSource.__init__

    def counting(self, seed: Seed, label: bytes) -> None:
        notes.made += 1
        begin(self, seed, label)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(XofSource, "__init__", counting)
        patch.setattr(recorded, "by_label", notes.expand)
        patch.setattr(recorded, "reference_suite", noting_suite)
        patch.setattr(recorded, "open_collaboration", noting_session)
        patch.setattr(recorded, "label", noting_batch)
        patch.setattr(masks, "XofSource", notes.respond)
        recorded.play(number, encrypted=encrypted)
    return notes


def differences(notes: Notes) -> Iterator[str]:
    """Each call of a step that draws otherwise than the registry says."""
    calls: dict[object, list[Stream]] = defaultdict(list)
    for stream in notes.streams:
        if stream.reads:
            step = BY_LABEL.get(stream.label.partition(b"/")[0], "no step")
            # One key of a pair serves all queries.
            calls[stream.label if step == "answering_party_send_vote" else stream.seed].append(stream)
    for streams in calls.values():
        step = BY_LABEL.get(streams[0].label.partition(b"/")[0])
        if step is None:
            yield f"{streams[0].label!r} begins with no step's label"
        elif step == "answering_party_send_vote":
            yield from _pair_differences(notes, streams)
        else:
            yield from _step_differences(notes, step, streams)
    yield from _response_differences(notes)
    if notes.made != len(notes.streams) + len(notes.responses):
        yield f"{notes.made} streams, of which {len(notes.streams) + len(notes.responses)} are the steps'"


def _step_differences(notes: Notes, step: str, streams: list[Stream]) -> Iterator[str]:
    entry, session = STEPS[step], notes.session
    start = len(entry["label"]) + 1
    own, numbers = streams[0].label[start : start + 3], streams[0].label[start + CONTEXT - 5 : start + CONTEXT]
    me = Party(list(ROLE_CODES)[own[0]], int.from_bytes(own[1:], "little"))
    query, layer = int.from_bytes(numbers[:4], "little"), numbers[4]
    if not step.startswith(me.role.value) or not _placed(notes, entry["at"], query, layer):
        yield f"{step}: drawn by {me} at query {query}, layer {layer}"
    ends = streams[0].label[start + CONTEXT - 11 : start + CONTEXT - 5]
    peer = next((each for each in session.answering_parties if party_bytes(each) in (ends[:3], ends[3:])), None)
    wanted = []
    for other in _peers(entry["peers"], session, peer):
        answering = peer if other.role is Role.QUERYING_PARTY else other if other.role is Role.ANSWERING_PARTY else None
        place = Place(notes, answering, query, layer)
        pair = b"".join(sorted((own, party_bytes(other))))
        head = entry["label"].encode() + b"/" + own + session.tag + pair + numbers
        for part in dict.fromkeys(draw.get("part") for draw in entry["draws"]):
            reads = [read for draw in entry["draws"] if draw.get("part") == part for read in place.reads(draw)]
            wanted.append((head, TAGS[part] if part else b"", reads))
    end = start + CONTEXT
    bound = end + (32 if "bound_to" in entry else 0)
    found = [(stream.label[:end], stream.label[bound:], stream.reads) for stream in streams]
    if found != [stream for stream in wanted if stream[2]]:
        yield f"{step}: {found} instead of {wanted}"


def _peers(named: str, session: Session, peer: Party | None) -> list[Party]:
    peers = list(session.answering_parties)
    return {
        "QP": [QUERYING_PARTY],
        "PG": [PRIVACY_GUARDIAN],
        "AP": peers,
        "AP, PG": [*peers, PRIVACY_GUARDIAN],
        "AP_1": peers[:1],
        "AP_i": [peer],
    }[named]


@dataclass(frozen=True)
class Place:
    """Where a step is, which decides how much it draws."""

    notes: Notes
    answering: Party | None
    query: int
    layer: int

    def reads(self, draw: dict[str, str]) -> list[str]:
        """What an entry of the registry means here."""
        if "when" in draw and not WHEN[draw["when"]](self):
            return []
        count, kind, size, law = _TAKE.fullmatch(draw["take"]).groups()
        one = {"scalar": "read(64)"}.get(law, law) if law else f"{kind}({self._number(size)})"
        return [one] * prod(map(self._number, count.split()))

    @property
    def stage(self):
        return self.notes.session.architecture(self.answering).stages[self.layer]

    def _number(self, symbol: str) -> int:
        parameters = self.notes.session.parameters
        if symbol.isdigit():
            return int(symbol)
        return {
            "n": lambda: self.notes.counts[self.query],
            "S": lambda: self.stage.sums,
            "O": lambda: self.stage.outputs,
            "C": lambda: parameters.num_classes,
            "d": lambda: parameters.num_features,
            "l": lambda: parameters.widths.logit_bits,
            "l + h": lambda: parameters.widths.share_bits,
            "6 N": lambda: 6 * parameters.widths.he_poly_degree,
            "w": lambda: parameters.widths.vote_bits,
        }[symbol]()

    def last_round(self) -> bool:
        session = self.notes.session
        rounds = len(matches_per_round(session.parameters.num_classes))
        return self.layer == len(session.architecture(self.answering).stages) + rounds - 2


WHEN: dict[str, Callable[[Place], bool]] = {
    "with BFV": lambda place: place.notes.encrypted,
    "with BFV, for AP": lambda place: place.notes.encrypted and place.answering is not None,
    "with F_linear": lambda place: not place.notes.encrypted,
    "in realised mode": lambda place: place.notes.session.parameters.release.charge is Charge.REALISED,
    "with draws of the check": lambda place: place.notes.session.parameters.release.threshold_sigma is not None,
    "but for the vote": lambda place: place.stage.activation is not Activation.VOTE,
    "but in the last round": lambda place: not place.last_round(),
}


def _pair_differences(notes: Notes, streams: list[Stream]) -> Iterator[str]:
    """Both ends of each pair draw its mask of a query, each for itself."""
    entry, parameters = STEPS["answering_party_send_vote"], notes.session.parameters
    label = entry["label"].encode() + b"/" + notes.session.tag
    keys = {stream.seed for stream in streams}
    wanted = [f"bits({parameters.widths.vote_bits})"] * parameters.num_classes
    count = notes.session.num_answering
    fits = entry["draws"][0]["take"] == "C x bits(w)" and all(stream.reads == wanted for stream in streams)
    if not fits or len(streams) != count * (count - 1) or len(keys) != len(streams) // 2:
        yield f"answering_party_send_vote: {[stream.reads for stream in streams]}"
    query = int.from_bytes(streams[0].label[-4:], "little")
    if streams[0].label[:-4] != label or not _placed(notes, "query", query, 0):
        yield f"answering_party_send_vote: label {streams[0].label!r}"


def _response_differences(notes: Notes) -> Iterator[str]:
    """Three streams for each ciphertext, which the owner of a response's seed numbers from 0."""
    by_seed: dict[Seed, list[bytes]] = defaultdict(list)
    for stream in notes.responses:
        by_seed[stream.seed].append(stream.label)
    for labels in by_seed.values():
        numbers = range(len(labels) // 3)
        wanted = {TAGS[tag] + n.to_bytes(4, "little") for n in numbers for tag in ("ternary", "error", "mask")}
        if len(labels) % 3 or set(labels) != wanted or len(wanted) != len(labels):
            yield f"the seed of a response: {labels}"


def _placed(notes: Notes, at: str, query: int, layer: int) -> bool:
    queries = {first + n for first, count in notes.counts.items() for n in range(count)}
    return {
        "set-up": query == layer == 0,
        "batch": query in notes.counts and layer == 0,
        "layer": query in notes.counts,
        "round": query in notes.counts,
        "query": query in queries and layer == 0,
    }[at]


def party_bytes(party: Party) -> bytes:
    return bytes([ROLE_CODES[party.role]]) + party.index.to_bytes(2, "little")


def _drawing_step() -> str:
    """The step function that draws."""
    frame = sys._getframe(2)
    while frame is not None and not frame.f_code.co_name.startswith(PREFIXES):
        frame = frame.f_back
    return "" if frame is None else frame.f_code.co_name
