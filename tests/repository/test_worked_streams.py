"""Section 13: what its examples print follows from its words and those of section 11, without the code behind them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from capc.foundation import primitives
from capc.foundation.randomness import BytesSource, Seed
from capc.linear.ideal import IdealLinear
from capc.protocol.collaboration import Collaboration
from capc.steps.suite import reference_suite
from capc_spec.registry import entries
from capc_verify.vectors.text import labels
from support.builders import constant_model, make_account, make_parameters, make_session
from support.sections import rows_after, section

TEXT = section("13-streams-and-samplers.md")
VECTORS = Path(__file__).parents[2] / "spec" / "capc_spec" / "vectors"
ORDER = 2**252 + 27742317777372353535851937790883648493
ENDS = {"querying_party": b"\0\0\0", "answering_party": b"\1\1\0", "privacy_guardian": b"\2\0\0"}
TAG, SEED, DIGEST, PAYLOAD = (bytes(range(*span)) for span in ((0, 32), (32, 64), (64, 96), (96, 106)))


def u(width: int, number: int) -> bytes:
    return number.to_bytes(width // 8, "little")


def tag(name: str) -> bytes:
    return entries("tags")[name]["bytes"].encode()


def stream(seed: bytes, label: bytes, length: int) -> bytes:
    return hashlib.shake_256(tag("xof") + b"\x20" + seed + label).digest(length)


def label_in_words(name: str, me: bytes, ends: list[bytes], session: bytes, query: int, layer: int) -> bytes:
    """As section 11 has it, before what binds."""
    return name.encode() + b"/" + me + session + b"".join(sorted(ends)) + u(32, query) + u(8, layer)


def example(step: str) -> bytes:
    entry = entries("steps")[step]
    if entry["at"] == "pair":
        return entry["label"].encode() + b"/" + TAG + u(32, 7)
    me = ENDS[re.sub("(party|guardian)_.*", r"\1", step)]
    peer = {"AP": "answering_party", "PG": "privacy_guardian", "QP": "querying_party"}[entry["peers"][:2]]
    place = {"set-up": (0, 0), "batch": (7, 0), "query": (7, 0)}.get(entry["at"], (7, 2))
    label = label_in_words(entry["label"], me, [me, ENDS[peer]], TAG, *place)
    bound = entry.get("bound_to", "")
    if bound.endswith("as it is"):
        return label + DIGEST
    hashed = hashlib.sha256(PAYLOAD).digest()
    named = {"digest of the inputs": DIGEST, "SHA-256 of the extension": hashed}
    sent = b"".join(named.get(name, PAYLOAD) for name in bound.split(", ") if name != "u64 each")
    return label + (hashlib.sha256(sent).digest() if bound else b"")


@pytest.mark.req("CAPC-NAME-010")
def test_labels_and_streams_are_those_of_the_words() -> None:
    rows = rows_after(TEXT, "labels")
    assert len(rows) > 20
    for name, length, digest, start in rows:
        step, _, part = name.replace("`", "").partition(", ")
        label = example(step) + part.encode()
        shown = str(len(label)), hashlib.sha256(label).hexdigest()[:16], stream(SEED, label, 16).hex()
        assert shown == (length, digest, start), name
    assert {name.replace("`", "").partition(",")[0] for name, *_ in rows} == set(entries("steps"))


@pytest.mark.req("CAPC-NAME-010")
@pytest.mark.parametrize("step", sorted(entries("steps")))
def test_code_makes_the_labels_of_the_words(step: str) -> None:
    assert labels.example_label(step) == example(step)


@pytest.mark.req("CAPC-NAME-010")
def test_the_label_in_full_is_the_sum_of_its_parts() -> None:
    listing = TEXT[TEXT.index("<!-- generated: one_label -->") :].split("```")[1]
    pieces = [line.split("  ")[0].strip() for line in listing.splitlines()[1:]]
    assert bytes.fromhex("".join(pieces)) == example("answering_party_garble_layer")


@pytest.mark.req("CAPC-NAME-007", "CAPC-NAME-008")
def test_scalars_and_delta_follow_from_streams() -> None:
    values = {name: value.strip("`") for name, value in rows_after(TEXT, "scalars")}
    scalar = int.from_bytes(stream(SEED, example("querying_party_begin_setup"), 64), "little") % ORDER
    assert values["a, scalar of the offer"] == u(256, scalar).hex()
    assert (
        values["A = a G, the payload of `base_ot_offer`"]
        == primitives.base_multiply(primitives.Scalar(u(256, scalar))).hex()
    )
    delta = int.from_bytes(stream(SEED, example("answering_party_answer_setup"), 16), "little") | 1
    assert values["Delta, as 16 bytes"] == u(128, delta).hex()


@pytest.mark.req("CAPC-NAME-007")
def test_a_scalar_of_zero_is_drawn_again() -> None:
    """All 64 bytes of each draw count."""
    zero, nine = u(512, ORDER * (2**250 + 777)), u(512, ORDER * (2**250 + 12345) + 9)
    assert primitives.random_scalar(BytesSource(zero + zero + nine)) == u(256, 9)


def seed_of(operation: dict[str, Any]) -> bytes:
    return bytes.fromhex(operation["in"]["seed"])


def operations(stem: str) -> Iterator[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]]:
    """Group, test and operation of all tests that nothing goes wrong in."""
    for group in json.loads((VECTORS / f"{stem}.json").read_text("utf-8"))["testGroups"]:
        for test in group["tests"]:
            for operation in test["operations"] if test["result"] == "valid" else ():
                yield group, test, operation


def resolved(group: dict[str, Any], value: Any) -> bytes:
    return bytes.fromhex(group["blobs"][value["blob"]] if isinstance(value, dict) else value)


@pytest.mark.req("CAPC-NAME-004", "CAPC-NAME-009")
@pytest.mark.parametrize("stem", ["protocol_plain", "protocol_batches", "protocol_rounds"])
def test_garbled_circuits_of_the_vectors_begin_with_what_the_words_give(stem: str) -> None:
    """Label seed and hash key of each message, from the seed and the message that it answers; no code of steps."""
    count = 0
    names = ("answering_party_garble_layer", "answering_party_garble_round")
    for group, _, operation in operations(stem):
        if operation["op"] not in names or "out" not in operation["expect"]:
            continue
        message = resolved(group, operation["in"]["message"])
        made = resolved(group, operation["expect"]["out"]["message"])
        tag, query, layer = message[1:33], int.from_bytes(message[33:37], "little"), message[37]
        me, peer = message[41:44], message[38:41]
        label = label_in_words(operation["op"], me, [me, peer], tag, query, layer)
        bound = label + hashlib.sha256(message[44:]).digest()
        assert made[44:76] == stream(seed_of(operation), bound, 32)
        count += 1
    assert count > 2


@pytest.mark.req("CAPC-NAME-007")
def test_offers_of_the_vectors_are_scalars_of_the_words() -> None:
    step = "querying_party_begin_setup"
    group, _, operation = next(found for found in operations("protocol_plain") if found[2]["op"] == step)
    offers = [resolved(group, value) for value in operation["expect"]["out"]["offers"].values()]
    assert len(offers) == 3
    for message in offers:
        me, peer = message[38:41], message[41:44]
        label = label_in_words(step, me, [me, peer], message[1:33], 0, 0)
        scalar = int.from_bytes(stream(seed_of(operation), label, 64), "little") % ORDER
        assert primitives.base_multiply(primitives.Scalar(u(256, scalar))) == message[44:]


@pytest.mark.req("CAPC-NAME-012")
def test_digests_follow_from_frames() -> None:
    a, b, c, d = (bytes([n]) * 32 for n in range(1, 5))
    scalars = {n: primitives.Scalar(u(256, int.from_bytes(bytes([n]) * 64, "little") % ORDER)) for n in (1, 2, 5)}
    points = {n: primitives.base_multiply(scalar) for n, scalar in scalars.items()}
    shown = {(row[0].strip("`"), row[1]): bytes.fromhex(row[2].strip("`")) for row in rows_after(TEXT, "digests")}
    node = hashlib.shake_256(tag("ot-leaf") + u(16, 5) + b"where" + u(8, 3) + u(8, 7) + a[:16]).digest(48)
    drawn = stream(SEED, b"choose", 16 + 64 * 4)
    chosen = primitives.Scalar(u(256, int.from_bytes(drawn[16 + 192 :], "little") % ORDER))
    own = primitives.base_multiply(chosen)
    choice = primitives.add(own, points[1]) if drawn[0] >> 3 & 1 else own
    shared = [primitives.multiply(scalars[1], point) for point in (choice, primitives.subtract(choice, points[1]))]
    ot = [tag("base-ot") + u(16, 5) + b"where" + u(16, 3) + points[1] + choice + point for point in shared]
    pair = u(16, 2) + u(16, 5) + points[2] + points[5] + primitives.multiply(scalars[2], points[5])
    wanted = {
        "xof": [stream(a, b"label", 32)],
        "base-ot": [hashlib.sha256(each).digest() for each in ot],
        "ot-leaf": [node[:32], node[32:]],
        "ot-tags": [hashlib.sha256(tag("ot-tags") + a + b * 15).digest()],
        "ot-set-up": [hashlib.sha256(tag("ot-set-up") + u(16, 5) + b"where" + b + c + d).digest()],
        "ot-challenge": [hashlib.sha256(tag("ot-challenge") + a + u(64, 7) + b + c).digest()[:16]],
        "ot-columns": [hashlib.sha256(tag("ot-columns") + b + c).digest()],
        "pairwise-mask": [hashlib.sha256(tag("pairwise-mask") + a + pair).digest()],
        "noise-binding": [hashlib.sha256(tag("noise-binding") + TAG + u(32, 7) + b + c).digest()],
        "ledger-link": [hashlib.sha256(tag("ledger-link") + a + b).digest()],
        "ledger-head": [hashlib.sha256(tag("ledger-head") + a + u(64, 7) + b).digest()],
        "ledger-commitment": [hashlib.sha256(tag("ledger-commitment") + a + b).digest()],
    }
    for name, values in wanted.items():
        assert [value for (which, _), value in shown.items() if which == name] == values, name
    assert {name for name, _ in shown} == set(wanted)


@pytest.mark.slow
@pytest.mark.req("CAPC-NAME-011")
@pytest.mark.parametrize("sizes", [((2, 2, 3), (2, 3)), ((2, 3), (2, 2, 2, 3), (2, 3))])
def test_one_process_takes_seeds_in_the_order_of_the_words(sizes: tuple[tuple[int, ...], ...]) -> None:
    taken: list[bytes] = []
    used: dict[bytes, list[str]] = {}

    def next_seed() -> Seed:
        taken.append(bytes([len(taken)]) * 32)
        return Seed(taken[-1])

    parameters = make_parameters()
    suite = reference_suite(parameters, IdealLinear(parameters.widths.logit_bits))

    def expand(seed: Seed, label: bytes):
        used.setdefault(bytes(seed), []).append(label.partition(b"/")[0].decode())
        return suite.expand(seed, label)

    models = [constant_model(size, 1, 2) for size in sizes]
    run = Collaboration(
        make_session(parameters, sizes),
        models,
        replace(suite, expand=expand),
        make_account(parameters),
        draw_seed=next_seed,
    )
    for _ in range(2):
        run.label([1, -1])
    shown = [sorted(set(used.get(seed, ["nothing"])))[0] for seed in taken]
    count = len(sizes)
    wanted = [*["answering_party_begin_setup"] * count, "querying_party_begin_setup"]
    wanted += [
        *["answering_party_answer_setup"] * count,
        "privacy_guardian_answer_setup",
        "querying_party_finish_setup",
    ]
    for _ in range(2):
        for size in sizes:
            wanted += ["answering_party_evaluate_layer", "answering_party_garble_layer"] * (len(size) - 1)
        wanted += ["nothing", "privacy_guardian_release"]
    assert shown == wanted
