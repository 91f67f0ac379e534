"""Errors of responses add up in sums with skips and in differences: sessions that leave no room are refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capc.foundation.errors import ParameterError
from capc.models.architecture import Activation, Architecture, StageShape
from capc.models.operators import Dense
from capc.session.parameters import VoteVariant
from capc.session.session import Session
from capc.session.widths import ParameterSet
from support.builders import make_parameters, make_session


def skipping(layers: int) -> Architecture:
    """Layers without activation, each of which adds the one before, and a vote: layer k adds up k + 1 responses."""
    stages = [StageShape(Dense(3, 3), 0, Activation.NONE, (number,) if number else ()) for number in range(layers - 1)]
    return Architecture((*stages, StageShape(Dense(3, 3), 0, Activation.VOTE, (layers - 1,) if layers > 1 else ())))


def session_of(architecture: Architecture, variant: VoteVariant) -> Session:
    """A session of the set with the larger error, whose answering parties have this architecture."""
    parameters = make_parameters(ParameterSet.named("conservative"), num_classes=3, num_features=3)
    return make_session(replace(parameters, vote_variant=variant), [architecture])


@pytest.mark.req("CAPC-HE-017")
@given(st.integers(1, 30))
def test_a_layer_adds_up_its_own_response_and_those_of_sums_it_skips(layers: int) -> None:
    assert skipping(layers).responses_added == tuple(range(1, layers + 1))


@pytest.mark.req("CAPC-HE-017")
def test_values_after_an_activation_have_no_error() -> None:
    relu = StageShape(Dense(3, 3), 0, Activation.RELU)
    sums = StageShape(Dense(3, 3), 1, Activation.NONE, (0, 1))
    twice = StageShape(Dense(3, 3), 1, Activation.NONE, (2, 2, 1))
    vote = StageShape(Dense(3, 3), 1, Activation.VOTE, (3, 2))
    assert Architecture((relu, sums, twice, vote)).responses_added == (1, 1, 3, 5)


@pytest.mark.req("CAPC-HE-017", "CAPC-ROLE-024")
@pytest.mark.parametrize("variant", VoteVariant)
def test_a_session_is_refused_exactly_if_the_guard_bits_have_no_room_for_its_sums(variant: VoteVariant) -> None:
    # 3 of 63 a response: 21 fit a tournament, 10 the differences of the other variants.
    most = 21 if variant is VoteVariant.TOURNAMENT else 10
    session_of(skipping(most), variant)
    with pytest.raises(ParameterError, match=rf"^layer {most} of the model of .* have room for 21: give layers whose"):
        session_of(skipping(most + 1), variant)


@pytest.mark.req("CAPC-HE-017", "CAPC-ROLE-024")
@pytest.mark.parametrize("number", [1, 2, 3])
def test_errors_of_every_party_count(number: int) -> None:
    parameters = make_parameters(ParameterSet.named("conservative"), num_classes=3, num_features=3)
    models = [skipping(21)] * 3
    make_session(parameters, models)
    models[number - 1] = skipping(22)
    with pytest.raises(ParameterError, match=f"layer 21 of the model of answering_party_{number}"):
        make_session(parameters, models)


@pytest.mark.req("CAPC-HE-017")
def test_hidden_layers_have_the_whole_room_in_every_variant() -> None:
    stages = list(skipping(21).stages[:-1])
    relu = StageShape(Dense(3, 3), 0, Activation.RELU, (20,))
    hidden = Architecture((*stages, relu, StageShape(Dense(3, 3), 21, Activation.VOTE)))
    assert hidden.responses_added[20:] == (21, 1)
    session_of(hidden, VoteVariant.ALL_PAIRS)


@pytest.mark.req("CAPC-HE-017")
@pytest.mark.parametrize(("degree", "error"), [(4096, 2), (8192, 3)])
def test_the_error_of_a_response_is_that_of_the_text(degree: int, error: int) -> None:
    assert replace(ParameterSet.named("default"), he_poly_degree=degree).response_error == error
    # A first prime of 50 bits: 64 times the error.
    with pytest.raises(ParameterError, match="enlarge the first prime"):
        replace(ParameterSet.named("default"), he_poly_degree=degree, he_coefficient_bits=(50, 36, 17))
