"""``capc ledger show|verify|export`` on ledgers that are whole, damaged, missing, or rolled back."""

from __future__ import annotations

import json
import shutil
import sqlite3
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from capc import cli
from capc.privacy.ledger import check_proof, default_key_file, save_known_head
from privacy.ledger.cases import CHECK, COST, INPUTS, TAG, make_ledger, make_terms, message_of

METHODS = ("gaussian_dp", "zcdp", "renyi_improved", "renyi_classic")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A ledger with two queries, one of them withheld, and the head that a party kept after the first."""
    with make_ledger(tmp_path) as ledger:
        ledger.dispatch(ledger.reserve(TAG, 1, INPUTS), message_of(1))
        save_known_head(check_proof(None, ledger.proof(), make_terms()), tmp_path / "head.json")
        receipt = ledger.reserve(TAG, 2, INPUTS)
        ledger.dispatch(receipt, message_of(2))
        ledger.settle(receipt, answered=False)
    return tmp_path / "ledger"


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert cli.run(["ledger", *arguments, "--json", "-"]) == 0
    captured = capsys.readouterr()
    document = json.loads(captured.out)
    assert isinstance(document, dict)
    return document


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert cli.run(["ledger", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("capc: ")
    assert captured.err.count("\n") == 1
    return captured.err


@pytest.mark.slow
@pytest.mark.req("CAPC-ACCT-005")
def test_show_tells_terms_charges_and_what_is_left(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = answer(capsys, "show", str(file))
    assert document["terms"]["sigma"] == "2"
    assert Fraction(document["spent"]) == COST + CHECK
    assert document["remaining_queries"] == (20 * COST - COST - CHECK) // COST
    assert document["records"] == 6
    assert "not a guarantee" in document["realised"]
    assert "replace_one" in document["enforced"]
    # One log, every figure: its own reading is among them, and the smaller adjacency is cheaper.
    readings = document["readings"]
    assert set(readings) == {f"{a}, {m}" for a in ("replace_one", "null_vote") for m in METHODS}
    assert all("not a guarantee" in told for told in readings.values())
    assert readings["replace_one, gaussian_dp"].split()[2] == document["realised"].split()[2]
    for method in METHODS:
        figures = [float(readings[f"{a}, {method}"].split()[2]) for a in ("null_vote", "replace_one")]
        assert figures[0] < figures[1]
    assert any("noise was drawn exactly" in line for line in document["hypotheses"])
    assert cli.run(["ledger", "show", str(file)]) == 0
    assert "privacy_guardian" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.req("CAPC-LEDG-004")
def test_verify_accepts_a_whole_ledger_and_a_head_that_it_extends(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert answer(capsys, "verify", str(file))["extends_head"] is False
    head = str(file.with_name("head.json"))
    assert answer(capsys, "verify", str(file), "--head", head)["extends_head"] is True
    assert cli.run(["ledger", "verify", str(file)]) == 0
    assert "whole: 6 records" in capsys.readouterr().out


@pytest.mark.req("CAPC-LEDG-004")
@pytest.mark.parametrize("command", ["show", "verify", "export"])
@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("DELETE FROM record WHERE position = 2", "record 2 of the ledger was edited"),
        ("DELETE FROM record", "holds no record"),
        ("DROP TABLE record", "no such table"),
    ],
)
def test_a_damaged_ledger_is_refused_in_one_line(
    file: Path, capsys: pytest.CaptureFixture[str], command: str, statement: str, message: str
) -> None:
    connection = sqlite3.connect(file)
    connection.execute("DROP TRIGGER no_delete")
    connection.execute(statement)
    connection.commit()
    connection.close()
    assert message in refusal(capsys, command, str(file))


@pytest.mark.req("CAPC-LEDG-009")
def test_verify_notices_that_what_a_party_has_seen_was_taken_back(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Truncation leaves a chain that is right in itself; only a kept head tells."""
    connection = sqlite3.connect(file)
    connection.execute("DROP TRIGGER no_delete")
    connection.execute("DELETE FROM record WHERE position >= 2")
    connection.commit()
    connection.close()
    assert answer(capsys, "verify", str(file))["records"] == 2
    head = str(file.with_name("head.json"))
    assert "rolled back or forked" in refusal(capsys, "verify", str(file), "--head", head)


def test_verify_tells_another_ledger_and_a_missing_head(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "other").mkdir()
    shutil.copy(default_key_file(file), tmp_path / "other")
    make_ledger(tmp_path / "other").close()
    head = str(file.with_name("head.json"))
    assert "another ledger" in refusal(capsys, "verify", str(tmp_path / "other" / "ledger"), "--head", head)
    assert "no such file" in refusal(capsys, "verify", str(file), "--head", str(tmp_path / "none"))
    assert "not a head" in refusal(capsys, "verify", str(file), "--head", str(default_key_file(file)))


@pytest.mark.req("CAPC-LEDG-011")
def test_export_writes_every_record_and_no_secret(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["ledger", "export", str(file)]) == 0
    text = capsys.readouterr().out
    document = json.loads(text)
    kinds = [entry["body"]["kind"] for entry in document["entries"]]
    assert kinds == ["opened", "charged", "dispatched", "charged", "dispatched", "settled"]
    assert default_key_file(file).read_text().strip() not in text
    assert message_of(1).hex() not in text


@pytest.mark.parametrize("command", ["show", "verify", "export"])
def test_what_is_no_ledger_is_refused(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "other"
    other.write_text("some text\n" * 500)
    assert "no such ledger" in refusal(capsys, command, str(tmp_path / "none"))
    assert "no such ledger" in refusal(capsys, command, str(tmp_path))
    assert "not usable as a ledger" in refusal(capsys, command, str(other))


@pytest.mark.parametrize("name", ["[/b]", "a[red]x", "röntgen [bold]"])
def test_names_are_shown_as_they_are(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_ledger(tmp_path, replace(make_terms(), data_set=name)).close()
    file = (tmp_path / "ledger").rename(tmp_path / "[red] ledger")
    assert cli.run(["ledger", "show", str(file)]) == 0
    shown = capsys.readouterr().out
    assert name in shown
    assert "Ledger [red] ledger" in shown


def test_the_answer_may_not_replace_the_ledger(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "name another" in refusal(capsys, "show", str(file), "--json", str(file))
