"""Every deviation, at every message of a run of every mode: refused with its code, blamed on the sender, harmless.

After each refusal the honest message is handed to the same state, and the run ends with the right label.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from capc.foundation.errors import ErrorCode
from capc.session.envelope import MessageType
from support import deviations as faulty
from support.builders import model_of_all_endings
from support.deviations import Deviation
from support.driver import Delivery
from support.interference import (
    SIZES,
    WIDE,
    Interference,
    Mode,
    new_driver,
    other_session,
    run,
    traffic_of,
)
from support.secrets import secrets_in
from support.sizes import is_nightly
from support.step_functions import step_functions

ONE_PER_CODE = (
    faulty.sends_elements_out_of_range,
    faulty.sends_rows_out_of_range,
    faulty.sends_nothing,
    faulty.truncates,
    faulty.sends_out_of_order,
    faulty.replays_another_session,
    faulty.forges_the_query,
    faulty.replays_another_layer,
    faulty.passes_on_anothers_message,
    faulty.sends_points_off_the_curve,
    faulty.sets_padding_bits,
    faulty.forges_the_answered_label,
)
"""A deviation for each code."""

ALL = set(MessageType) - {MessageType.HELLO}
"""A hello is sent only where the tags differ, which `tests/session/test_other_sessions.py` plays."""
AHEAD_ONLY = {MessageType.MASKED_VALUE, MessageType.INPUT_LABELS}
"""They occur in one batch of the run only: there is none of an earlier query."""
OCCURRING = {
    Mode.CIRCUITS: ALL,
    Mode.ROUNDS: ALL - AHEAD_ONLY,
    Mode.ENGINE: ALL - AHEAD_ONLY - {MessageType.ANSWERED_LABEL},
}
FIRST_ON_A_CONNECTION = {
    MessageType.MASK_KEY,
    MessageType.SESSION_CHECK,
    MessageType.BASE_OT_OFFER,
    MessageType.BASE_OT_CHOICE,
}
"""Nothing of another type was sent before."""
IN_QUERIES = {kind for kind in ALL if MessageType.OT_EXTENSION <= kind <= MessageType.INPUT_LABELS}
POINTS = set(faulty.POINT_TYPES)
BASE_TRANSFERS = {MessageType.BASE_OT_OFFER, MessageType.BASE_OT_CHOICE, MessageType.OT_TREES}
OF_EVERYBODY = {
    MessageType.BASE_OT_CHOICE,
    MessageType.MASK_KEY,
    MessageType.SESSION_CHECK,
    MessageType.VOTE_SHARES,
}
"""A step takes one of each of several parties."""
EACH_WAY = {MessageType.MASK_KEY, MessageType.SESSION_CHECK}

TOUCHED: dict[Deviation, set[MessageType]] = {
    faulty.sends_nothing: OF_EVERYBODY,
    faulty.sends_out_of_order: ALL - FIRST_ON_A_CONNECTION,
    faulty.replays_another_query: IN_QUERIES - AHEAD_ONLY,
    faulty.passes_on_anothers_message: ALL - {MessageType.ANSWERED_LABEL},
    faulty.reflects: EACH_WAY,
    faulty.sends_points_off_the_curve: POINTS,
    faulty.sends_points_that_are_not_reduced: POINTS,
    faulty.sends_points_of_small_order: POINTS,
    faulty.adds_a_small_order_part: POINTS,
    faulty.sends_elements_out_of_range: {MessageType.VOTE_SHARES, MessageType.MASKED_VALUE},
    faulty.sends_rows_out_of_range: set(),
    faulty.sets_padding_bits: set(faulty.PADDED),
    faulty.forges_the_answered_label: {MessageType.ANSWERED_LABEL},
    faulty.forges_handles: {MessageType.LINEAR_REQUEST, MessageType.LINEAR_RESPONSE},
}
"""The types of message at which a deviation is possible; all types of the mode where it is not named."""
TOUCHED_ELSEWHERE: dict[tuple[Mode, Deviation], set[MessageType]] = {
    # The second base transfers go the other way, after other messages; the querying party takes them of everybody.
    (Mode.ROUNDS, faulty.sends_nothing): OF_EVERYBODY | {MessageType.BASE_OT_OFFER, MessageType.OT_TREES},
    (Mode.ROUNDS, faulty.sends_out_of_order): ALL - FIRST_ON_A_CONNECTION
    | {MessageType.BASE_OT_OFFER, MessageType.BASE_OT_CHOICE},
    (Mode.ROUNDS, faulty.reflects): EACH_WAY | BASE_TRANSFERS,
    (Mode.ROUNDS, faulty.sends_rows_out_of_range): {MessageType.CHOICE_BITS},
    # One answering party has hidden layers, and no circuit votes: nobody else is at the same place.
    (Mode.ENGINE, faulty.passes_on_anothers_message): ALL - {MessageType.CHOICE_BITS, MessageType.GARBLED_CIRCUITS},
}
"""Where another mode differs."""


def touched(mode: Mode, deviation: Deviation) -> set[MessageType]:
    """The types of message at which a deviation is possible."""
    return TOUCHED_ELSEWHERE.get((mode, deviation), TOUCHED.get(deviation, ALL)) & OCCURRING[mode]


PER_LAYER = {
    MessageType.LINEAR_REQUEST,
    MessageType.LINEAR_RESPONSE,
    MessageType.CHOICE_BITS,
    MessageType.GARBLED_CIRCUITS,
    MessageType.MASKED_VALUE,
    MessageType.INPUT_LABELS,
}
ROUND = {MessageType.CHOICE_BITS, MessageType.GARBLED_CIRCUITS}
LATER_LAYERS = {
    Mode.CIRCUITS: {(kind, layer) for kind in PER_LAYER for layer in (1, 2)},
    Mode.ROUNDS: {(kind, layer) for kind in PER_LAYER - AHEAD_ONLY for layer in (1, 2)} | {(kind, 3) for kind in ROUND},
    Mode.ENGINE: {(kind, layer) for kind in PER_LAYER - AHEAD_ONLY for layer in (1, 2)} - {(kind, 2) for kind in ROUND},
}
"""Types with their layers or rounds from 1 on."""

REQUIREMENTS = {
    faulty.sends_nothing: ("CAPC-ROLE-006", "CAPC-AGG-004"),
    faulty.truncates: ("CAPC-WIRE-003", "CAPC-WIRE-007"),
    faulty.extends: ("CAPC-WIRE-003",),
    faulty.sends_another_type: ("CAPC-WIRE-002",),
    faulty.sends_out_of_order: ("CAPC-WIRE-006",),
    faulty.replays_another_session: ("CAPC-WIRE-006",),
    faulty.forges_the_tag: ("CAPC-WIRE-002",),
    faulty.replays_another_query: ("CAPC-WIRE-006",),
    faulty.forges_the_query: ("CAPC-WIRE-002",),
    faulty.replays_another_layer: ("CAPC-WIRE-006",),
    faulty.names_another_sender: ("CAPC-WIRE-002",),
    faulty.names_another_receiver: ("CAPC-WIRE-002",),
    faulty.passes_on_anothers_message: ("CAPC-WIRE-006",),
    faulty.reflects: ("CAPC-WIRE-006",),
    faulty.sends_points_off_the_curve: ("CAPC-WIRE-005",),
    faulty.sends_points_that_are_not_reduced: ("CAPC-WIRE-005",),
    faulty.sends_points_of_small_order: ("CAPC-WIRE-005",),
    faulty.adds_a_small_order_part: ("CAPC-WIRE-005",),
    faulty.sends_elements_out_of_range: ("CAPC-WIRE-004",),
    faulty.sends_rows_out_of_range: ("CAPC-WIRE-004", "CAPC-ROUND-006"),
    faulty.sets_padding_bits: ("CAPC-WIRE-004",),
    faulty.forges_the_answered_label: ("CAPC-GC-005", "CAPC-ACCT-007"),
    faulty.forges_handles: ("CAPC-WIRE-004",),
}
"""Every deviation, and what its refusals are evidence for."""


def cases() -> Iterator[object]:
    """Every deviation in every mode where it is possible; points are sent in set-ups, which the engine's run shares.

    Ordinarily in rounds and with an engine only those that can touch other messages there.
    """
    for mode in Mode:
        for deviation, requirements in REQUIREMENTS.items():
            kinds = touched(mode, deviation)
            is_tried = is_nightly() or mode is Mode.CIRCUITS or (mode, deviation) in TOUCHED_ELSEWHERE
            if is_tried and kinds and not (mode is Mode.ENGINE and kinds == POINTS):
                name = f"{mode.value}-{deviation.__name__}"
                yield pytest.param(mode, deviation, id=name, marks=pytest.mark.req(*requirements))


@pytest.mark.slow
@pytest.mark.req("CAPC-ERR-001", "CAPC-ROLE-009")
@pytest.mark.parametrize(("mode", "deviation"), list(cases()))
def test_deviation_is_refused_blamed_and_harmless(mode: Mode, deviation: Deviation) -> None:
    driver = new_driver(mode)
    interference = Interference(mode, driver, [deviation])
    driver.set_up()
    for outcome in run(driver):
        assert (outcome.label, outcome.ideal_label, outcome.guardian_bit) == (1, 1, True)
    assert {kind for kind, _ in interference.refused} == touched(mode, deviation)
    assert interference.refused.total() >= 4


@pytest.mark.slow
@pytest.mark.req("CAPC-ROLE-009")
@pytest.mark.parametrize("mode", Mode)
def test_refused_messages_change_no_byte_of_the_run(mode: Mode) -> None:
    """The run with a forgery before every message sends, and enters in an engine, exactly what the honest run does."""
    honest, attacked = new_driver(mode), new_driver(mode)
    interference = Interference(mode, attacked, ONE_PER_CODE)
    for driver in (honest, attacked):
        driver.set_up()
        run(driver)
    assert honest.sent == attacked.sent
    assert honest.entered == attacked.entered
    assert len(honest.entered) == (len(SIZES) * 4 + 2 * 4 if mode is Mode.ENGINE else 0)
    assert interference.refused.total() > 300


@pytest.mark.slow
@pytest.mark.req("CAPC-ROLE-013")
@pytest.mark.parametrize("mode", Mode)
def test_no_refusal_shows_a_secret_of_any_state(mode: Mode) -> None:
    """At wide rings, where a secret number is not found in a message by chance; causes and contexts included."""
    driver = new_driver(mode, widths=WIDE)
    interference = Interference(mode, driver, ONE_PER_CODE)
    driver.set_up()
    run(driver)
    secrets = {text for entry in (*driver.results, *driver.calls) for text in secrets_in(entry)}
    assert len(secrets) > 3000
    shown = "\n".join(interference.texts)
    assert not [text for text in secrets if text in shown]


@pytest.mark.slow
@pytest.mark.parametrize("mode", Mode)
def test_every_kind_of_message_occurs_in_the_run(mode: Mode) -> None:
    assert {place.message_type for place in other_session(mode)} == OCCURRING[mode]
    layers = {(place.message_type, place.layer) for place in other_session(mode) if place.layer}
    assert layers == LATER_LAYERS[mode]


NO_MESSAGE = {
    "answering_party_begin_setup": "begins: the party's own session and model",
    "querying_party_begin_setup": "begins: the party's own session",
    "privacy_guardian_begin_setup": "begins: the party's own session",
    "answering_party_offer_reverse": "begins the second base transfers",
    "querying_party_open_batch": "begins a batch",
    "answering_party_open_batch": "begins a batch",
    "privacy_guardian_open_query": "begins a query",
    "answering_party_expect_transfers": "works ahead of a message",
    "querying_party_enter_batch": "takes the party's own queries",
    "querying_party_enter_online": "takes the party's own queries",
    "querying_party_mask_batch": "draws masks",
    "querying_party_request_layer": "speaks first",
    "querying_party_request_offline": "speaks first",
    "answering_party_enter_batch": "turns a state into another",
    "answering_party_enter_offline": "turns a state into another",
    "answering_party_keep_sums": "turns a state into another",
    "answering_party_keep_masks": "turns a state into another",
    "querying_party_finish_offline": "turns a state into another",
    "answering_party_finish_offline": "turns a state into another",
    "answering_party_begin_rounds": "turns a state into another",
    "answering_party_send_vote": "speaks first",
    "querying_party_request_release": "speaks first, with its own vote shares",
    "answering_party_enter_argmax": "enters its own shares in an engine",
    "querying_party_enter_release": "enters its own words in an engine",
    "privacy_guardian_enter_release": "enters its own words in an engine",
}
"""Step functions to which no other party and no engine gives anything, and why."""


@pytest.mark.slow
@pytest.mark.req("CAPC-ROLE-009", "CAPC-ROLE-013")
def test_every_step_that_takes_a_message_refused_one() -> None:
    """A new step is either played by one of the modes, or named above with a reason."""
    refused: set[str] = set()
    for mode, driver in [
        *((mode, new_driver(mode)) for mode in Mode),
        (Mode.CIRCUITS, new_driver(Mode.CIRCUITS, models=[model_of_all_endings()] * 2)),
    ]:
        interference = Interference(mode, driver, [faulty.truncates])
        driver.set_up()
        run(driver)
        refused |= set(interference.steps)
    names = [step.__name__ for step in step_functions()]
    assert len(names) == len(set(names))
    assert refused == set(names) - NO_MESSAGE.keys()
    assert NO_MESSAGE.keys() <= set(names)
    for step in step_functions():
        takes_bytes = any("bytes" in str(kind) for name, kind in step.__annotations__.items() if name != "return")
        assert not (takes_bytes and step.__name__ in NO_MESSAGE), step.__name__


@pytest.mark.slow
def test_every_code_of_the_specification_is_raised_by_some_deviation() -> None:
    """Two are left: a hello's, which no honest run has, and that of transfers, which ends a run."""
    codes: set[ErrorCode] = set()
    driver = new_driver(Mode.CIRCUITS)

    def interfere(delivery: Delivery) -> None:
        traffic = traffic_of(Mode.CIRCUITS, driver)
        codes.update(forgery.code for deviation in REQUIREMENTS for forgery in deviation(delivery, traffic))

    driver.interfere = interfere
    driver.set_up()
    run(driver)
    assert codes == set(ErrorCode) - {ErrorCode.PARAMETER_MISMATCH, ErrorCode.INCONSISTENT_TRANSFERS}
