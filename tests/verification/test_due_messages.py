"""The table of section 17 that says when a message is due, held to transcripts of all modes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import groupby

import pytest

from capc.foundation.parties import Party, Role
from capc.session.envelope import MessageType
from capc_verify.conformance.live.judging import shadow
from capc_verify.live.sessions import MODES
from support.sources import ROOT

ROW = re.compile(r"^\| (QP|AP|PG) \| (.+) \| (.+) \|$", re.MULTILINE)
ROLES = {Role.QUERYING_PARTY: "QP", Role.ANSWERING_PARTY: "AP", Role.PRIVACY_GUARDIAN: "PG"}
KINDS = {kind.name.lower() for kind in MessageType}


@dataclass(frozen=True)
class Row:
    """A row of the table: types of messages that it needs, and, in order, that it sends, and to whom."""

    role: str
    needs: frozenset[str]
    sends: tuple[str, ...]
    receivers: frozenset[str]

    def fits(self, me: Party, receiver: Party, kind: str) -> bool:
        return self.role == ROLES[me.role] and ROLES[receiver.role] in self.receivers and kind in self.sends


def rows_of_the_table() -> list[Row]:
    section = (ROOT / "spec" / "17-operations.md").read_text(encoding="utf-8")
    table = section.partition("## When a message is due")[2].partition("\n## ")[0]
    return [
        Row(
            role,
            frozenset(re.findall(r"\w+", when)) & KINDS,
            tuple(word for word in re.findall(r"\w+", sends) if word in KINDS),
            frozenset(re.findall(r"\b(?:QP|AP|PG)\b", sends)),
        )
        for role, when, sends in ROW.findall(table)
    ]


@pytest.mark.slow
@pytest.mark.req("CAPC-ROLE-023")
def test_parties_send_what_the_table_says_after_what_it_says_and_no_row_is_idle() -> None:
    """A row that needs no message begins a set-up, or a batch, with whatever was last."""
    rows, used = rows_of_the_table(), set()
    assert len(rows) == 27
    for mode in MODES:
        transcript = shadow(mode)
        for me in transcript.joins:
            for cause, turn in transcript.turns(me):
                last = None if cause is None else MessageType(cause.data[0]).name.lower()
                for receiver in {receiver for receiver, _ in turn.sent}:
                    kinds = (MessageType(data[0]).name.lower() for to, data in turn.sent if to == receiver)
                    left = [kind for kind, _ in groupby(kinds)]
                    before = -1
                    while left:
                        able = [
                            place
                            for place, row in enumerate(rows)
                            if row.fits(me, receiver, left[0]) and place > before
                        ]
                        named = [place for place in able if last in rows[place].needs]
                        fitting = named or [place for place in able if not rows[place].needs]
                        assert fitting, (mode, me, last, left)
                        before, sends = fitting[0], rows[fitting[0]].sends
                        used.update(fitting)
                        # Of the row's messages those that are for this party, in the row's order.
                        begun = sends.index(left.pop(0))
                        while left and left[0] in sends[begun + 1 :]:
                            begun = sends.index(left.pop(0), begun + 1)
    assert [row for place, row in enumerate(rows) if row.sends and place not in used] == []
