"""Section 16: its document, keys, ranges, limits, positions and lengths are those of the code."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import fields, replace
from fractions import Fraction
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capc.foundation.errors import InputError, ParameterError, RandomnessExhaustedError
from capc.foundation.parties import PRIVACY_GUARDIAN, QUERYING_PARTY
from capc.foundation.randomness import Seed, XofSource
from capc.linear.bfv.context import context_for
from capc.linear.ideal import IdealLinear
from capc.models.architecture import Activation, Architecture, StageShape, dense_architecture
from capc.models.model import QuantisedLayer, QuantisedModel
from capc.models.operators import OUTSIDE, Dense
from capc.protocol.collaboration import Collaboration
from capc.session.hello import hello, hello_limit
from capc.session.parameters import Charge, ReleasePolicy, VoteVariant, canonical_json
from capc.session.session import following_query
from capc.session.widths import ParameterSet
from capc.steps.layer_circuits import transfer_counts
from capc.steps.release_circuit import circuit_for
from capc.steps.suite import reference_suite
from capc.two_party.garbling import hash_keys, readable_vote_rounds
from capc.two_party.garbling.half_gates import LabelHash
from capc.two_party.garbling.readable import GarbledTwoParty
from capc_spec.registry import TAGS
from capc_verify.vectors.text.documents import example
from support.builders import (
    confident_policy,
    constant_model,
    counter_seeds,
    make_account,
    make_parameters,
    make_policy,
    make_session,
    make_widths,
    model_of_all_endings,
)
from support.sections import part_after, rows_after, section

TEXT = section("16-sessions-and-payloads.md")
VECTORS = Path(__file__).parents[2] / "spec" / "capc_spec" / "vectors"
DOCUMENT = json.loads("\n".join(part_after(TEXT, "session_document")[1:-1]))


def table(head: str) -> list[list[str]]:
    """The rows of the written table that begins with these heads."""
    lines = TEXT[TEXT.index(head) :].partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines]


def canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode("ascii")


@pytest.mark.req("CAPC-PARAM-050", "CAPC-PARAM-051")
def test_bytes_and_digests_follow_from_the_document_that_is_printed() -> None:
    assert canonical(DOCUMENT) == example().canonical
    shown = "".join(part_after(TEXT, "canonical_bytes")[1:-1]).split("--")
    parameters = canonical(DOCUMENT["parameters"])
    assert [part.encode() for part in shown] == [parameters, canonical(DOCUMENT["participants"][1])]
    digest = hashlib.sha256(TAGS["parameters"] + parameters).digest()
    tag = hashlib.sha256(TAGS["session"] + digest + canonical(DOCUMENT))
    values = [digest.hex(), tag.hexdigest(), hashlib.sha256(canonical(DOCUMENT)).hexdigest()]
    sizes = [len(parameters), len(canonical(DOCUMENT)), len(canonical(DOCUMENT))]
    rows = rows_after(TEXT, "session_digests")
    assert [(int(row[1]), row[3].strip("`")) for row in rows] == list(zip(sizes, values, strict=True))


SHORT = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}
"""The characters with escapes of their own."""


def escaped(text: str) -> str:
    """A string of canonical JSON by the words of the section."""
    units = [unit for char in text for unit in ([char] if char < "\U00010000" else surrogates(char))]
    plain = [SHORT.get(unit) or (unit if " " <= unit < "\x7f" else f"\\u{ord(unit):04x}") for unit in units]
    return '"' + "".join(plain) + '"'


def surrogates(char: str) -> list[str]:
    data = char.encode("utf-16-be")
    return [chr(int.from_bytes(data[at : at + 2], "big")) for at in (0, 2)]


@pytest.mark.req("CAPC-PARAM-002")
@given(text=st.text() | st.text(st.sampled_from('"\\/\b\t\n\f\r\x00\x1f\x7f\x80\u2028\uffff\U0001f600')))
def test_strings_of_canonical_json_are_escaped_as_the_words_say(text: str) -> None:
    assert canonical_json({"name": text}) == ('{"name":' + escaped(text) + "}").encode("ascii")


def keys_in(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for key, entry in value.items():
            yield key
            yield from keys_in(entry)
    elif isinstance(value, list):
        for entry in value:
            yield from keys_in(entry)


@pytest.mark.req("CAPC-PARAM-051")
def test_keys_are_those_of_the_table() -> None:
    told = {key.strip("` ") for row in table("| key | of | value |") for key in row[0].split(",")}
    without = DOCUMENT | {"parameters": None}
    assert set(keys_in(without)) - {"kind"} == told
    policy = {field.name for field in fields(ReleasePolicy)} | {field.name for field in fields(ParameterSet)}
    others = {"spec_version", "num_classes", "num_features"}
    optional = {"renyi_order", "joint_cost", "threshold_mode", "argmax_cost", "argmax_queries"}
    assert set(DOCUMENT["parameters"]) == (policy | others) - optional
    for group in json.loads((VECTORS / "session.json").read_text("utf-8"))["testGroups"]:
        documents = [
            op["in"]["session"] for test in group["tests"] for op in test["operations"] if "session" in op["in"]
        ]
        for document in documents:
            assert set(document["parameters"]) <= policy | others | {"vote_variant"}


@pytest.mark.req("CAPC-PARAM-002", "CAPC-PARAM-003", "CAPC-PARAM-050")
@pytest.mark.parametrize("stem", ["session", "operators"])
def test_digests_of_the_vectors_follow_from_the_words(stem: str) -> None:
    count = 0
    for group in json.loads((VECTORS / f"{stem}.json").read_text("utf-8"))["testGroups"]:
        for operation in (each for test in group["tests"] for each in test["operations"]):
            out = operation["expect"].get("out", {})
            if "digest" in out or "tag" in out:
                document = operation["in"].get("session")
                parameters = canonical(operation["in"]["parameters"] if document is None else document["parameters"])
                made = hashlib.sha256(TAGS["parameters"] + parameters).digest()
                if document is not None:
                    made = hashlib.sha256(TAGS["session"] + made + canonical(document)).digest()
                if "canonical" in out:
                    assert group["blobs"][out["canonical"]["blob"]] == parameters.hex()
                assert made.hex() == out.get("digest", out.get("tag"))
                count += 1
    assert count > 5


def number(text: str, widths: ParameterSet) -> int:
    for name in ("guard_bits", "logit_bits"):
        text = text.replace(f"`{name}`", str(getattr(widths, name)))
    return eval(text.replace("^", "**"))  # noqa: S307


def refused_for(widths: ParameterSet, name: str, value: int) -> str:
    """The field that a refusal names, or nothing."""
    try:
        replace(widths, **{name: value})
    except ParameterError as error:
        return str(error).partition(" = ")[0].partition(":")[0]
    return ""


@pytest.mark.req("CAPC-PARAM-052")
def test_integers_are_admitted_within_their_ranges_only() -> None:
    widths = ParameterSet("wide", 20, 20, 1, 0, 8, 4096, (56, 36, 17))
    ranges = {row[0].strip("`"): row[1:3] for row in table("| key | least | most | further |")}
    for name in ("guard_bits", "logit_bits", "vote_bits", "grid_bits", "fraction_bits"):
        least, most = (number(text, widths) for text in ranges[name])
        assert [refused_for(widths, name, value) for value in (least - 1, most + 1)] == [name, name]
        # Errors of responses have a rule of their own, which comes after.
        assert {refused_for(widths, name, value) for value in (least, most)} <= {"", "he_coefficient_bits"}
    parameters = replace(make_parameters(), widths=widths)
    for name in ("num_classes", "num_features"):
        least, most = (number(text, widths) for text in ranges[name])
        for value in (least, most):
            assert getattr(replace(parameters, **{name: value}), name) == value
        for value in (least - 1, most + 1):
            with pytest.raises(ParameterError, match=name):
                replace(parameters, **{name: value})


@pytest.mark.req("CAPC-PARAM-052")
@pytest.mark.parametrize(
    ("name", "admitted", "refused"),
    [
        ("renyi_order", ["1000001/1000000", str(2**20)], ["1", f"{2**20 + 1}"]),
        ("sigma", ["1/1000"], ["0", "-1"]),
        ("threshold_sigma", ["1/1000"], ["0", "-1"]),
        ("epsilon", ["1/1000"], ["0"]),
        ("delta", ["1/1000", "999/1000"], ["0", "1"]),
        ("threshold", ["0"], ["-1/2"]),
    ],
)
def test_rationals_are_admitted_within_their_ranges_only(name: str, admitted: list[str], refused: list[str]) -> None:
    policy = confident_policy()
    for value in admitted:
        assert getattr(replace(policy, **{name: Fraction(value)}), name) == Fraction(value)
    for value in refused:
        with pytest.raises(ParameterError, match=name):
            replace(policy, **{name: Fraction(value)})


def test_a_threshold_lies_on_the_grid_and_is_no_more_than_the_votes() -> None:
    parameters = make_parameters(policy=confident_policy())
    off = replace(parameters.release, threshold=Fraction(1, 3))
    with pytest.raises(ParameterError, match="threshold"):
        replace(parameters, release=off)
    with pytest.raises(ParameterError, match="threshold"):
        make_session(replace(parameters, release=replace(parameters.release, threshold=Fraction(3))), ((2, 3), (2, 3)))


@pytest.mark.req("CAPC-PARAM-052")
@pytest.mark.parametrize("column", [2, 3])
def test_primes_are_admitted_up_to_the_bits_of_the_table(column: int) -> None:
    rows = TEXT[TEXT.index("| N | 1024 |") :].splitlines()
    degree, most = (int(rows[line].strip("|").split("|")[column + 1]) for line in (0, 2))
    for total, admitted in ((most, True), (most + 1, False)):
        widths = ParameterSet("x", 12, 10, 1, 2, 8, degree, (*_shares(total - 20), 20))
        if admitted:
            assert context_for(widths).degree == degree
        else:
            with pytest.raises(ParameterError, match="128"):
                context_for(widths)


def _shares(total: int) -> tuple[int, ...]:
    """Primes of at most 56 bits, of so many together."""
    count = -(-total // 56)
    return tuple(total // count + (place < total % count) for place in range(count))


def told_bits(model: QuantisedModel) -> list[int]:
    """The bits that each layer needs, from the words."""
    f = model.fraction_bits
    bounds: list[list[int]] = [[2**f] * model.architecture.inputs]
    needed = []
    for stage, layer in zip(model.architecture.stages, model.layers, strict=True):
        source, q = bounds[stage.source], f if stage.weight_bits is None else stage.weight_bits
        if stage.sum_pool is not None:
            grid = stage.sum_pool.grid
            windows = [window for channel in range(grid.channels) for window in grid.windows(channel)]
            source = [sum(source[i] for i in window if i != OUTSIDE) for window in windows]
        sums = [0] * stage.sums
        per_row = stage.sums // len(layer.weights)
        for index in range(stage.sums):
            row = index // per_row
            taps = range(stage.operator.inputs)
            if not isinstance(stage.operator, Dense):
                channels = stage.operator.group_channels(row)
                taps = [i for channel in channels for i in stage.operator.grid.windows(channel)[index % per_row]]
            products = zip(layer.weights[row], taps, strict=True)
            sums[index] = abs(layer.biases[row]) + sum(abs(w) * (source[i] if i >= 0 else 0) for w, i in products)
        if stage.sum_bits is not None:
            sums = [2**stage.sum_bits - 1] * stage.sums
        for skip in stage.skips:
            kept = skip > 0 and model.architecture.stages[skip - 1].activation is Activation.NONE
            sums = [total + (b if kept else b * 2**q) for total, b in zip(sums, bounds[skip], strict=True)]
        needed.append(max(sums).bit_length() + 2)
        ends = stage.activation in (Activation.NONE, Activation.VOTE)
        most = sums if ends else [max(sums[i] for i in window) for window in stage.pool_windows()]
        if not ends:
            # Of the bound with a minus sign a leak leaves the bound over 2^(q + s), rounded up; none of these caps it.
            low = 0 if stage.leak_bits is None else 2 ** (q + stage.leak_bits)
            caps = [] if stage.cap_bits is None else [2**stage.cap_bits - 1]
            caps += [] if stage.cap is None else [round(stage.cap * 2**f)]
            most = [max(min([bound // 2**q, *caps]), -(-bound // low) if low else 0) for bound in most]
        bounds.append(most)
    return needed


@pytest.mark.req("CAPC-PARAM-055")
@pytest.mark.parametrize(
    "figures",
    [{"cap_bits": 7}, {"weight_bits": 9}, {"cap_bits": 2, "weight_bits": 8}, {"cap_bits": 7, "leak_bits": 31}],
)
def test_figures_of_layers_fit_the_ring(figures: dict[str, int]) -> None:
    """l is 12 and f is 3: each of these is the most beside the others, and one more is refused."""
    parameters = make_parameters(make_widths(12, fraction_bits=3))

    def admit(stated: dict[str, int | Fraction]) -> None:
        vote = StageShape(Dense(2, 3), 1, Activation.VOTE)
        make_session(parameters, [Architecture((StageShape(Dense(2, 2), 0, Activation.RELU, **stated), vote))])

    admit(figures)
    for name, value in figures.items():
        if name == "leak_bits":
            continue
        with pytest.raises(InputError, match=r"layer 0 of the model of answering_party_1 .* for 10 bits together"):
            admit(figures | {name: value + (1 if len(figures) > 1 or name == "cap_bits" else 2)})
    admit({"cap": Fraction(127, 8)})
    with pytest.raises(InputError, match="a cap of 8 bits: choose them for 10 bits together"):
        admit({"cap": Fraction(16)})
    admit({"cap": Fraction(16), "cap_bits": 7})
    with pytest.raises(InputError, match="the cap 1/16, less than 2"):
        admit({"cap": Fraction(1, 16)})
    vote = StageShape(Dense(2, 3), 0, Activation.VOTE, weight_bits=11)
    with pytest.raises(InputError, match="layer 0"):
        make_session(parameters, [Architecture((vote,))])


@pytest.mark.req("CAPC-PARAM-030", "CAPC-PARAM-053")
def test_bits_that_layers_need() -> None:
    (architecture,) = [entry.architecture for entry in example().participants[2:3] if entry.architecture]
    layers = tuple(
        QuantisedLayer(
            tuple(
                tuple((5 * i - 7 * j) % 23 - 11 for j in range(stage.operator.columns))
                for i in range(stage.operator.rows)
            ),
            tuple((3 * i) % 17 - 8 for i in range(stage.operator.rows)),
        )
        for stage in architecture.stages
    )
    model = QuantisedModel(architecture, layers, 3)
    needed = told_bits(model)
    assert len(set(needed)) > 2
    assert tuple(needed) == model.stage_bits()
    model.check_ranges(max(needed))
    with pytest.raises(InputError, match="could wrap"):
        model.check_ranges(max(needed) - 1)


@pytest.mark.req("CAPC-PARAM-030", "CAPC-PARAM-053", "CAPC-ARG-004")
@given(weights=st.lists(st.integers(-(2**9), 2**9), min_size=3, max_size=3), bias=st.integers(-(2**9), 2**9))
def test_a_bound_of_the_quarter_of_the_ring_is_refused(weights: list[int], bias: int) -> None:
    """Also where no features give it: the bound decides, and cancels nothing."""
    layer = QuantisedLayer((tuple(weights), (0, 0, 0)), (bias, 0))
    model = QuantisedModel(dense_architecture((3, 2)), (layer,), 2)
    bound = 4 * sum(map(abs, weights)) + abs(bias)
    for bits in range(3, 20):
        if bound >= 2 ** (bits - 2):
            with pytest.raises(InputError, match="could wrap"):
                model.check_ranges(bits)
        else:
            model.check_ranges(bits)


@pytest.mark.req("CAPC-PARAM-054")
def test_limits() -> None:
    limits = {row[0]: row[1:] for row in table("| what | limit | beyond it |")}
    assert len(limits) == 8
    source = XofSource(Seed(bytes(32)), b"limit")
    assert len(source.read(2**24)) == 2**24
    with pytest.raises(RandomnessExhaustedError):
        source.read(1)
    with pytest.raises(RandomnessExhaustedError):
        XofSource(Seed(bytes(32)), b"limit").read(2**24 + 1)
    assert (hash_keys.MAX_ROWS, hash_keys.MAX_HASHES) == (2**40, 2**24)
    assert following_query(2**32 - 1) == 2**32
    with pytest.raises(InputError) as caught:
        following_query(2**32)
    assert type(caught.value) is InputError
    session = make_session()
    own = len(session.canonical)
    assert hello_limit(session) == 44 + own + 2**18
    assert len(hello(session, QUERYING_PARTY, PRIVACY_GUARDIAN)) == 44 + own


@pytest.mark.slow
@pytest.mark.req("CAPC-PARAM-054")
@pytest.mark.parametrize("sizes", [((2, 500, 3), (2, 3)), ((2, 3), (2, 7, 3))])
def test_the_limit_of_a_batch(sizes: tuple[tuple[int, ...], ...]) -> None:
    session = make_session(make_parameters(), sizes)
    widths = session.parameters.widths
    longest = max(size for model in sizes for size in model)
    most = max(n for n in range(1, 2**23) if n * longest * -(-widths.share_bits // 8) + 32 <= 2**24)
    session.check_batch(most)
    with pytest.raises(InputError, match=f"at most {most} fit") as caught:
        session.check_batch(most + 1)
    assert type(caught.value) is InputError


@pytest.mark.req("CAPC-PARAM-054", "CAPC-ROLE-024")
def test_the_limits_of_layers() -> None:
    stages = [StageShape(Dense(2, 2), number, Activation.RELU) for number in range(254)]
    whole = Architecture((*stages, StageShape(Dense(2, 3), 254, Activation.VOTE)))
    with pytest.raises(InputError, match="1 to 255") as caught:
        Architecture(
            (*stages, StageShape(Dense(2, 2), 254, Activation.RELU), StageShape(Dense(2, 3), 255, Activation.VOTE))
        )
    assert type(caught.value) is InputError
    rounds = replace(make_parameters(), vote_variant=VoteVariant.MULTI_ROUND)
    make_session(rounds, [whole])
    more = replace(make_parameters(num_classes=5), vote_variant=VoteVariant.MULTI_ROUND)
    deep = Architecture((*stages, StageShape(Dense(2, 5), 254, Activation.VOTE)))
    with pytest.raises(ParameterError, match="257 layers with the rounds"):
        make_session(more, [deep])


def told_transfers(architecture: Architecture, variant: VoteVariant, l: int, count: int) -> int:  # noqa: E741
    total = 0
    for stage in architecture.stages:
        c = stage.sums
        per_query = {
            Activation.NONE: 0,
            Activation.RELU: stage.outputs * stage.window_size,
            Activation.RELU_MAX_POOL: stage.outputs * stage.window_size,
            Activation.VOTE: {"tournament": c, "all_pairs": c * (c - 1) // 2, "multi_round": c - 1}[variant.value],
        }[stage.activation]
        total += count * per_query * (l + 1)
    return total


@pytest.mark.req("CAPC-WIRE-009")
@pytest.mark.parametrize(("variant", "count"), list(product(VoteVariant, [1, 3])))
def test_transfers_and_lengths(variant: VoteVariant, count: int) -> None:
    model, scheme = model_of_all_endings(), GarbledTwoParty()
    parameters = replace(make_parameters(), vote_variant=variant)
    told = told_transfers(model.architecture, variant, parameters.widths.logit_bits, count)
    assert sum(transfer_counts(parameters, model.architecture, count)) == told
    assert scheme.extension_length(told) == 496 * (-(-told // 128) + 1) + 48
    assert (scheme.offer_length(), scheme.choice_length(), scheme.trees_length()) == (32, 4096, 6144)
    for policy, words in ((make_policy(), 3), (confident_policy(), 3), (confident_policy(Charge.REALISED), 6)):
        release = make_parameters(policy=policy)
        assert circuit_for(release).evaluator_inputs == words * release.widths.vote_bits


@pytest.mark.slow
@pytest.mark.req("CAPC-ROUND-011", "CAPC-ROUND-004")
def test_positions_of_a_vote_in_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    positions: list[int] = []

    class Noted(LabelHash):
        def __init__(self, key: bytes, nonce: int) -> None:
            positions.append(nonce)
            super().__init__(key, nonce)

    monkeypatch.setattr(readable_vote_rounds, "LabelHash", Noted)
    parameters = replace(make_parameters(num_classes=5), vote_variant=VoteVariant.MULTI_ROUND)
    sizes = ((2, 2, 5),)
    suite = reference_suite(parameters, IdealLinear(parameters.widths.logit_bits))
    session = make_session(parameters, sizes)
    models = [constant_model(size, 1, 2) for size in sizes]
    Collaboration(session, models, suite, make_account(parameters), draw_seed=counter_seeds("positions")).label([1, -1])
    vote, rounds = 2**32 + 1, 3
    circuits = [vote + k for k in range(rounds)] * 2
    rows = [vote + k + 1 for k in range(rounds - 1)] * 2
    assert Counter(positions) == Counter(circuits + rows)
