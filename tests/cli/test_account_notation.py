"""``capc account``: encodings of a list of cases, and how numbers are written."""

from __future__ import annotations

import codecs
import json
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capc import cli
from capc.cli.account.options import OPTIONS
from capc.privacy.accountants.ball_arithmetic import decimal_text

CASES = '[{"question": "epsilon", "sigma": 4, "queries": 20}]'


@pytest.mark.parametrize(
    "content",
    [
        codecs.BOM_UTF8 + CASES.encode(),
        codecs.BOM_UTF16_LE + CASES.encode("utf-16-le"),
        codecs.BOM_UTF16_BE + CASES.encode("utf-16-be"),
        CASES.encode("utf-32-le"),
    ],
    ids=["utf-8", "utf-16-le", "utf-16-be", "utf-32"],
)
def test_a_list_of_cases_in_any_encoding_of_json_is_read(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, content: bytes
) -> None:
    """Editors put a byte-order mark before a text, which is no part of it."""
    file = tmp_path / "cases.json"
    file.write_bytes(content)
    assert cli.run(["account", "batch", str(file), "--json", "-"]) == 0
    assert [found["queries"] for found in json.loads(capsys.readouterr().out)["answers"]] == [20]


@pytest.mark.parametrize("content", [b"\xff\xfe[", b"[\xe4]", codecs.BOM_UTF8 * 2 + CASES.encode()])
def test_bytes_that_are_no_text_are_refused_in_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, content: bytes
) -> None:
    file = tmp_path / "cases.json"
    file.write_bytes(content)
    assert cli.run(["account", "batch", str(file)]) == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert str(file) in line


@pytest.mark.parametrize(
    ("text", "delta"), [("100000e-35", "1e-30"), ("1E-5", "0.00001"), (".5e-3", "0.0005"), ("3/1000000000", "3e-9")]
)
def test_one_number_in_many_notations_is_told_in_one(capsys: pytest.CaptureFixture[str], text: str, delta: str) -> None:
    assert cli.run(["account", "epsilon", "--sigma", "4", "--queries", "3", "--delta", text]) == 0
    assert f" at delta = {delta}\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Fraction(10**60) * 2, "2e60"),
        (Fraction(1, 10**30), "1e-30"),
        (Fraction(1006040), "1.00604e6"),
        (Fraction(1, 3 * 10**6), "3.33334e-7"),
        (Fraction(999999), "999999"),
        (Fraction(9999999, 10), "1e6"),
        (Fraction(9999999, 10**13), "0.000001"),
        (Fraction(1, 10**6), "0.000001"),
        (Fraction(250), "250"),
    ],
)
def test_a_figure_has_one_digit_before_its_point(value: Fraction, text: str) -> None:
    assert decimal_text(value) == text


@given(st.fractions(min_value=Fraction(1, 10**40), max_value=Fraction(10**40)), st.integers(-300, 300))
def test_a_figure_in_any_notation_is_rounded_up(value: Fraction, exponent: int) -> None:
    value *= Fraction(10) ** exponent
    text = decimal_text(value)
    assert value <= Fraction(text) <= value * (1 + Fraction(1, 10**5))
    head = text.split("e")[0]
    assert "e" not in text or (1 <= Fraction(head) < 10 and not head.endswith("0"))


@pytest.mark.parametrize(
    "question",
    [
        "epsilon --sigma 1e-30 --queries 1",
        "epsilon --sigma 1/3 --queries 1 --weight 1/3",
        "epsilon --sigma 1e9 --queries 1 --mechanism discrete_gaussian_shares --shares 3 --method gaussian_dp",
        "epsilon --sigma 4 --queries 3 --mechanism skellam --held-by 2 --method zcdp",
        "calibrate --epsilon 1e-25 --queries 536870912",
        "calibrate --epsilon 1 --queries 9 --mechanism skellam --method gaussian_dp",
        "queries --epsilon 1 --sigma 1e-30 --method renyi_classic",
        "queries --epsilon 1 --sigma 4 --ballots tau --labels 3 --tau 1 --held-by 2",
    ],
)
def test_what_cannot_be_computed_is_told_with_every_option_that_was_given(
    capsys: pytest.CaptureFixture[str], question: str
) -> None:
    """Inner quantities have names that no one gave: the line begins with those that somebody did."""
    arguments = question.split()
    assert cli.run(["account", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    given = {name: arguments[arguments.index(flag) + 1] for name in OPTIONS if (flag := flag_of(name)) in arguments}
    assert given
    for name, value in given.items():
        assert f"{name} = {value} ({flag_of(name)})" in captured.err


def flag_of(name: str) -> str:
    return "--" + name.replace("_", "-")
