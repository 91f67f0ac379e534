"""Every tag of section 11, used once: from the fields of its frame to the bytes that they give."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping
from typing import Any

from capc.foundation import primitives
from capc.foundation.parties import QUERYING_PARTY, answering_party
from capc.foundation.primitives import Point, Scalar
from capc.foundation.randomness import SEED_BYTES, Seed, XofSource
from capc.privacy.ledger.chain import Head, next_link
from capc.privacy.ledger.checkpoints import next_state
from capc.privacy.ledger.records import commitment_of
from capc.session.channel import Channel
from capc.steps.zero_sum import pairwise_key
from capc.two_party.garbling.transfers.extension_check import challenge, set_up_digest
from capc.two_party.garbling.transfers.tree_check import tags_and_leaves
from capc_spec.registry import TAGS
from capc_verify.vectors.operation import GroupType, Operation, Result, named
from capc_verify.vectors.values import COUNT, DATA, INTEGERS, TEXT, Kind, constant, many, one_of

Fields = Mapping[str, Any]
Frame = tuple[Mapping[str, Kind], Callable[[Fields], bytes]]
"""What goes into a frame beside its tag, and what comes out."""

_SHOWN = 32
"""Bytes that are shown of a stream."""


def _sha256(tag: str, *parts: bytes) -> bytes:
    return hashlib.sha256(TAGS[tag] + b"".join(parts)).digest()


def _words(of: Fields) -> bytes:
    return b"".join(word.to_bytes(8, "little") for word in of["words"])


def _leaf(of: Fields) -> bytes:
    # The other places of the tree do not enter.
    nodes = [of["node"] if place == of["place"] else None for place in range(16)]
    tags, leaves = tags_and_leaves(of["context"], of["tree"], nodes)
    return (tags[of["place"]] or b"") + (leaves[of["place"]] or b"")


def _reverse(of: Fields) -> bytes:
    return Channel(of["session_tag"], answering_party(of["index"]), QUERYING_PARTY).context() + TAGS["reverse"]


def _pairwise(of: Fields) -> bytes:
    points = {
        1: primitives.base_multiply(Scalar(of["scalar"])),
        2: primitives.read_point(of["peer_point"]),
    }
    return pairwise_key(of["session_tag"], Scalar(of["scalar"]), points, 1, 2)


def _stream(seed: bytes, label: bytes) -> bytes:
    return XofSource(Seed(seed), label).read(_SHOWN)


def _under(tag: str) -> Frame:
    """A tag that is a whole label."""
    return {"seed": DATA}, lambda of: _stream(of["seed"], TAGS[tag])


def _after_label(tag: str) -> Frame:
    return {"seed": DATA, "label": DATA}, lambda of: _stream(of["seed"], of["label"] + TAGS[tag])


def _of_ciphertext(tag: str) -> Frame:
    return {"seed": DATA, "number": COUNT}, lambda of: _stream(
        of["seed"], TAGS[tag] + of["number"].to_bytes(4, "little")
    )


def _checkpoint(of: Fields) -> bytes:
    size: int = of["size"]
    return TAGS["ledger-checkpoint"] + b"".join((of["identity"], size.to_bytes(8, "little"), of["link"], of["state"]))


_ROW = Seed(bytes(SEED_BYTES))
_HEAD = {"identity": DATA, "size": COUNT, "link": DATA}
_KEYED = {"seed": DATA, "label": DATA}
FRAMES: Mapping[str, Frame] = {
    "xof": (_KEYED, lambda of: _stream(of["seed"], of["label"])),
    "parameters": ({"canonical": DATA}, lambda of: _sha256("parameters", of["canonical"])),
    "session": (
        {"parameter_digest": DATA, "canonical": DATA},
        lambda of: _sha256("session", of["parameter_digest"], of["canonical"]),
    ),
    "base-ot": (
        {"context": DATA, "number": COUNT, "offer": DATA, "choice": DATA, "shared": DATA},
        lambda of: _sha256(
            "base-ot",
            len(of["context"]).to_bytes(2, "little"),
            of["context"],
            of["number"].to_bytes(2, "little"),
            Point(of["offer"]),
            Point(of["choice"]),
            Point(of["shared"]),
        ),
    ),
    "ot-leaf": ({"context": DATA, "tree": COUNT, "place": COUNT, "node": DATA}, _leaf),
    "ot-tags": ({"tags": many(DATA)}, lambda of: _sha256("ot-tags", *of["tags"])),
    "ot-set-up": (
        {"context": DATA, "offer": DATA, "choice": DATA, "trees": DATA},
        lambda of: set_up_digest(of["context"], of["offer"] + of["choice"], of["trees"]),
    ),
    "ot-challenge": (
        {"set_up": DATA, "position": COUNT, "rows": DATA},
        lambda of: challenge(of["set_up"], of["position"], of["rows"]),
    ),
    "ot-columns": ({"hashes": many(DATA)}, lambda of: _sha256("ot-columns", *of["hashes"])),
    "reverse": ({"session_tag": DATA, "index": COUNT}, _reverse),
    "pairwise-mask": ({"session_tag": DATA, "scalar": DATA, "peer_point": DATA}, _pairwise),
    "noise-binding": (
        {"session_tag": DATA, "query": COUNT, "payloads": many(DATA)},
        lambda of: _sha256("noise-binding", of["session_tag"], of["query"].to_bytes(4, "little"), *of["payloads"]),
    ),
    "garble": _after_label("garble"),
    "noise": _after_label("noise"),
    "commitment": _after_label("commitment"),
    "engine-commitment": (
        {"blinding": DATA, "words": INTEGERS},
        lambda of: _sha256("engine-commitment", of["blinding"], _words(of)),
    ),
    "guardian-free-binding": (
        {"blinding": DATA, "session_tag": DATA, "query": COUNT, "words": INTEGERS},
        lambda of: _sha256(
            "guardian-free-binding",
            of["blinding"],
            of["session_tag"],
            of["query"].to_bytes(4, "little"),
            _words(of),
        ),
    ),
    "ternary": _of_ciphertext("ternary"),
    "error": _of_ciphertext("error"),
    "mask": _of_ciphertext("mask"),
    "public-key": (
        {"context": DATA, "choice": DATA},
        lambda of: hashlib.shake_256(TAGS["public-key"] + of["context"] + of["choice"]).digest(64),
    ),
    "ledger": ({}, lambda _: TAGS["ledger"]),
    "ledger-link": ({"link": DATA, "body_digest": DATA}, lambda of: next_link(of["link"], of["body_digest"])),
    "ledger-head": (_HEAD, lambda of: Head(of["identity"], of["size"], of["link"]).signed_bytes()),
    "ledger-commitment": (
        {"blinding": DATA, "inputs_digest": DATA},
        lambda of: commitment_of(of["blinding"] + of["inputs_digest"]),
    ),
    "ledger-state": ({"state": DATA, "entries": DATA}, lambda of: next_state(of["state"], of["entries"])),
    "ledger-checkpoint": ({**_HEAD, "state": DATA}, _checkpoint),
    "journal-row": (
        {"key": DATA, "row": DATA},
        lambda of: hmac.new(of["key"], TAGS["journal-row"] + of["row"], hashlib.sha256).digest(),
    ),
    "run": ({"name": TEXT}, lambda of: _sha256("run", of["name"].encode("ascii"))),
    "simulation": (
        {"seed": COUNT, "party": COUNT},
        lambda of: _sha256("simulation", f"{of['seed']}/{of['party']}".encode("ascii")),
    ),
    "importing-row": (
        {"number": COUNT},
        lambda of: _stream(_ROW, TAGS["importing-row"] + str(of["number"]).encode("ascii")),
    ),
    "mpc-inputs": _under("mpc-inputs"),
    "mpc-sample": _under("mpc-sample"),
    "mpc-bench": _under("mpc-bench"),
    "mpc-embedded": _under("mpc-embedded"),
    "mpc-evidence": (
        {"seed": DATA, "name": TEXT},
        lambda of: _stream(of["seed"], TAGS["mpc-evidence"] + of["name"].encode("ascii")),
    ),
    "test-vectors": (
        {"name": TEXT, "version": TEXT},
        lambda of: _sha256("test-vectors", f"{of['name']}/{of['version']}".encode("ascii")),
    ),
}
"""By tag. Of a label, what comes out is the beginning of its stream; of what is signed, the signed bytes."""

TAGGED = GroupType(
    "Tag",
    named(
        Operation(
            "tag_use",
            lambda call: Result({"value": FRAMES[call["of"]["kind"]][1](call["of"])}),
            {"of": one_of(*({"kind": constant(tag), **fields} for tag, (fields, _) in FRAMES.items()))},
            {"value": DATA},
        )
    ),
)
"""Each tag once."""
