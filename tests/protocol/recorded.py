"""Random whole sessions over all modes, from fixed seeds, and what is recorded of their messages.

``PYTHONPATH=tests python -m protocol.recorded`` writes the record anew, after a change that is meant to change bytes.

Every connection's messages count in their order: their step, sender, receiver and length, and their bytes. Which of two
connections speaks first is the runner's choice, so the order among them does not count, nor does the order in which
seeds are drawn: a step's randomness is a function of its label. Labels lose the digests of inputs, so that HE, which
has randomness of its own, changes the bytes of its own messages only; of those the header, the length and what they
decrypt to are recorded.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from random import Random  # noqa: TID251  # what is played comes from it, and no secret

from capc.foundation.randomness import RandomSource, Seed, XofSource
from capc.linear.bfv import BfvLinear
from capc.linear.ideal import IdealLinear
from capc.models.architecture import Activation, Architecture, StageShape
from capc.models.model import QuantisedLayer, QuantisedModel, dense_model
from capc.models.operators import Convolution, Dense, Grid, SumPool
from capc.protocol.collaboration import Collaboration
from capc.protocol.embedded_methods import EMBEDDED
from capc.protocol.engine_protocol import with_engine
from capc.session.envelope import HEADER, MessageType
from capc.session.parameters import Charge, NoiseName, Parameters, VoteVariant
from capc.session.session import Session
from capc.steps.suite import Suite, reference_suite
from capc.two_party.garbling.readable import GarbledTwoParty
from capc.two_party.vectorised import VectorisedTwoParty
from support.builders import (
    confident_policy,
    counter_seeds,
    make_account,
    make_parameters,
    make_participants,
    make_policy,
    make_widths,
)
from support.engines import ClearEngine

FILE = Path(__file__).with_name("recorded_sessions.json")
SESSIONS = range(200)
ENCRYPTED = range(12)
"""Sessions that are played with BFV, too."""
FRACTION_BITS = 2
_CONTEXT = 3 + 32 + 6 + 4 + 1
"""Bytes of a label between its step and the digest of inputs: the party, session, pair, query and layer."""
_HE = {MessageType.HE_PUBLIC_KEY, MessageType.LINEAR_REQUEST, MessageType.LINEAR_RESPONSE}


class Record:
    """Observes a session, and gives its digest.

    Args:
        encrypted: of HE messages the header and the length count only.
    """

    def __init__(self, *, encrypted: bool) -> None:
        self._encrypted = encrypted
        self._connections: defaultdict[str, list[bytes]] = defaultdict(list)
        self.note_bytes = self._connections["results"].append

    def message(self, step: object, sender: object, receiver: object, message: bytes) -> None:
        hidden = self._encrypted and message[0] in _HE
        content = message[: HEADER.size] if hidden else message
        line = f"{step}/{len(message)}/{hashlib.sha256(content).hexdigest()}"
        self._connections[f"{sender}>{receiver}"].append(line.encode())

    def note(self, what: object) -> None:
        self.note_bytes(repr(what).encode())

    def digest(self) -> str:
        """Of everything so far."""
        lines = [[name, *(entry.decode() for entry in self._connections[name])] for name in sorted(self._connections)]
        return hashlib.sha256(json.dumps(lines).encode()).hexdigest()


def by_label(seed: Seed, label: bytes) -> RandomSource:
    """A step's stream from its label alone; of a pair's masks from the pair's key too."""
    step, _, rest = label.partition(b"/")
    if step == b"zero-sum":
        return XofSource(seed, label)
    return XofSource(Seed(bytes(32)), step + b"/" + rest[:_CONTEXT] + rest[_CONTEXT + 32 :])


class NotedBfv(BfvLinear):
    """Notes what is decrypted."""

    record: Record

    def decrypt(self, *arguments):
        rows = super().decrypt(*arguments)
        self.record.note(rows)
        return rows


def random_layer(rng: Random, rows: int, columns: int, most: int) -> QuantisedLayer:
    weights = tuple(tuple(rng.randint(-most, most) for _ in range(columns)) for _ in range(rows))
    return QuantisedLayer(weights, tuple(rng.randint(-most, most) for _ in range(rows)))


def random_model(rng: Random, num_features: int, num_classes: int) -> QuantisedModel:
    """Fully connected with up to two hidden layers, or, of four features, with convolutions, pools and a skip."""
    if num_features != 4 or rng.random() < 0.3:
        sizes = (num_features, *(rng.randint(1, 3) for _ in range(rng.randint(0, 2))), num_classes)
        pairs = pairwise(sizes)
        return dense_model(tuple(random_layer(rng, after, before, 3) for before, after in pairs), FRACTION_BITS)
    pool = Grid(2, 2, 2, (2, 2)) if rng.random() < 0.5 else None
    side = 2 if pool is None else 1
    wide = Convolution(Grid(1, 2, 2, (1, 1)), 2)
    pointwise = Convolution(Grid(2, side, side, (1, 1)), 2)
    sums = SumPool(Grid(2, side, side, (side, side)))
    stages = (
        StageShape(wide, 0, Activation.RELU if pool is None else Activation.RELU_MAX_POOL, max_pool=pool),
        StageShape(pointwise, 1, Activation.NONE),
        StageShape(pointwise, 1, Activation.RELU, (2,)),
        StageShape(Dense(2, num_classes), 3, Activation.VOTE, sum_pool=sums),
    )
    layers = tuple(random_layer(rng, stage.operator.rows, stage.operator.columns, 2) for stage in stages)
    return QuantisedModel(Architecture(stages), layers, FRACTION_BITS)


def random_parameters(rng: Random, num_features: int, num_answering: int) -> Parameters:
    threshold = Fraction(rng.randint(0, num_answering))
    policy = rng.choice(
        (
            make_policy(),
            make_policy(Fraction(2), mechanism=NoiseName.ROUNDED_GAUSSIAN),
            confident_policy(threshold=threshold),
            confident_policy(Charge.REALISED, threshold),
        )
    )
    widths = make_widths(rng.randint(20, 24), vote_bits=14, fraction_bits=FRACTION_BITS)
    made = make_parameters(widths, policy, rng.randint(2, 5), num_features)
    return replace(made, vote_variant=rng.choice(list(VoteVariant)))


def play(number: int, *, encrypted: bool = False) -> dict[str, object]:
    """What is recorded of one session: how it was played, its digest, the number of seeds, and costs but seconds."""
    rng = Random(number)  # noqa: S311
    num_features, num_answering = rng.choice((1, 2, 3, 4, 4)), rng.randint(1, 3)
    parameters = random_parameters(rng, num_features, num_answering)
    models = [random_model(rng, num_features, parameters.num_classes) for _ in range(num_answering)]
    session = Session(parameters, rng.randbytes(32), make_participants([model.architecture for model in models]))
    record = Record(encrypted=encrypted)
    linear = NotedBfv(parameters.widths) if encrypted else IdealLinear(parameters.widths.logit_bits)
    if isinstance(linear, NotedBfv):
        linear.record = record
    two_party = rng.choice((GarbledTwoParty(), VectorisedTwoParty()))
    suite = replace(reference_suite(parameters, linear, two_party), expand=by_label)
    outside = parameters.vote_variant is VoteVariant.TOURNAMENT and rng.random() < 0.4
    seeds, drawn = counter_seeds(f"session {number}"), []

    def draw() -> Seed:
        drawn.append(seeds())
        return drawn[-1]

    played = open_collaboration(session, models, suite, draw, record, outside=outside)
    ways = []
    for way, queries in random_batches(rng, parameters, outside=outside):
        ways.append(f"{way} {len(queries)}")
        for result in label(played, way, queries):
            record.note((result.index, result.label, result.noise.classes, result.noise.threshold))
            if result.label != result.ideal_label:
                raise AssertionError(f"session {number}: label {result.label} instead of {result.ideal_label}")
    return {
        "mode": " ".join(
            (parameters.vote_variant.value, "outside" if outside else "embedded", str(num_answering), *ways)
        ),
        "digest": record.digest(),
        "seeds": len(drawn),
        "costs": {name: [cost.bytes, cost.rounds] for name, cost in played.costs.items()},
    }


def random_batches(rng: Random, parameters: Parameters, *, outside: bool) -> Iterator[tuple[str, list[list[int]]]]:
    ways = ["batch"] if outside or parameters.vote_variant is VoteVariant.MULTI_ROUND else ["batch", "prepared"]
    one = 1 << FRACTION_BITS
    for _ in range(rng.randint(1, 3)):
        way, count = rng.choice(ways), rng.randint(1, 3)
        yield way, [[rng.randint(-one, one) for _ in range(parameters.num_features)] for _ in range(count)]


def open_collaboration(
    session: Session, models: Sequence[QuantisedModel], suite: Suite, draw, record: Record, *, outside: bool
) -> Collaboration:
    account = make_account(session.parameters)
    methods = with_engine(ClearEngine()) if outside else EMBEDDED
    return Collaboration(session, models, suite, account, methods, draw_seed=draw, observer=record)


def label(played: Collaboration, way: str, queries: list[list[int]]):
    if way == "batch":
        return played.label_batch(queries)
    return played.label_prepared(played.prepare(len(queries)), queries)


def write() -> None:
    made = {
        "ideal": [play(number) for number in SESSIONS],
        "bfv": [play(number, encrypted=True) for number in ENCRYPTED],
    }
    lines = [
        f" {json.dumps(kind)}: [\n" + ",\n".join(f"  {json.dumps(entry)}" for entry in entries) + "\n ]"
        for kind, entries in made.items()
    ]
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    write()
