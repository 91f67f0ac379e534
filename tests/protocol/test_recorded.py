"""Whole sessions give the messages that were recorded of them, byte for byte on every connection."""

from __future__ import annotations

import json

import pytest

from protocol.recorded import ENCRYPTED, FILE, SESSIONS, play
from support.sizes import examples

RECORDED = json.loads(FILE.read_text("utf-8"))


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, examples(ordinary=20, nightly=len(SESSIONS)), 20))
def test_sessions_give_the_recorded_messages(first: int) -> None:
    numbers = range(first, first + 20)
    assert [play(number) for number in numbers] == RECORDED["ideal"][first : first + 20]


@pytest.mark.slow
def test_encrypted_sessions_give_the_recorded_headers_lengths_and_decryptions() -> None:
    assert [play(number, encrypted=True) for number in ENCRYPTED] == RECORDED["bfv"]


def test_the_record_holds_every_mode() -> None:
    modes = " ".join(entry["mode"] for entry in RECORDED["ideal"])
    for mode in ("tournament embedded", "all_pairs", "multi_round", "outside", "batch 3", "prepared 3"):
        assert mode in modes
    assert len(RECORDED["ideal"]) == len(SESSIONS)
    assert len({entry["digest"] for entry in RECORDED["ideal"]}) == len(SESSIONS)
