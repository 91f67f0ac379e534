"""Every deviation, at every message of a run of every mode: refused with its code, blamed on the sender, harmless.

After each refusal the honest message is handed to the same state, and the run ends with the right label.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from capc.errors import ErrorCode
from capc.messages import MessageType
from capc.parameters import ParameterSet
from support import deviations as faulty
from support.deviations import Deviation, Traffic
from support.driver import Delivery
from support.interference import (
    BEFORE_ROUNDS,
    SIZES,
    WIDE,
    WIDTHS,
    Interference,
    Mode,
    new_driver,
    other_session,
    run,
)
from support.secrets import secrets_in
from support.step_functions import step_functions


def all_deviations(mode: Mode) -> list[Deviation]:
    """Every faulty party."""
    return [
        faulty.SendsNothing(),
        faulty.Truncates(),
        faulty.Extends(),
        faulty.SendsAnotherType(),
        faulty.SendsOutOfOrder(),
        faulty.ReplaysAnotherSession(),
        faulty.ForgesTheTag(),
        faulty.ReplaysAnotherQuery(),
        faulty.ForgesTheQuery(),
        faulty.ReplaysAnotherLayer(),
        faulty.NamesAnotherSender(),
        faulty.NamesAnotherReceiver(),
        faulty.PassesOnAnothersMessage(),
        faulty.Reflects(),
        faulty.SendsPointsOffTheCurve(),
        faulty.SendsPointsThatAreNotReduced(),
        faulty.SendsPointsOfSmallOrder(),
        faulty.AddsASmallOrderPart(),
        faulty.SendsElementsOutOfRange(WIDTHS.vote_bits, WIDTHS.logit_bits),
        faulty.SendsRowsOutOfRange(WIDTHS.logit_bits),
        faulty.SetsPaddingBits(BEFORE_ROUNDS if mode is Mode.ROUNDS else frozenset()),
        faulty.ForgesTheAnsweredLabel(),
        faulty.ForgesHandles(),
    ]


def one_per_code(mode: Mode, widths: ParameterSet = WIDTHS) -> list[Deviation]:
    """A faulty party for each code."""
    return [
        faulty.SendsElementsOutOfRange(widths.vote_bits, widths.logit_bits),
        faulty.SendsRowsOutOfRange(widths.logit_bits),
        faulty.SendsNothing(),
        faulty.Truncates(),
        faulty.SendsOutOfOrder(),
        faulty.ReplaysAnotherSession(),
        faulty.ForgesTheQuery(),
        faulty.ReplaysAnotherLayer(),
        faulty.PassesOnAnothersMessage(),
        faulty.SendsPointsOffTheCurve(),
        faulty.SetsPaddingBits(BEFORE_ROUNDS if mode is Mode.ROUNDS else frozenset()),
        faulty.ForgesTheAnsweredLabel(),
    ]


ALL = set(MessageType) - {MessageType.HELLO}
"""A hello is sent only where the tags differ, which `tests/core/test_other_sessions.py` plays."""
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
    MessageType.HE_PUBLIC_KEY,
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

TOUCHED: dict[str, set[MessageType]] = {
    "SendsNothing": OF_EVERYBODY,
    "SendsOutOfOrder": ALL - FIRST_ON_A_CONNECTION,
    "ReplaysAnotherQuery": IN_QUERIES - AHEAD_ONLY,
    "PassesOnAnothersMessage": ALL - {MessageType.ANSWERED_LABEL},
    "Reflects": EACH_WAY,
    "SendsPointsOffTheCurve": POINTS,
    "SendsPointsThatAreNotReduced": POINTS,
    "SendsPointsOfSmallOrder": POINTS,
    "AddsASmallOrderPart": POINTS,
    "SendsElementsOutOfRange": {MessageType.VOTE_SHARES, MessageType.MASKED_VALUE},
    "SendsRowsOutOfRange": set(),
    "SetsPaddingBits": set(faulty.PADDED),
    "ForgesTheAnsweredLabel": {MessageType.ANSWERED_LABEL},
    "ForgesHandles": {MessageType.LINEAR_REQUEST, MessageType.LINEAR_RESPONSE},
}
"""The types of message at which a deviation is possible; all types of the mode where it is not named."""
TOUCHED_ELSEWHERE: dict[tuple[Mode, str], set[MessageType]] = {
    # The second base transfers go the other way, after other messages; the querying party takes them of everybody.
    (Mode.ROUNDS, "SendsNothing"): OF_EVERYBODY | {MessageType.BASE_OT_OFFER, MessageType.OT_TREES},
    (Mode.ROUNDS, "SendsOutOfOrder"): ALL - FIRST_ON_A_CONNECTION | {MessageType.BASE_OT_CHOICE},
    (Mode.ROUNDS, "Reflects"): EACH_WAY | BASE_TRANSFERS,
    (Mode.ROUNDS, "SendsRowsOutOfRange"): {MessageType.CHOICE_BITS},
    # One answering party has hidden layers, and no circuit votes: nobody else is at the same place.
    (Mode.ENGINE, "PassesOnAnothersMessage"): ALL - {MessageType.CHOICE_BITS, MessageType.GARBLED_CIRCUITS},
}
"""Where another mode differs."""


def touched(mode: Mode, name: str) -> set[MessageType]:
    """The types of message at which a deviation is possible."""
    return TOUCHED_ELSEWHERE.get((mode, name), TOUCHED.get(name, ALL)) & OCCURRING[mode]


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
    "SendsNothing": ("CAPC-ROLE-006", "CAPC-AGG-004"),
    "Truncates": ("CAPC-WIRE-003", "CAPC-WIRE-007"),
    "Extends": ("CAPC-WIRE-003",),
    "SendsAnotherType": ("CAPC-WIRE-002",),
    "SendsOutOfOrder": ("CAPC-WIRE-006",),
    "ReplaysAnotherSession": ("CAPC-WIRE-006",),
    "ForgesTheTag": ("CAPC-WIRE-002",),
    "ReplaysAnotherQuery": ("CAPC-WIRE-006",),
    "ForgesTheQuery": ("CAPC-WIRE-002",),
    "ReplaysAnotherLayer": ("CAPC-WIRE-006",),
    "NamesAnotherSender": ("CAPC-WIRE-002",),
    "NamesAnotherReceiver": ("CAPC-WIRE-002",),
    "PassesOnAnothersMessage": ("CAPC-WIRE-006",),
    "Reflects": ("CAPC-WIRE-006",),
    "SendsPointsOffTheCurve": ("CAPC-WIRE-005",),
    "SendsPointsThatAreNotReduced": ("CAPC-WIRE-005",),
    "SendsPointsOfSmallOrder": ("CAPC-WIRE-005",),
    "AddsASmallOrderPart": ("CAPC-WIRE-005",),
    "SendsElementsOutOfRange": ("CAPC-WIRE-004",),
    "SendsRowsOutOfRange": ("CAPC-WIRE-004", "CAPC-ROUND-006"),
    "SetsPaddingBits": ("CAPC-WIRE-004",),
    "ForgesTheAnsweredLabel": ("CAPC-GC-005", "CAPC-ACCT-007"),
    "ForgesHandles": ("CAPC-WIRE-004",),
}


def cases() -> Iterator[object]:
    """Every deviation in every mode where it is possible; points are sent in set-ups, which the engine's run shares."""
    for mode in Mode:
        for deviation in all_deviations(mode):
            name = type(deviation).__name__
            kinds = touched(mode, name)
            if kinds and not (mode is Mode.ENGINE and kinds == POINTS):
                yield pytest.param(
                    mode, deviation, id=f"{mode.value}-{name}", marks=pytest.mark.req(*REQUIREMENTS[name])
                )


@pytest.mark.slow
@pytest.mark.req("CAPC-ERR-001", "CAPC-ROLE-009")
@pytest.mark.parametrize(("mode", "deviation"), list(cases()))
def test_deviation_is_refused_blamed_and_harmless(mode: Mode, deviation: Deviation) -> None:
    driver = new_driver(mode)
    interference = Interference(mode, driver, [deviation])
    driver.set_up()
    for outcome in run(driver):
        assert (outcome.label, outcome.ideal_label, outcome.guardian_bit) == (1, 1, True)
    assert {kind for kind, _ in interference.refused} == touched(mode, type(deviation).__name__)
    assert interference.refused.total() >= 4


@pytest.mark.slow
@pytest.mark.req("CAPC-ROLE-009")
@pytest.mark.parametrize("mode", Mode)
def test_refused_messages_change_no_byte_of_the_run(mode: Mode) -> None:
    """The run with a forgery before every message sends, and enters in an engine, exactly what the honest run does."""
    honest, attacked = new_driver(mode), new_driver(mode)
    interference = Interference(mode, attacked, one_per_code(mode))
    for driver in (honest, attacked):
        driver.set_up()
        run(driver)
    assert honest.sent == attacked.sent
    if honest.engine is not None and attacked.engine is not None:
        assert honest.engine.entered == attacked.engine.entered
        assert len(honest.engine.entered) == len(SIZES) * 4 + 2 * 4
    assert interference.refused.total() > 300


@pytest.mark.slow
@pytest.mark.req("CAPC-ROLE-013")
@pytest.mark.parametrize("mode", Mode)
def test_no_refusal_shows_a_secret_of_any_state(mode: Mode) -> None:
    """At wide rings, where a secret number is not found in a message by chance; causes and contexts included."""
    driver = new_driver(mode, widths=WIDE)
    interference = Interference(mode, driver, one_per_code(mode, WIDE))
    driver.set_up()
    run(driver)
    secrets = {text for entry in (*driver.results, *driver.calls) for text in secrets_in(entry)}
    assert len(secrets) > 3000
    shown = "\n".join(interference.texts)
    assert not [text for text in secrets if text in shown]


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
    "querying_party_enter_prepared": "takes the party's own queries",
    "querying_party_mask_batch": "draws masks",
    "querying_party_request_layer": "speaks first",
    "querying_party_finish_preparation": "turns a state into another",
    "answering_party_finish_preparation": "turns a state into another",
    "answering_party_begin_rounds": "turns a state into another",
    "answering_party_send_vote": "speaks first",
    "querying_party_request_release": "speaks first, with its own vote shares",
    "answering_party_enter_argmax": "enters its own shares in an engine",
    "querying_party_enter_release": "enters its own words in an engine",
    "privacy_guardian_enter_release": "enters its own words in an engine",
    "querying_party_make_keys": "of the comparison with CKKS: begins",
    "querying_party_encrypt": "of the comparison with CKKS: takes the party's own query",
}
"""Step functions to which no other party and no engine gives anything, and why."""
OUTSIDE_OF_SESSIONS = {
    "answering_party_read_keys": "of the comparison with CKKS, whose bytes have no header, session or state to spend",
    "answering_party_evaluate": "the same",
    "querying_party_decrypt": "the same",
}


@pytest.mark.slow
@pytest.mark.req("CAPC-ROLE-009", "CAPC-ROLE-013")
def test_every_step_that_takes_a_message_refused_one() -> None:
    """A new step is either played by one of the modes, or named above with a reason."""
    refused: set[str] = set()
    for mode in Mode:
        driver = new_driver(mode)
        interference = Interference(mode, driver, [faulty.Truncates()])
        driver.set_up()
        run(driver)
        refused |= set(interference.steps)
    names = [step.__name__ for step in step_functions()]
    assert len(names) == len(set(names))
    assert refused == set(names) - NO_MESSAGE.keys() - OUTSIDE_OF_SESSIONS.keys()
    assert NO_MESSAGE.keys() | OUTSIDE_OF_SESSIONS.keys() <= set(names)
    for step in step_functions():
        takes_bytes = any("bytes" in str(kind) for name, kind in step.__annotations__.items() if name != "return")
        assert not (takes_bytes and step.__name__ in NO_MESSAGE), step.__name__
        if step.__name__ in OUTSIDE_OF_SESSIONS:
            assert step.__module__ == "capc.comparison.ckks"


@pytest.mark.slow
def test_every_code_of_the_specification_is_raised_by_some_deviation() -> None:
    """The one code that is left is a hello's, which no honest run has."""
    codes: set[ErrorCode] = set()
    driver = new_driver(Mode.CIRCUITS)

    def interfere(delivery: Delivery) -> None:
        traffic = Traffic(dict(driver.sent), other_session(Mode.CIRCUITS))
        codes.update(
            forgery.code for entry in all_deviations(Mode.CIRCUITS) for forgery in entry.forge(delivery, traffic)
        )

    driver.interfere = interfere
    driver.set_up()
    run(driver)
    assert codes == set(ErrorCode) - {ErrorCode.PARAMETER_MISMATCH}
