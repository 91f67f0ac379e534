"""Runs of every mode of the protocol, and faulty parties that put forgeries before every message of one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from enum import Enum
from fractions import Fraction
from functools import lru_cache

import pytest

from capc.foundation.errors import CapcError, ErrorCode, InputError, ProtocolError
from capc.linear.ideal import IdealLinear
from capc.models.model import QuantisedModel
from capc.session.envelope import MessageType
from capc.session.parameters import Charge, VoteVariant
from capc.session.widths import ParameterSet
from capc.steps.suite import reference_suite
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
from support.driver import Delivery, Driver, Given, Outcome, Place
from support.engines import ClearEngine
from support.refusals import refused
from support.step_functions import shown_by, step_that_refused

# 13, 11 and 3 classes leave padding in every row, in all choice and decoding bits, and in every element.
WIDTHS = make_widths(logit_bits=13, vote_bits=11)
WIDE = make_widths(logit_bits=41, vote_bits=43)
"""Wide rings, where a secret number is not found in a message by chance."""
SIZES = ((2, 3, 1, 3), (2, 3), (2, 3))
BEFORE_ROUNDS = frozenset((index, len(sizes) - 2) for index, sizes in enumerate(SIZES, start=1))
"""Each answering party's index, and the layer that votes: the first of two rounds."""
QUERIES = ([4, -4], [0, 3])


class Mode(Enum):
    """Which steps a run is made of."""

    CIRCUITS = "circuits"
    ROUNDS = "rounds"
    ENGINE = "engine"


def new_driver(
    mode: Mode,
    session_id: bytes = bytes(range(32)),
    seed_name: str = "faulty",
    widths: ParameterSet = WIDTHS,
    kind: type[Driver] = Driver,
    models: Sequence[QuantisedModel] = tuple(constant_model(sizes, 1, 2) for sizes in SIZES),
) -> Driver:
    """Answering parties vote 1, without noise, in realised mode: every kind of message of the mode occurs."""
    variant = VoteVariant.MULTI_ROUND if mode is Mode.ROUNDS else VoteVariant.TOURNAMENT
    policy = confident_policy(Charge.REALISED, Fraction(len(models) - 1))
    parameters = replace(make_parameters(widths, policy), vote_variant=variant)
    suite = reference_suite(parameters, IdealLinear(widths.logit_bits))
    return kind(
        make_session(parameters, [model.architecture for model in models], session_id),
        list(models),
        replace(suite, mechanisms=fixed_mechanisms([[0, 0, 0]], [[0, 0, 0]])),
        make_account(parameters),
        counter_seeds(seed_name),
        engine=ClearEngine() if mode is Mode.ENGINE else None,
    )


def run(driver: Driver) -> list[Outcome]:
    """Two queries one after the other, then both again as a batch, which is prepared where the mode can."""
    alone = [driver.run_query(query) for query in QUERIES]
    in_rounds = driver.session.parameters.vote_variant is VoteVariant.MULTI_ROUND
    at_once = in_rounds or driver.engine is not None
    return alone + (driver.run_batch(QUERIES) if at_once else driver.run_prepared(QUERIES))


@lru_cache
def other_session(mode: Mode) -> dict[Place, bytes]:
    """All messages of an honest run of another session, of the same parties with the same parameters."""
    driver = new_driver(mode, bytes(32), "other")
    driver.set_up()
    if {outcome.label for outcome in run(driver)} != {1}:
        raise AssertionError("the honest run has another label")
    return dict(driver.sent)


def traffic_of(mode: Mode, driver: Driver) -> Traffic:
    """What a faulty party of a run knows."""
    before_rounds = BEFORE_ROUNDS if mode is Mode.ROUNDS else ()
    return Traffic(dict(driver.sent), other_session(mode), driver.session.parameters.widths, before_rounds)


class Interference:
    """Puts the forgeries of some deviations before the honest messages, and checks every refusal.

    Attributes:
        refused: how often, by the type of message and the code.
        steps: the names of the steps that refused something.
        texts: all that refusals say.
    """

    def __init__(self, mode: Mode, driver: Driver, deviations: Sequence[Deviation]) -> None:
        self._mode = mode
        self._deviations = deviations
        self._driver = driver
        self.refused: Counter[tuple[MessageType, ErrorCode]] = Counter()
        self.steps: Counter[str] = Counter()
        self.texts: set[str] = set()
        driver.interfere = self.interfere
        driver.interfere_with_engine = self.interfere_with_engine

    def interfere(self, delivery: Delivery) -> None:
        """Called for every honest message before it is handed over."""
        traffic = traffic_of(self._mode, self._driver)
        for deviation in self._deviations:
            for forgery in deviation(delivery, traffic):
                self._check(delivery, forgery)
                self.refused[delivery.place.message_type, forgery.code] += 1

    def interfere_with_engine(self, given: Given) -> None:
        """Called for all that the engine gives: outputs that no honest run has."""
        limit = 1 << self._driver.session.parameters.widths.vote_bits
        for outputs in wrong_outputs(given, limit):
            with pytest.raises(CapcError) as caught:
                given.receive(outputs)
            error = caught.value
            if given.blame is None:
                assert type(error) is InputError
            else:
                assert isinstance(error, ProtocolError)
                assert error.blame == given.blame
                assert error.code in {ErrorCode.VALUE_OUT_OF_RANGE, ErrorCode.NON_CANONICAL}
            self._note(error)

    def _check(self, delivery: Delivery, forgery: Forgery) -> None:
        assert forgery.message != delivery.honest
        with refused(forgery.code, delivery.place.sender) as caught:
            delivery.receive(forgery.message)
        self._note(caught.value)

    def _note(self, error: CapcError) -> None:
        assert "\n" not in str(error)
        self.steps[step_that_refused(error)] += 1
        self.texts.update(shown_by(error))


def wrong_outputs(given: Given, limit: int) -> list[object]:
    """What the engine gives in no honest run: out of range, too few or too many, or none."""
    if given.kind == "votes":
        rows = [tuple(row) for row in given.honest]
        first, last = rows[0], rows[-1]
        return [
            [(-1, *first[1:]), *rows[1:]],
            [*rows[:-1], (*last[:-1], last[-1] + limit)],
            [first[:-1], *rows[1:]],
            [(*first, 0), *rows[1:]],
            rows[:-1],
            [*rows, first],
        ]
    if given.kind == "label":
        # Label 3 of 3 classes; a label that is withheld and given; a bit too few, too many, no bit, and none at all.
        return [(1, 1, 1), (0, 1, 0), (1, 1), (1, 1, 0, 0), (1, -1, 1), (1, 2, 0), ()]
    return [None, 2, -1]
