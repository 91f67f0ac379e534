"""Every deviation, at every message of a run: refused with its code, blamed on the sender, and nothing is lost.

After each refusal the honest message is handed to the same state, and the run ends with the right label.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache

import pytest

from capc.errors import ErrorCode, ProtocolError
from capc.linear import IdealLinear
from capc.messages import MessageType
from capc.parameters import Charge, ParameterSet
from capc.suite import reference_suite
from support import deviations as faulty
from support.builders import (
    confident_policy,
    constant_model,
    counter_seeds,
    fixed_mechanisms,
    make_account,
    make_parameters,
    make_session,
    make_widths,
)
from support.deviations import Deviation, Forgery, Traffic
from support.driver import Delivery, Driver, Outcome, Place
from support.secrets import secrets_in

# 13, 11 and 3 classes leave padding in every row, in all choice and decoding bits, and in every element.
WIDTHS = make_widths(logit_bits=13, vote_bits=11)
SIZES = ((2, 3, 1, 3), (2, 3), (2, 3))
QUERIES = ([4, -4], [0, 3])

DEVIATIONS: list[Deviation] = [
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
    faulty.SetsPaddingBits(),
    faulty.ForgesTheAnsweredLabel(),
    faulty.ForgesHandles(),
]


def new_driver(
    session_id: bytes = bytes(range(32)), seed_name: str = "faulty", widths: ParameterSet = WIDTHS
) -> Driver:
    """Three answering parties vote 1, without noise, in realised mode: every kind of message occurs."""
    parameters = make_parameters(widths, confident_policy(Charge.REALISED, Fraction(2)))
    suite = reference_suite(parameters, IdealLinear(widths.logit_bits))
    return Driver(
        make_session(parameters, SIZES, session_id),
        [constant_model(size, 1, 2) for size in SIZES],
        replace(suite, mechanisms=fixed_mechanisms([[0, 0, 0]], [[0]])),
        make_account(parameters),
        counter_seeds(seed_name),
    )


ONE_PER_CODE: list[Deviation] = [
    faulty.SendsElementsOutOfRange(WIDTHS.vote_bits, WIDTHS.logit_bits),
    faulty.SendsNothing(),
    faulty.Truncates(),
    faulty.SendsOutOfOrder(),
    faulty.ReplaysAnotherSession(),
    faulty.ForgesTheQuery(),
    faulty.ReplaysAnotherLayer(),
    faulty.PassesOnAnothersMessage(),
    faulty.SendsPointsOffTheCurve(),
    faulty.SetsPaddingBits(),
    faulty.ForgesTheAnsweredLabel(),
]


@lru_cache
def other_session() -> dict[Place, bytes]:
    """All messages of an honest run of another session, of the same parties with the same parameters."""
    driver = new_driver(bytes(32), "other")
    driver.set_up()
    assert {outcome.label for outcome in run(driver)} == {1}
    return dict(driver.sent)


def run(driver: Driver) -> list[Outcome]:
    """Two queries one after the other, then both again as a batch that was prepared."""
    return [driver.run_query(query) for query in QUERIES] + driver.run_prepared(QUERIES)


class Interference:
    """Puts the forgeries of some deviations before the honest messages, and checks every refusal."""

    def __init__(self, driver: Driver, *deviations: Deviation) -> None:
        self._deviations = deviations
        self._driver = driver
        self.refused: Counter[tuple[MessageType, ErrorCode]] = Counter()
        self.texts: list[str] = []
        driver.interfere = self.interfere

    def interfere(self, delivery: Delivery) -> None:
        """Called for every honest message before it is handed over."""
        traffic = Traffic(dict(self._driver.sent), other_session())
        for deviation in self._deviations:
            for forgery in deviation.forge(delivery, traffic):
                self._check(delivery, forgery)
                self.refused[delivery.place.message_type, forgery.code] += 1

    def _check(self, delivery: Delivery, forgery: Forgery) -> None:
        assert forgery.message != delivery.honest
        with pytest.raises(ProtocolError) as caught:
            delivery.receive(forgery.message)
        error = caught.value
        assert (error.code, error.blame) == (forgery.code, delivery.place.sender)
        assert "\n" not in error.detail
        self.texts += [repr(error), str(error), repr(error.__context__), str(error.__cause__)]


ALL = set(MessageType) - {MessageType.HELLO}
"""A hello is sent only where the tags differ, which `tests/core/test_other_sessions.py` plays."""
FIRST_ON_A_CONNECTION = {
    MessageType.MASK_KEY,
    MessageType.SESSION_CHECK,
    MessageType.HE_PUBLIC_KEY,
    MessageType.BASE_OT_CHOICE,
}
"""Nothing of another type was sent before."""
AHEAD_ONLY = {MessageType.MASKED_VALUE, MessageType.INPUT_LABELS}
"""They occur in one batch of the run only: there is none of an earlier query."""
IN_QUERIES = {kind for kind in ALL if MessageType.OT_EXTENSION <= kind <= MessageType.INPUT_LABELS}
PER_LAYER = {
    MessageType.LINEAR_REQUEST,
    MessageType.LINEAR_RESPONSE,
    MessageType.CHOICE_BITS,
    MessageType.GARBLED_CIRCUITS,
    MessageType.MASKED_VALUE,
    MessageType.INPUT_LABELS,
}
POINTS = set(faulty.POINT_TYPES)

TOUCHED: dict[str, set[MessageType]] = {
    "SendsNothing": {
        MessageType.BASE_OT_CHOICE,
        MessageType.MASK_KEY,
        MessageType.SESSION_CHECK,
        MessageType.VOTE_SHARES,
    },
    "SendsOutOfOrder": ALL - FIRST_ON_A_CONNECTION,
    "ReplaysAnotherQuery": IN_QUERIES - AHEAD_ONLY,
    "PassesOnAnothersMessage": ALL - {MessageType.ANSWERED_LABEL},
    "Reflects": {MessageType.MASK_KEY, MessageType.SESSION_CHECK},
    "SendsPointsOffTheCurve": POINTS,
    "SendsPointsThatAreNotReduced": POINTS,
    "SendsPointsOfSmallOrder": POINTS,
    "AddsASmallOrderPart": POINTS,
    "SendsElementsOutOfRange": {MessageType.VOTE_SHARES, MessageType.MASKED_VALUE},
    "SetsPaddingBits": set(faulty.PADDED),
    "ForgesTheAnsweredLabel": {MessageType.ANSWERED_LABEL},
    "ForgesHandles": {MessageType.LINEAR_REQUEST, MessageType.LINEAR_RESPONSE},
}
"""The types of message at which a deviation is possible; all types where it is not named."""

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
    "SetsPaddingBits": ("CAPC-WIRE-004",),
    "ForgesTheAnsweredLabel": ("CAPC-GC-005", "CAPC-ACCT-007"),
    "ForgesHandles": ("CAPC-WIRE-004",),
}


@pytest.mark.req("CAPC-ERR-001", "CAPC-ROLE-009")
@pytest.mark.parametrize(
    "deviation",
    [
        pytest.param(entry, id=type(entry).__name__, marks=pytest.mark.req(*REQUIREMENTS[type(entry).__name__]))
        for entry in DEVIATIONS
    ],
)
def test_deviation_is_refused_blamed_and_harmless(deviation: Deviation) -> None:
    driver = new_driver()
    interference = Interference(driver, deviation)
    driver.set_up()
    for outcome in run(driver):
        assert (outcome.label, outcome.ideal_label, outcome.guardian_bit) == (1, 1, True)
    assert {kind for kind, _ in interference.refused} == TOUCHED.get(type(deviation).__name__, ALL)
    assert interference.refused.total() >= 4


@pytest.mark.req("CAPC-ROLE-009")
def test_refused_messages_change_no_byte_of_the_run() -> None:
    """The run with a forgery before every message sends exactly what the honest run sends."""
    honest, attacked = new_driver(), new_driver()
    interference = Interference(attacked, *ONE_PER_CODE)
    for driver in (honest, attacked):
        driver.set_up()
        run(driver)
    assert honest.sent == attacked.sent
    assert interference.refused.total() > 300


@pytest.mark.req("CAPC-ROLE-013")
def test_no_refusal_shows_a_secret_of_any_state() -> None:
    """At wide rings, where a secret number is not found in a message by chance; causes and contexts included."""
    driver = new_driver(widths=make_widths(logit_bits=45, vote_bits=43))
    interference = Interference(driver, *ONE_PER_CODE[1:], faulty.SendsElementsOutOfRange(43, 45))
    driver.set_up()
    run(driver)
    secrets = {text for entry in (*driver.results, *driver.calls) for text in secrets_in(entry)}
    assert len(secrets) > 3000
    shown = "\n".join(set(interference.texts))
    assert not [text for text in secrets if text in shown]


def test_every_kind_of_message_occurs_in_the_run() -> None:
    assert {place.message_type for place in other_session()} == ALL
    layers = {(place.message_type, place.layer) for place in other_session() if place.layer}
    assert layers == {(kind, layer) for kind in PER_LAYER for layer in (1, 2)}


def test_every_code_of_the_specification_is_raised_by_some_deviation() -> None:
    """The one code that is left is a hello's, which no honest run has."""
    codes: set[ErrorCode] = set()
    driver = new_driver()

    def interfere(delivery: Delivery) -> None:
        traffic = Traffic(dict(driver.sent), other_session())
        codes.update(forgery.code for entry in DEVIATIONS for forgery in entry.forge(delivery, traffic))

    driver.interfere = interfere
    driver.set_up()
    run(driver)
    assert codes == set(ErrorCode) - {ErrorCode.PARAMETER_MISMATCH}
