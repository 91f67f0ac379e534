"""Nothing that a role receives is forgotten: the two tables of section 90 against the code, and against real views."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterator
from dataclasses import fields, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from capc.foundation import errors
from capc.foundation.parties import PRIVACY_GUARDIAN, QUERYING_PARTY
from capc.privacy.ledger import Proof, records
from capc.privacy.storage import errors as ledger_errors
from capc.session.envelope import MessageType
from capc.session.parameters import Charge
from capc_verify.views.collection import Notebook
from capc_verify.views.fixes import owned_by
from capc_verify.views.playback import Playback, PlayedView
from capc_verify.views.symbols import Symbols
from capc_verify.views.toy import AP_1, AP_2, linear_model, toy_parameters
from privacy.ledger.cases import INPUTS, TAG, make_ledger

SECTION = Path(__file__).parents[2] / "spec" / "90-security-claims.md"
EVERYBODY = frozenset({QUERYING_PARTY, AP_1, AP_2, PRIVACY_GUARDIAN})
MODELS = [linear_model((1, 0), (-1, 0)), linear_model((-1, 0), (1, 0))]
KINDS = {records.OPENED, records.CHARGED, records.UNBLINDED, records.DISPATCHED, records.SETTLED}
MESSAGES = {kind.name.lower() for kind in MessageType}
PROOF = {field.name for field in fields(Proof)}
BESIDE = {"opening", "message"}
ERRORS = {
    name
    for module in (errors, ledger_errors)
    for name, value in vars(module).items()
    if isinstance(value, type) and issubclass(value, errors.CapcError) and value is not errors.CapcError
}


def table(heading: str) -> list[tuple[str, str]]:
    """The rows under a heading of a table of the section on views."""
    text = SECTION.read_text(encoding="utf-8")
    _, _, after = text.partition(f"| {heading} |")
    rows = re.findall(r"^\| (.+) \| (.+) \|$", after.partition("\n\n")[0], re.MULTILINE)
    assert rows, heading
    return rows


def named(rows: list[tuple[str, str]]) -> set[str]:
    """Everything in backticks in the first column."""
    return {name for first, _ in rows for name in re.findall(r"`(\w+)`", first)}


IN_VIEWS = table("what a role receives | in the views as")
LEFT_OUT = table("left out | why")


@pytest.mark.req("CAPC-SEC-012")
def test_every_message_record_field_of_a_proof_and_error_is_in_one_of_the_two_tables() -> None:
    shown, hidden = named(IN_VIEWS), named(LEFT_OUT)
    assert shown | hidden >= MESSAGES | PROOF | KINDS | ERRORS
    assert shown & KINDS == {records.OPENED, records.CHARGED}
    assert hidden & KINDS == KINDS - shown
    assert hidden >= BESIDE
    assert all(len(reason) > len("see above") for _, reason in LEFT_OUT)


def told(play: Callable[[], object]) -> Iterator[Hashable]:
    """Everything that anybody received in any outcome of a play."""
    law: Any = play()
    for seen in law:
        assert isinstance(seen, PlayedView)
        assert isinstance(seen.view, tuple)
        yield from (what for _, what in seen.view)


def received() -> set[str]:
    """Types of messages in views: of a run whose budget ends, and of a prepared batch, in realised mode."""
    parameters = toy_parameters(4, threshold=2, charge=Charge.REALISED)
    playback = Playback(parameters, MODELS, owned_by(EVERYBODY, salt=1), budget=Fraction(4))
    entries = [
        *told(lambda: playback.run_law([[(1,)], [(1,)], [(1,)]], EVERYBODY)),
        *told(lambda: playback.run_law([[(1,)]], EVERYBODY, ahead=True)),
    ]
    names = {entry[0] for entry in entries if isinstance(entry, tuple) and entry[0] in ("ledger", "refused")}
    messages = [entry[2] for entry in entries if isinstance(entry, tuple) and isinstance(entry[-1], bytes)]
    return names | {MessageType(message[0]).name.lower() for message in messages}


@pytest.mark.req("CAPC-SEC-012")
def test_what_is_said_to_be_in_the_views_occurs_in_them() -> None:
    assert received() == {*(named(IN_VIEWS) & MESSAGES), "ledger", "refused"}


@pytest.mark.req("CAPC-SEC-012")
@pytest.mark.parametrize("name", sorted(PROOF))
def test_every_field_of_a_proof_changes_the_view(tmp_path: Path, name: str) -> None:
    with make_ledger(tmp_path) as ledger:
        ledger.reserve(TAG, 1, INPUTS)
        proof = Proof.from_bytes(ledger.proof())
    value = getattr(proof, name)
    other = value[1:] if isinstance(value, tuple) else b"\1" * len(value) if isinstance(value, bytes) else value + 1
    assert view_of(proof) != view_of(replace(proof, **{name: other}))


def view_of(proof: Proof) -> Hashable:
    notebook = Notebook()
    notebook.note(AP_1, proof)
    return notebook.seen_by(frozenset({AP_1}), Symbols())
