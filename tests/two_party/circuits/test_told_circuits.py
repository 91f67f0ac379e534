"""Section 14 suffices: the gates of every family, their digests, texts and stages follow from its words."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capc.two_party.circuits.argmax import vote_circuit, vote_circuit_low_depth
from capc.two_party.circuits.bristol import to_bristol
from capc.two_party.circuits.builder import Circuit
from capc.two_party.circuits.release import confident_release_circuit, release_circuit, single_draw_release_circuit
from capc.two_party.circuits.relu import leaky_relu_circuit, relu_circuit
from capc.two_party.circuits.vote_rounds import final_circuit, signs_circuit
from capc.two_party.garbling.payload import GarbledChunk, GarbledCircuits
from capc_verify.vectors.operations.circuits import circuit_digest
from capc_verify.vectors.operations.worked.gates import SMALLEST
from support.sections import part_after, section
from two_party.circuits import told_circuits as told
from two_party.circuits.told_circuits import Told

TEXT = section("14-circuits.md")
CASES: dict[str, tuple[Callable[..., Circuit], Callable[..., Told], list[tuple[int, ...]]]] = {
    "relu": (relu_circuit, told.relu, [(3, 0), (3, 1), (8, 3), (37, 12), (3, 1, 2), (5, 0, 3), (12, 2, 9)]),
    "capped relu": (
        relu_circuit,
        told.relu,
        [(4, 0, 1, 1), (5, 1, 1, 2), (12, 2, 1, 3), (12, 2, 4, 8), (37, 12, 1, 15), (37, 15, 4, 15), (5, 0, 3, 3)],
    ),
    "relu at most": (
        lambda bits, f, n, c: relu_circuit(bits, f, n, cap=c),
        lambda bits, f, n, c: told.relu(bits, f, n, c=c),
        [
            (4, 0, 1, 2),
            (5, 1, 1, 3),
            (6, 0, 1, 9),
            (12, 2, 4, 24),
            (37, 12, 1, 6 << 12),
            (37, 12, 1, 12345),
            (8, 1, 3, 17),
        ],
    ),
    "leaky_relu": (
        leaky_relu_circuit,
        told.leaky_relu,
        [
            (3, 0, 1),
            (5, 1, 2),
            (37, 12, 3),
            (12, 2, 1, 4),
            (4, 0, 9, 1),
            (4, 0, 1, 1, 1),
            (12, 2, 3, 4, 6),
            (37, 12, 3, 1, 15),
        ],
    ),
    "vote": (
        lambda c, bits: vote_circuit(c, bits, 9),
        told.vote,
        [(2, 3), (3, 3), (4, 5), (5, 8), (7, 4), (10, 37), (13, 3)],
    ),
    "vote_low_depth": (
        lambda c, bits: vote_circuit_low_depth(c, bits, 9),
        told.vote_low_depth,
        [(2, 3), (3, 3), (4, 5), (6, 8), (10, 12)],
    ),
    "release": (release_circuit, told.release, [(2, 2), (3, 2), (4, 7), (5, 3), (6, 10), (10, 16), (17, 4)]),
    "single_draw_release": (single_draw_release_circuit, told.single_draw_release, [(2, 2), (3, 3), (5, 4), (10, 16)]),
    "confident_release": (
        lambda c, w, r: confident_release_circuit(c, w, evaluator_noise=bool(r)),
        told.confident_release,
        [(c, w, r) for c, w in ((2, 2), (3, 3), (5, 4), (10, 16)) for r in (0, 1)],
    ),
    "signs": (lambda n, bits: signs_circuit(n, bits, 20), told.signs, [(1, 3), (2, 3), (5, 12)]),
    "final": (
        lambda c, bits: final_circuit(c, bits, 9),
        told.final,
        [(2, 3), (3, 3), (4, 5), (5, 3), (7, 8), (10, 12)],
    ),
}
EVERY = [pytest.param(*case[:2], sizes, id=f"{name}{sizes}") for name, case in CASES.items() for sizes in case[2]]


def gates_of(circuit: Circuit) -> list[tuple[str, int, int]]:
    return [(gate.operation.name, gate.left, gate.right) for gate in circuit.gates]


@pytest.mark.req("CAPC-ARG-017", "CAPC-ARG-018", "CAPC-ARG-020")
@pytest.mark.parametrize(("make", "tell", "sizes"), EVERY)
def test_gates_stages_and_texts(
    make: Callable[..., Circuit], tell: Callable[..., Told], sizes: tuple[int, ...]
) -> None:
    circuit, made = make(*sizes), tell(*sizes)
    assert made.gates == gates_of(circuit)
    assert made.outputs == list(circuit.outputs)
    assert (made.bits, *made.words) == (circuit.input_bits, circuit.garbler_words, circuit.evaluator_words)
    assert told.stages(made) == [(list(stage.ands), list(stage.free)) for stage in circuit.stages]
    assert told.bristol(made, circuit.sharing.word_bits if circuit.sharing else None) == to_bristol(circuit)


@pytest.mark.req("CAPC-ARG-019")
@pytest.mark.parametrize(("make", "tell", "sizes"), EVERY)
def test_digests(make: Callable[..., Circuit], tell: Callable[..., Told], sizes: tuple[int, ...]) -> None:
    assert circuit_digest(make(*sizes)).hex() == told.digest(tell(*sizes))


def _described() -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    file = Path(__file__).parents[3] / "spec" / "capc_spec" / "vectors" / "circuits.json"
    for group in json.loads(file.read_text("utf-8"))["testGroups"]:
        for test in group["tests"]:
            for operation in test["operations"]:
                if operation["op"] == "circuit_describe":
                    yield group["params"], operation["expect"]["out"]


def of_params(params: dict[str, Any]) -> Told:
    sizes = [params[name] for name in ("num_classes", "logit_bits", "vote_bits") if params.get(name) is not None]
    if "leak_bits" in params:
        return told.leaky_relu(
            *(params[name] for name in ("logit_bits", "fraction_bits", "leak_bits", "window", "cap_bits"))
        )
    if "cap" in params:
        return told.relu(params["logit_bits"], params["fraction_bits"], params["window"], c=params["cap"])
    if "window" in params or params["family"] == "relu":
        fields = params["logit_bits"], params["fraction_bits"], params.get("window", 1), params.get("cap_bits")
        return told.relu(*fields)
    if params["family"] == "confident_release":
        return told.confident_release(*sizes, params["realised"])
    makers = {"vote": told.vote, "vote_low_depth": told.vote_low_depth, "release": told.release}
    makers["single_draw_release"] = told.single_draw_release
    return makers[params["family"]](*sizes[:2])


DESCRIBED = list(_described())


@pytest.mark.req("CAPC-ARG-008", "CAPC-ARG-019", "CAPC-ARG-020")
@pytest.mark.parametrize("case", DESCRIBED, ids=lambda case: str(list(case[0].values())))
def test_vectors_follow_from_the_words(case: tuple[dict[str, Any], dict[str, Any]]) -> None:
    params, wanted = case
    made = of_params(params)
    text = told.bristol(made, wanted["shared_word_bits"])
    assert told.digest(made) == wanted["digest"]
    assert hashlib.sha256(text.encode()).hexdigest() == wanted["bristol_sha256"]


def _printed() -> dict[str, tuple[list[tuple[str, ...]], list[int], str]]:
    """Of each printed list its gates, outputs and stages."""
    found = {}
    blocks = re.split(r"\n(?=\w)", "\n".join(part_after(TEXT, "gates")[1:-1]))
    for block in blocks:
        head, body = block.split("\n", maxsplit=1)
        listed, rest = " ".join(body.split()).split(" outputs ")
        outputs, stages = rest.split(" stages ")
        gates = [tuple(gate.split(" = ")[1].split()) for gate in listed.split("; ")]
        found[head.partition(":")[0]] = gates, [int(wire) for wire in outputs.split()], stages
    return found


@pytest.mark.req("CAPC-ARG-017", "CAPC-ARG-018")
@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("relu (l = 3, f = 0, n = 1)", told.relu(3, 0)),
        ("relu (l = 3, f = 1, n = 2)", told.relu(3, 1, 2)),
        ("relu (l = 4, f = 0, n = 1, c = 1)", told.relu(4, 0, 1, 1)),
        ("relu (l = 4, f = 0, n = 1, c = 2)", told.relu(4, 0, 1, c=2)),
        ("leaky_relu (l = 3, f = 0, s = 1, n = 1)", told.leaky_relu(3, 0, 1)),
        ("leaky_relu (l = 4, f = 0, s = 1, n = 1, k = 2)", told.leaky_relu(4, 0, 1, 1, 2)),
        ("vote (C = 2, l = 3)", told.vote(2, 3)),
        ("vote (C = 3, l = 3)", told.vote(3, 3)),
        ("vote_low_depth (C = 2, l = 3)", told.vote_low_depth(2, 3)),
        ("vote_low_depth (C = 3, l = 3)", told.vote_low_depth(3, 3)),
        ("release (C = 2, w = 2)", told.release(2, 2)),
        ("single_draw_release (C = 2, w = 2)", told.single_draw_release(2, 2)),
        ("confident_release (C = 2, w = 2)", told.confident_release(2, 2, False)),
        ("confident_release (C = 2, w = 2, realised)", told.confident_release(2, 2, True)),
        ("signs (n = 2, l = 3)", told.signs(2, 3)),
        ("final (C = 2, l = 3)", told.final(2, 3)),
        ("final (C = 3, l = 3)", told.final(3, 3)),
    ],
)
def test_lists_that_are_printed(name: str, made: Told) -> None:
    assert set(_printed()) == set(SMALLEST)
    gates, outputs, stages = _printed()[name]
    assert gates == [(gate, str(a)) if gate == "INV" else (gate, str(a), str(b)) for gate, a, b in made.gates]
    assert outputs == made.outputs
    shown = [" ".join(map(str, (*ands, "|", *free))) for ands, free in told.stages(made)]
    assert stages == "; ".join(shown)


@pytest.mark.req("CAPC-ARG-021")
@given(instances=st.integers(1, 40), data=st.data())
def test_decoding_bits(instances: int, data: st.DataObject) -> None:
    """What follows the tables, wire by wire."""
    circuit = release_circuit(3, 2)
    bits = data.draw(
        st.lists(st.lists(st.integers(0, 1), min_size=instances, max_size=instances), min_size=2, max_size=2)
    )
    tables = [
        ([0] * (0 if stage.products else len(stage.ands) * instances), [0] * len(stage.ands) * instances)
        for stage in circuit.stages[1:]
    ]
    payload = GarbledCircuits(bytes(16), (GarbledChunk(tables, bits),)).to_bytes(circuit)
    size = (instances + 7) // 8
    for wire, row in enumerate(bits):
        packed = payload[len(payload) - (len(bits) - wire) * size :][:size]
        assert [packed[i // 8] >> i % 8 & 1 for i in range(instances)] == row
        assert sum(row) == sum(byte.bit_count() for byte in packed)
