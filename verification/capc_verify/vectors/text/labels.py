"""Section 13: labels, streams and digests of an example that anybody can compute again.

Spec: CAPC-NAME-010, CAPC-NAME-012.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from capc.foundation import primitives
from capc.foundation.parties import PRIVACY_GUARDIAN, QUERYING_PARTY, Party, answering_party
from capc.foundation.randomness import BytesSource, Seed, XofSource
from capc.privacy.ledger.chain import Head, next_link
from capc.privacy.ledger.records import commitment_of
from capc.session.channel import Channel
from capc.steps.zero_sum import pairwise_key
from capc.two_party.garbling.transfers.base_ot import base_ot_choose, base_ot_finish, base_ot_offer
from capc.two_party.garbling.transfers.extension_check import answer, challenge, set_up_digest
from capc.two_party.garbling.transfers.tree_check import check_of, tags_and_leaves
from capc_spec.registry import STEP_LABELS, TAGS, entries
from capc_verify.vectors.text.writing import listing, table

TAG, SEED, DIGEST = (bytes(range(start, start + 32)) for start in (0, 32, 64))
"""The example's session tag, seed, and digest of inputs."""
QUERY, LAYER = 7, 2
PAYLOAD = bytes(range(96, 106))
OFFERING, CHOOSING, GARBLING = (
    "querying_party_begin_setup",
    "answering_party_answer_setup",
    "answering_party_garble_layer",
)
ROLES: Mapping[str, Party] = {
    "querying_party": QUERYING_PARTY,
    "answering_party": answering_party(1),
    "privacy_guardian": PRIVACY_GUARDIAN,
}
PEERS = {"AP": answering_party(1), "AP_1": answering_party(1), "AP_i": answering_party(1)}
PEERS |= {"AP, PG": answering_party(1), "PG": PRIVACY_GUARDIAN, "QP": QUERYING_PARTY}
PLACES = {"set-up": (0, 0), "batch": (QUERY, 0), "layer": (QUERY, LAYER), "round": (QUERY, LAYER), "query": (QUERY, 0)}


def example_label(step: str) -> bytes:
    """The label of a step in the example, without a part such as that of noise."""
    entry = entries("steps")[step]
    if entry["at"] == "pair":
        return STEP_LABELS[step] + b"/" + TAG + QUERY.to_bytes(4, "little")
    me = next(party for role, party in ROLES.items() if step.startswith(role))
    channel, place = Channel(TAG, me, PEERS[entry["peers"]]), PLACES[entry["at"]]
    bound = entry.get("bound_to", "")
    if bound.endswith("as it is"):
        return channel.label(step, *place) + DIGEST
    sent = b"".join(_bound_bytes(each) for each in bound.split(", ") if each != "u64 each") if bound else None
    return channel.label(step, *place, bound_to=sent)


def _bound_bytes(name: str) -> bytes:
    """What the example has for something that a label is bound to."""
    if name == "digest of the inputs":
        return DIGEST
    return hashlib.sha256(PAYLOAD).digest() if name.startswith("SHA-256 of ") else PAYLOAD


def parts_of(step: str) -> list[str]:
    """The parts of a step's randomness, each with a stream of its own; empty for the only one."""
    return list(dict.fromkeys(draw.get("part", "") for draw in entries("steps")[step]["draws"]))


def labels() -> str:
    """Each label of the example by its length and hash, and where its stream begins."""
    rows = []
    for step in entries("steps"):
        for part in parts_of(step):
            label = example_label(step) + (TAGS[part] if part else b"")
            start = XofSource(Seed(SEED), label).read(16).hex()
            name = f"`{step}`" + (f", `{TAGS[part].decode()}`" if part else "")
            rows.append((name, len(label), hashlib.sha256(label).hexdigest()[:16], start))
    return table("stream of | bytes of the label | SHA-256 of the label begins | the stream begins", rows)


def one_label() -> str:
    """One label in full, cut where its parts meet."""
    label, name = example_label(GARBLING), STEP_LABELS[GARBLING]
    cuts = (len(name) + 1, 3, 32, 3, 3, 4, 1, 32)
    ends = ("own party: AP_1", "session tag", "lower end: QP", "higher end: AP_1")
    words = ("label of the step, /", *ends, f"query {QUERY}", f"layer {LAYER}", "SHA-256 of the payload of choice_bits")
    lines, at = [], 0
    for size, word in zip(cuts, words, strict=True):
        lines.append(f"{label[at : at + size].hex():<66}{word}")
        at += size
    return listing(lines)


def scalars() -> str:
    """What the first draws of two streams of the example become."""
    offer = XofSource(Seed(SEED), example_label(OFFERING))
    scalar = primitives.random_scalar(offer)
    delta = XofSource(Seed(SEED), example_label(CHOOSING)).bits(128) | 1
    rows = [
        ("a, scalar of the offer", scalar.hex()),
        ("A = a G, the payload of `base_ot_offer`", primitives.base_multiply(scalar).hex()),
        ("Delta, as 16 bytes", delta.to_bytes(16, "little").hex()),
    ]
    return table("value | bytes", [(name, f"`{value}`") for name, value in rows])


def digests() -> str:
    """Digests of simple inputs: A, B, C, D are 32 bytes 01, 02, 03 and 04."""
    a, b, c, d = (bytes([number]) * 32 for number in range(1, 5))
    points = {index: primitives.base_multiply(_scalar(index)) for index in (2, 5)}
    tags, leaves = tags_and_leaves(b"where", 3, [a[:16]] * 16)
    state, offer = base_ot_offer(BytesSource(bytes([1]) * 64))
    _, choice = base_ot_choose(offer, b"where", XofSource(Seed(SEED), b"choose"))
    pairs = base_ot_finish(state, choice, b"where")
    signed = hashlib.sha256(Head(a, 7, b).signed_bytes()).digest()
    zero_sum = pairwise_key(a, _scalar(2), points, 2, 5)
    inputs = hashlib.sha256(TAGS["noise-binding"] + TAG + QUERY.to_bytes(4, "little") + b + c).digest()
    rows = [
        ("`xof`", "seed A, the 5 bytes `label`; 32 bytes", XofSource(Seed(a), b"label").read(32)),
        ("`base-ot`", "seed of bit 0, j = 3, see below", pairs[3][0]),
        ("`base-ot`", "seed of bit 1, j = 3, see below", pairs[3][1]),
        ("`ot-leaf`", "context `where`, tree 3, place 7, node 16 bytes 01: the tag", tags[7]),
        ("`ot-leaf`", "the same: the leaf", leaves[7]),
        ("`ot-tags`", "A, then B 15 times", check_of([a, *[b] * 15]).digest),
        ("`ot-set-up`", "context `where`, payloads B, C, D", set_up_digest(b"where", b + c, d)),
        ("`ot-challenge`", "digest of the set-up A, position 7, rows B C", challenge(a, 7, b + c)),
        ("`ot-columns`", "two columns, B and C", answer(a, [b, c]).digest),
        ("`pairwise-mask`", "session tag A, AP_2 and AP_5, see below", zero_sum),
        ("`noise-binding`", f"the example's session tag, query {QUERY}, payloads B and C", inputs),
        ("`ledger-link`", "link A, digest of the body B", next_link(a, b)),
        (
            "`ledger-head`",
            "what is signed for identity A, size 7, link B: its SHA-256",
            signed,
        ),
        ("`ledger-commitment`", "blinding A, digest of the inputs B", commitment_of(a + b)),
    ]
    return table("tag | of | value", [(tag, of, f"`{(value or b'').hex()}`") for tag, of, value in rows])


def _scalar(number: int) -> primitives.Scalar:
    return primitives.random_scalar(BytesSource(bytes([number]) * 64))
