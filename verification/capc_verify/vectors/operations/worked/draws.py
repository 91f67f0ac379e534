"""The randomness of steps: the label of each stream in full, and what is drawn from it, in order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import prod
from typing import Any

from capc.foundation import primitives
from capc.foundation.parties import QUERYING_PARTY
from capc.foundation.randomness import RandomSource, Seed, XofSource
from capc.session.channel import Channel
from capc.session.parameters import Charge
from capc.session.session import Session
from capc_spec.registry import STEP_LABELS, TAGS, entries
from capc_verify.vectors.operation import ANY_ROLE, Call, GroupType, Operation, Result, named
from capc_verify.vectors.operations.protocol.sessions import SESSION
from capc_verify.vectors.operations.protocol.step import Protocol, protocol_from
from capc_verify.vectors.values import COUNT, DATA, FLAG, INTEGERS, PARTY, TEXT, Kind, choice, many, record

STEPS = entries("steps")
_STEP = Kind(lambda _: {"enum": list(STEPS)}, str, str)
"""A step that draws."""


class LinearLayer(StrEnum):
    """What computes linear layers."""

    BFV = "bfv"
    IDEAL = "F_linear"


@dataclass(frozen=True)
class _Sizes:
    """What the counts and widths of section 11's table stand for in one call."""

    n: int
    elements: int
    C: int
    l: int  # noqa: E741  # the names are the table's
    h: int
    w: int
    N: int

    def number(self, text: str) -> int:
        """A count or a width: a sum of products of numbers and symbols; S, d and O are the call's elements."""
        return sum(prod(map(self._word, term.split())) for term in text.split(" + "))

    def _word(self, word: str) -> int:
        found: int = int(word) if word.isdecimal() else self.elements if word in "SdO" else getattr(self, word)
        return found


def sizes_of(session: Session, count: int, elements: int) -> _Sizes:
    """The sizes of a session, for a batch of ``count`` queries and ``elements`` elements each."""
    widths = session.parameters.widths
    return _Sizes(
        count,
        elements,
        session.parameters.num_classes,
        widths.logit_bits,
        widths.guard_bits,
        widths.vote_bits,
        widths.he_poly_degree,
    )


def _is_drawn(session: Session, call: Call, when: str | None) -> bool:
    """Whether a draw that the table has for some cases only is made in this one."""
    release = session.parameters.release
    cases: Mapping[str | None, Callable[[], bool]] = {
        None: lambda: True,
        "with BFV, for AP": lambda: call["linear"] is LinearLayer.BFV and call["peer"].index > 0,
        "with BFV": lambda: call["linear"] is LinearLayer.BFV,
        "with F_linear": lambda: call["linear"] is LinearLayer.IDEAL,
        "but in the last round": lambda: not call["last"],
        "but for the vote": lambda: not call["last"],
        "in realised mode": lambda: release.charge is Charge.REALISED,
        "with draws of the check": lambda: release.threshold_sigma is not None,
    }
    return cases[when]()


def label_of(call: Call) -> bytes:
    """The label of a step, without a part such as that of noise."""
    session: Session = call.environment.session
    step, entry, bound = call["step"], STEPS[call["step"]], call["bound_to"]
    query: int = call["query"]
    if entry["at"] == "pair":
        return STEP_LABELS[step] + b"/" + session.tag + query.to_bytes(4, "little")
    channel = Channel(session.tag, call.party or QUERYING_PARTY, call["peer"])
    together = b"".join(bound) if bound else None
    if entry.get("bound_to", "").endswith("as it is"):
        return channel.label(step, query, call["layer"]) + (together or b"")
    return channel.label(step, query, call["layer"], together)


def _streams(call: Call) -> Iterator[Mapping[str, Any]]:
    protocol: Protocol = call.environment
    session = protocol.session
    sizes, label = sizes_of(session, call["count"], call["elements"]), label_of(call)
    draws = [draw for draw in STEPS[call["step"]]["draws"] if _is_drawn(session, call, draw.get("when"))]
    for part in dict.fromkeys(draw.get("part") for draw in draws):
        whole = label + (TAGS[part] if part else b"")
        source = XofSource(Seed(call["seed"]), whole)
        here = [draw["take"] for draw in draws if draw.get("part") == part]
        yield {"label": whole, "draws": [_drawn(protocol, sizes, take, source) for take in here]}


def _drawn(protocol: Protocol, sizes: _Sizes, take: str, source: RandomSource) -> Mapping[str, Any]:
    """One entry of the table: so many draws of one kind."""
    times, _, what = take.partition(" x ")
    name, _, argument = what.rstrip(")").partition("(")
    count, size = sizes.number(times), sizes.number(argument)
    shown: dict[str, Any] = {"take": f"{count} x {name}{f'({size})' if argument else ''}", "integers": [], "data": b""}
    if name == "bits":
        return shown | {"integers": [source.bits(size) for _ in range(count)]}
    if name in {"answer", "threshold"}:
        return shown | {"integers": getattr(protocol.suite.mechanisms, name).sample(source, count)}
    drawn = [source.read(size) if name == "read" else primitives.random_scalar(source) for _ in range(count)]
    return shown | {"data": b"".join(drawn)}


_DRAW: Mapping[str, Kind] = {"take": TEXT, "integers": INTEGERS, "data": DATA}
DRAWS = GroupType(
    "StepDraws",
    named(
        Operation(
            "step_draws",
            lambda call: Result({"streams": list(_streams(call))}),
            {
                "step": _STEP,
                "peer": PARTY,
                "query": COUNT,
                "layer": COUNT,
                "bound_to": many(DATA),
                "seed": DATA,
                "linear": choice(LinearLayer),
                "count": COUNT,
                "elements": COUNT,
                "last": FLAG,
            },
            {"streams": many(record({"label": DATA, "draws": many(record(_DRAW))}))},
            role=ANY_ROLE,
        )
    ),
    {"session": SESSION},
    protocol_from,
)
"""Each step that draws, by itself."""
