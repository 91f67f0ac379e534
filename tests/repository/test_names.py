"""The registry of names that are bytes (section 11): complete, used, without clash, and the only place of its kind."""

from __future__ import annotations

import ast
import hashlib
import hmac
import re
import tempfile
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from itertools import permutations
from pathlib import Path

import pytest

from capc.foundation.errors import ErrorCode
from capc.foundation.parties import PRIVACY_GUARDIAN, QUERYING_PARTY, answering_party
from capc.foundation.primitives import base_multiply, multiply, random_scalar
from capc.foundation.randomness import BytesSource, Seed, XofSource
from capc.job.collaboration import _identity
from capc.job.keeping.journal import Journal
from capc.job.simulation import _root
from capc.privacy.ledger.chain import Head, next_link
from capc.privacy.ledger.checkpoints import Checkpoint, next_state
from capc.privacy.ledger.records import commitment_of
from capc.session.channel import Channel
from capc.session.envelope import MessageType
from capc.session.parameters import SPEC_VERSION, canonical_json
from capc.session.widths import ParameterSet
from capc.steps.zero_sum import pairwise_key
from capc.two_party.garbling.transfers.base_ot import _derive_seed
from capc.two_party.garbling.transfers.extension_check import answer, challenge, set_up_digest
from capc.two_party.garbling.transfers.tree_check import check_of, tags_and_leaves
from capc_mpc import guardian_free
from capc_spec.registry import ERROR_CODES, MESSAGE_TYPES, STEP_LABELS, TAGS, entries
from capc_verify.vectors.derive import Source
from capc_verify.vectors.operation import CALLER_ERRORS
from support.builders import make_account, make_parameters, make_policy, make_session
from support.sources import Module, modules

ROOT = Path(__file__).parents[2]
SPEC = ROOT / "spec" / "11-names.md"
STEPS = set(STEP_LABELS)
A, B, C, D = (bytes([n]) * 32 for n in range(1, 5))


def looked_up(module: Module, table: str) -> set[str]:
    """The names with which a module subscripts a table of the registry."""
    subscripts = [node for node in ast.walk(module.tree) if isinstance(node, ast.Subscript)]
    keys = [node.slice for node in subscripts if isinstance(node.value, ast.Name) and node.value.id == table]
    return {key.value for key in keys if isinstance(key, ast.Constant)}


def words(module: Module) -> set[str]:
    """Its strings that name a step."""
    return {getattr(node, "value", None) for node in ast.walk(module.tree) if isinstance(node, ast.Constant)} & STEPS


@pytest.mark.slow
@pytest.mark.req("CAPC-NAME-001", "CAPC-NAME-004")
def test_code_uses_every_name_and_no_other() -> None:
    shipped = modules()
    assert {name for module in shipped for name in looked_up(module, "TAGS")} == set(TAGS)
    assert {name for module in shipped for name in looked_up(module, "STEP_LABELS")} <= set(STEP_LABELS)
    assert {name for module in shipped if module.is_in("capc") for name in words(module)} == STEPS


@pytest.mark.req("CAPC-NAME-002", "CAPC-NAME-004")
def test_names_are_distinct_and_none_begins_another() -> None:
    """A label ends where its context begins, at its only `/`; a tag in a hash ends nowhere but by itself."""
    tags = [tag["bytes"] for tag in entries("tags").values()]
    hashed = [tag["bytes"] for tag in entries("tags").values() if re.match(r"(SHA|SHAKE|HMAC|Ed25519)\b", tag["frame"])]
    assert len(set(tags)) == len(tags)
    assert len(hashed) > 15
    assert [pair for pair in permutations(hashed, 2) if pair[1].startswith(pair[0])] == []
    assert len({*STEP_LABELS.values(), *TAGS.values()}) == len(STEP_LABELS) + len(TAGS)
    assert all(re.fullmatch(rb"[a-z_-]+", label) for label in STEP_LABELS.values())
    version = SPEC_VERSION.rpartition(".")[0]
    assert all(tag.startswith(f"CaPC/{version}/") for tag in tags if tag.startswith("CaPC/"))


@pytest.mark.req("CAPC-NAME-001")
@pytest.mark.parametrize("file", sorted(ROOT.glob("spec/*.md")), ids=lambda file: file.stem)
def test_no_section_but_this_one_spells_a_tag(file: Path) -> None:
    spelled = re.findall(r"\bCaPC/\d\.\d/[a-z-]+", file.read_text("utf-8"))
    assert bool(spelled) == (file == SPEC)
    assert set(spelled) <= {tag.decode() for tag in TAGS.values()}


@pytest.mark.req("CAPC-NAME-005")
def test_message_types_are_those_of_the_registry() -> None:
    assert {kind.name.lower(): int(kind) for kind in MessageType} == MESSAGE_TYPES
    assert sorted(MESSAGE_TYPES.values()) == list(range(1, len(MESSAGE_TYPES) + 1))


@pytest.mark.req("CAPC-WIRE-008")
def test_sections_that_lay_out_payloads_name_them() -> None:
    """The section that a row of the table names says what is in the payload."""
    sections = {"section 15": "15-encryption.md", "section 16": "16-sessions-and-payloads.md"}
    for name, entry in entries("messages").items():
        if entry["layout"] != "this row":
            assert f"| `{name}`" in (ROOT / "spec" / sections[entry["layout"]]).read_text("utf-8"), name


def test_error_codes_are_those_of_the_registry() -> None:
    faults = {code: entry["fault_of"] for code, entry in entries("errors").items()}
    assert faults == {str(code): "peer" for code in ErrorCode} | {code: "caller" for _, code in CALLER_ERRORS}
    assert set(ERROR_CODES) == set(faults)


@pytest.mark.req("CAPC-NAME-006")
def test_the_table_of_parameter_sets_is_what_sessions_load() -> None:
    text = SPEC.read_text("utf-8")
    rows = [line.strip("| ").split(" | ") for line in text[text.index("| set |") :].splitlines()[2:]]
    names = sorted(file.stem for file in (ROOT / "spec/capc_spec/parameter_sets").glob("*.json"))
    assert [row[0] for row in rows] == names
    for name, *numbers, primes in rows:
        made = ParameterSet(name, *map(int, numbers), tuple(map(int, primes.split(", "))))
        assert made == ParameterSet.named(name)


def sha256(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def u(width: int, number: int) -> bytes:
    return number.to_bytes(width // 8, "little")


def session_frame() -> tuple[bytes, bytes]:
    session = make_session()
    digest = sha256(b"CaPC/0.1/parameters", canonical_json(session.parameters.document()))
    return session.tag, sha256(b"CaPC/0.1/session", digest, canonical_json(session.document()))


def pair_frame() -> tuple[bytes, bytes]:
    scalars = {index: random_scalar(BytesSource(bytes([index]) * 64)) for index in (2, 5)}
    points = {index: base_multiply(scalar) for index, scalar in scalars.items()}
    shared = multiply(scalars[2], points[5])
    wanted = sha256(b"CaPC/0.1/pairwise-mask", A, u(16, 2), u(16, 5), points[2], points[5], shared)
    return pairwise_key(A, scalars[5], points, 5, 2), wanted


def journal_frame() -> tuple[bytes, bytes]:
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "rows", A)
        return bytes.fromhex(journal.digest(B)), hmac.digest(journal._key, b"CaPC/0.1/journal-row" + B, "sha256")


def guardian_free_frame() -> tuple[bytes, bytes]:
    parameters = make_parameters(policy=replace(make_policy(), epsilon=Fraction(10**7)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(guardian_free, "fresh_seed", lambda: A)
        (receipt,) = guardian_free.answering_party_charge(make_account(parameters, 1), parameters, B, [7], [(1, 300)])
    wanted = sha256(b"CaPC/0.1/guardian-free-binding", A, B, u(32, 7), u(64, 1), u(64, 300))
    return receipt.inputs_digest, wanted


FRAMES: dict[str, Callable[[], tuple[bytes, bytes]]] = {
    "xof": lambda: (
        XofSource(Seed(A), b"label").read(9),
        hashlib.shake_256(b"CaPC/0.1/xof" + u(8, 32) + A + b"label").digest(9),
    ),
    "session": session_frame,
    "base-ot": lambda: (
        _derive_seed(b"where", 3, B, C, D),
        sha256(b"CaPC/0.1/base-ot", u(16, 5), b"where", u(16, 3), B, C, D),
    ),
    "ot-leaf": lambda: (
        b"".join(part[7] or b"" for part in tags_and_leaves(b"where", 3, [A[:16]] * 16)),
        hashlib.shake_256(b"CaPC/0.1/ot-leaf" + u(16, 5) + b"where" + u(8, 3) + u(8, 7) + A[:16]).digest(48),
    ),
    "ot-tags": lambda: (check_of([A, *[B] * 15]).digest, sha256(b"CaPC/0.1/ot-tags", A, B * 15)),
    "ot-set-up": lambda: (
        set_up_digest(b"where", B + C, D),
        sha256(b"CaPC/0.1/ot-set-up", u(16, 5), b"where", B, C, D),
    ),
    "ot-challenge": lambda: (challenge(A, 7, B + C), sha256(b"CaPC/0.1/ot-challenge", A, u(64, 7), B, C)[:16]),
    "ot-columns": lambda: (answer(A, [B, C]).digest, sha256(b"CaPC/0.1/ot-columns", B, C)),
    "pairwise-mask": pair_frame,
    "guardian-free-binding": guardian_free_frame,
    "journal-row": journal_frame,
    "ledger-link": lambda: (next_link(A, B), sha256(b"CaPC/0.1/ledger-link", A, B)),
    "ledger-head": lambda: (Head(A, 7, B).signed_bytes(), b"CaPC/0.1/ledger-head" + A + u(64, 7) + B),
    "ledger-commitment": lambda: (commitment_of(A + B), sha256(b"CaPC/0.1/ledger-commitment", A, B)),
    "ledger-state": lambda: (next_state(A, b"entries"), sha256(b"CaPC/0.1/ledger-state", A, b"entries")),
    "ledger-checkpoint": lambda: (
        Checkpoint(Head(A, 7, B), C, b"").signed_bytes(),
        b"CaPC/0.1/ledger-checkpoint" + A + u(64, 7) + B + C,
    ),
    "run": lambda: (_identity(str(answering_party(3))), sha256(b"capc run: answering_party_3")),
    "simulation": lambda: (_root("7", 2), sha256(b"capc simulate: 7/2")),
    "test-vectors": lambda: (Source("capc/x", "2").seed, sha256(b"CaPC test vectors/capc/x/2")),
}


@pytest.mark.req("CAPC-NAME-001")
@pytest.mark.parametrize("name", FRAMES)
def test_bytes_are_framed_as_the_table_says(name: str) -> None:
    made, wanted = FRAMES[name]()
    assert made == wanted


@pytest.mark.req("CAPC-NAME-004")
def test_a_label_is_framed_as_the_text_says() -> None:
    channel = Channel(A, answering_party(300), QUERYING_PARTY)
    me, ends = b"\x01\x2c\x01", b"\x00\x00\x00" + b"\x01\x2c\x01"
    wanted = b"answering_party_garble_layer/" + me + A + ends + u(32, 9) + u(8, 2) + sha256(b"bits")
    assert channel.label("answering_party_garble_layer", 9, 2, bound_to=b"bits") == wanted
    with pytest.raises(KeyError):
        Channel(A, PRIVACY_GUARDIAN, QUERYING_PARTY).label("privacy_guardian_invents")
