"""Rules of architectures at their edges: the number of layers, each skip of several, and each window of a pool."""

from __future__ import annotations

import pytest

from capc.foundation.errors import InputError
from capc.models.architecture import Activation, Architecture, StageShape
from capc.models.operators import Dense, Grid

SQUARE = Dense(2, 2)


def chain(layers: int) -> Architecture:
    """One layer after the other."""
    return Architecture(
        tuple(
            StageShape(SQUARE, number, Activation.VOTE if number == layers - 1 else Activation.RELU)
            for number in range(layers)
        )
    )


@pytest.mark.req("CAPC-ROLE-022")
def test_255_layers_are_the_most() -> None:
    assert len(chain(255).stages) == 255
    for layers in (0, 256):
        with pytest.raises(InputError, match=f"a model of {layers} layers: choose 1 to 255"):
            chain(layers)


@pytest.mark.req("CAPC-ROLE-022")
@pytest.mark.parametrize("wrong", [0, 1, 2])
def test_each_skipped_value_has_the_length_of_the_sums(wrong: int) -> None:
    """Value 0 has two elements, as the layer has sums; value 1 has three, and is skipped at one of three places."""
    skips = [0, 0, 0]
    stages = (StageShape(Dense(2, 3), 0, Activation.RELU), StageShape(Dense(3, 2), 1, Activation.VOTE, tuple(skips)))
    assert Architecture(stages).outputs == 2
    skips[wrong] = 1
    with pytest.raises(InputError, match="layer 1 of the model has 2 sums and adds value 1 of length 3"):
        Architecture((stages[0], StageShape(Dense(3, 2), 1, Activation.VOTE, tuple(skips))))


@pytest.mark.req("CAPC-ROLE-022")
@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(
    ("size", "apart", "padding", "problem"),
    [
        pytest.param(2, 2, 2, None, id="each has one"),
        pytest.param(3, 3, 3, None, id="one each of three"),
        pytest.param(2, 2, 3, "first", id="the first and the last"),
        pytest.param(1, 2, 2, "second", id="the second"),
        pytest.param(2, 3, 3, "third", id="the third"),
    ],
)
def test_no_window_of_a_pool_is_padding_only(
    size: int, apart: int, padding: int, problem: str | None, *, turned: bool
) -> None:
    """Windows of two places that are some places apart, in a column or in a row: each may be the only wrong one."""
    column = (size, 1), (2, 1), (padding, 0), (apart, 1)
    sides, kernel, around, dilation = (pair[::-1] if turned else pair for pair in column)
    pool = Grid(1, *sides, kernel, (1, 1), around, dilation)
    stages = (
        StageShape(Dense(2, size), 0, Activation.RELU_MAX_POOL, max_pool=pool),
        StageShape(Dense(pool.positions, 2), 1, Activation.VOTE),
    )
    if problem is None:
        assert Architecture(stages).outputs == 2
    else:
        with pytest.raises(InputError, match="layer 0 of the model has a pool with a window that lies in the padding"):
            Architecture(stages)
