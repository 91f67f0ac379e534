"""The driver's part for steps 1c and 3 on an outside engine: a test may interfere with what the engine gives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from capc.answering_party import AwaitingChoice, VoteReady
from capc.engine import ArgmaxCase, ReleaseCase, SecureEngine
from capc.engine_steps import (
    answering_party_enter_argmax,
    privacy_guardian_enter_release,
    privacy_guardian_take_answered,
    querying_party_enter_argmax,
    querying_party_enter_release,
    querying_party_take_label,
    querying_party_take_votes,
)
from capc.events import Receipt
from capc.parameters import Charge
from capc.parties import PRIVACY_GUARDIAN, Party
from capc.privacy_guardian import Aggregated
from capc.querying_party import AwaitingResponse, ReleaseTurn, VoteShare

if TYPE_CHECKING:
    from support.driver import Driver, Outcome

T = TypeVar("T")


@dataclass(frozen=True)
class Given:
    """What the engine gives a party.

    Attributes:
        step: the name of the step that takes it.
        honest: the outputs.
        receive: may be called with other outputs.
        blame: the party that an output is blamed on; None where the caller is.
    """

    step: str
    honest: object
    receive: Callable[[object], object]
    blame: Party | None


@dataclass
class OutsideEngine:
    """An engine, and what was entered and written down."""

    engine: SecureEngine
    interfere: Callable[[Given], None] = lambda given: None
    entered: list[object] = field(default_factory=list)

    def give(
        self, driver: Driver, step: Callable[..., T], state: object, honest: object, blame: Party | None = None
    ) -> T:
        """Hands outputs over; first lets the test interfere."""
        self.interfere(
            Given(step.__name__, honest, lambda outputs: driver.consume(step, state, outputs), blame),
        )
        return driver.consume(step, state, honest)


def vote_on_engine(
    driver: Driver, outside: OutsideEngine, before: AwaitingResponse, response: bytes, choosing: AwaitingChoice
) -> tuple[tuple[VoteShare, ...], tuple[VoteReady, ...]]:
    """Step 1c with one answering party."""
    peer = before.layer_input.peer
    mine, logits = driver.hand_over(peer, response, querying_party_enter_argmax, before)
    ready, masks, fresh = driver.consume(answering_party_enter_argmax, choosing, driver.draw_seed())
    cases = [ArgmaxCase(*case) for case in zip(masks, fresh, logits, strict=True)]
    outside.entered += cases
    shares, _ = outside.engine.argmax(driver.session.parameters, cases)
    return outside.give(driver, querying_party_take_votes, mine, shares, peer), ready


def release_on_engine(
    driver: Driver,
    outside: OutsideEngine,
    turn: ReleaseTurn,
    shares: list[VoteShare],
    aggregated: Aggregated,
    receipt: Receipt,
    features: Sequence[int],
) -> Outcome:
    """Step 3, once the account is charged."""
    parameters = driver.session.parameters
    mine, words = driver.consume(querying_party_enter_release, turn, shares, driver.draw_seed())
    guardian, guardian_words, commitment = driver.consume(
        privacy_guardian_enter_release, aggregated, receipt, driver.draw_seed()
    )
    driver.account.dispatch(receipt, commitment)
    case = ReleaseCase(guardian_words, words)
    outside.entered += [case, commitment]
    (outputs,), _ = outside.engine.release(parameters, [case])
    answer = outside.give(driver, querying_party_take_label, mine, outputs.querying_party, PRIVACY_GUARDIAN)
    bit = None
    if parameters.release.charge is Charge.REALISED:
        bit = outside.give(driver, privacy_guardian_take_answered, guardian, outputs.privacy_guardian)
    return driver.outcome(answer.label, bit, guardian.noise, mine.threshold_noise, features)
