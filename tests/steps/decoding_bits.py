"""A release of which one decoding bit was changed on its way."""

from __future__ import annotations

from capc.foundation.errors import ErrorCode
from capc.foundation.parties import PRIVACY_GUARDIAN
from capc.steps.querying_party.release import querying_party_finish_release
from support.driver import Driver
from support.refusals import refused


def a_flipped_one_is_refused_and_costs_nothing(driver: Driver, label: int | None, code: ErrorCode) -> None:
    """The guardian is blamed with this code, and its message as it was still gives this label."""
    assert driver.run_query([0, 0]).label == label
    call = driver.call_of(querying_party_finish_release)
    (honest,) = call.arguments
    waiting = call.state.renewed(chosen=call.state.chosen.renewed())
    with refused(code, PRIVACY_GUARDIAN):
        querying_party_finish_release(waiting, honest[:-1] + bytes([honest[-1] ^ 1]))
    assert querying_party_finish_release(waiting, honest).label == label
