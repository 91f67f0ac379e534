"""The same noise never meets different votes, wherever a guardian dies and however unluckily it wakes up again."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capc.foundation.errors import InputError
from capc.foundation.parties import PRIVACY_GUARDIAN, Party
from capc.privacy.ledger import Ledger, Terms, open_ledger
from capc.protocol import embedded_methods
from capc.protocol.collaboration import Collaboration
from capc.protocol.costs import Step
from capc.session.session import Session
from capc.steps.suite import hybrid_suite
from support.builders import constant_model, counter_seeds, make_parameters, make_policy, make_session, make_widths
from support.sizes import examples

SIZES = ((2, 3), (2, 3))
# So much noise that two draws are equal once in 2^60 or so.
PARAMETERS = make_parameters(make_widths(vote_bits=40), make_policy(sigma=Fraction(1 << 20)))
PLACES = ("never", "reserve", "release", "dispatch", "sending")


class CrashError(Exception):
    """The guardian's process ends here."""


class Guardian:
    """One life of a guardian on a ledger: plays queries until it dies."""

    def __init__(self, file: Path, dies: str, sent: dict[tuple[bytes, int], set[bytes]]) -> None:
        self.ledger = open_ledger(file, TERMS)
        self._dies = dies
        self._sent = sent

    def play(self, session: Session, winners: tuple[int, int], queries: int) -> None:
        """Queries with these votes, from seeds that are the same in every life: a machine set back to a snapshot."""
        models = [constant_model(size, winner, 2) for size, winner in zip(SIZES, winners, strict=True)]
        self._tag = session.tag
        suite = hybrid_suite(PARAMETERS)
        collaboration = Collaboration(
            session, models, suite, dying(self.ledger, self._dies), draw_seed=counter_seeds("snapshot"), observer=self
        )
        for _ in range(queries):
            collaboration.label([0, 0])

    def message(self, step: Step, sender: Party, receiver: Party, message: bytes) -> None:
        if step is Step.RELEASE and sender == PRIVACY_GUARDIAN:
            query = int.from_bytes(message[33:37], "little")
            self._sent.setdefault((self._tag, query), set()).add(message)
            if self._dies == "sending":
                raise CrashError


def dying(ledger: Ledger, place: str) -> Ledger:
    """The ledger, in a process that dies before or after one of its calls."""

    def then_die(call: Callable[..., Any]) -> Callable[..., Any]:
        def last(*arguments: Any) -> Any:
            call(*arguments)
            raise CrashError

        return last

    def die(*_: Any) -> Any:
        raise CrashError

    if place == "reserve":
        ledger.reserve = then_die(ledger.reserve)  # type: ignore[method-assign]
    if place == "release":
        ledger.dispatch = die  # type: ignore[method-assign]
    if place == "dispatch":
        ledger.dispatch = then_die(ledger.dispatch)  # type: ignore[method-assign]
    return ledger


TERMS = Terms("privacy_guardian", "votes", PARAMETERS.release, PARAMETERS.widths.grid_bits, Fraction(1, 1 << 20))
"""A budget for some millions of such noisy queries."""


@pytest.mark.slow
@pytest.mark.req("CAPC-LEDG-005", "CAPC-LEDG-006")
@given(
    lives=st.lists(
        st.tuples(
            st.sampled_from(PLACES),
            st.integers(0, 1),
            st.tuples(st.integers(0, 2), st.integers(0, 2)),
        ),
        min_size=2,
        max_size=5,
    )
)
@settings(max_examples=examples(ordinary=10, nightly=300), deadline=None)
def test_the_same_noise_never_meets_different_votes(lives: list[tuple[str, int, tuple[int, int]]]) -> None:
    drawn: list[tuple[Any, ...]] = []
    sent: dict[tuple[bytes, int], set[bytes]] = {}
    honest = embedded_methods.privacy_guardian_release
    winners = (0, 0)

    def noting(*arguments: Any) -> Any:
        released, message = honest(*arguments)
        drawn.append((released.noise.classes, winners))
        return released, message

    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(embedded_methods, "privacy_guardian_release", noting)
        file = Path(name) / "ledger"
        for place, session_number, winners in lives:
            guardian = Guardian(file, place, sent)
            session = make_session(PARAMETERS, SIZES, bytes([session_number]) * 32)
            # Numbers of queries that were used in an earlier life are refused.
            with suppress(CrashError, InputError):
                guardian.play(session, winners, queries=2)
            guardian.ledger.close()
        assert drawn or lives[0][0] == "reserve"
        votes_of: dict[object, object] = {}
        for noise, votes in drawn:
            assert votes_of.setdefault(noise, votes) == votes
        with open_ledger(file, TERMS) as ledger:
            for key, messages in sent.items():
                assert messages == {ledger.dispatched(*key)}
            assert ledger.spent >= len(sent) * ledger.cost.worst_case
            assert ledger.spent >= len(drawn) * ledger.cost.worst_case
