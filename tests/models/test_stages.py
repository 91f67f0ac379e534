"""Convolutions, pools and residual additions: the protocol equals the ideal functionality, the model equals numpy."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capc.foundation.errors import InputError
from capc.models.architecture import Activation, Architecture, StageShape, dense_architecture
from capc.models.model import QuantisedLayer, QuantisedModel
from capc.models.operators import Convolution, Dense, Grid, SumPool, apply
from protocol.stages import grids, residual_models, weights
from support.sizes import examples


@pytest.mark.slow
@pytest.mark.req("CAPC-HE-010")
@settings(max_examples=examples(ordinary=50, nightly=200))
@given(residual_models(3, 1), st.data())
def test_logits_are_those_of_numpy(model: QuantisedModel, data) -> None:
    """The residual model written out with numpy's own windows."""
    query = data.draw(st.tuples(*[st.integers(-2, 2)] * model.architecture.inputs))
    first, project, second, last = model.architecture.stages
    layers = model.layers
    hidden = convolve(first.operator, layers[0], query)
    if first.max_pool is not None:
        hidden = pool(first.max_pool, hidden, np.max, -(1 << 40))
    hidden = rescaled(first, hidden)
    skip = convolve(project.operator, layers[1], hidden)
    total = convolve(second.operator, layers[2], hidden)
    scale = 2 if second.weight_bits is None else 2**second.weight_bits
    total = total + sum(skip if number == 2 else hidden * scale for number in second.skips)
    pooled = pool(last.sum_pool.grid, rescaled(second, total), np.sum, 0)
    expected = np.array(layers[3].weights) @ pooled.ravel() + np.array(layers[3].biases)
    assert model.logits(query) == expected.tolist()


def rescaled(stage: StageShape, values: np.ndarray) -> np.ndarray:
    """What a ReLU passes on of sums, with f = 1."""
    dropped = values // (2 if stage.weight_bits is None else 2**stage.weight_bits)
    caps = [cap for cap in (stage.cap and int(2 * stage.cap), stage.cap_bits and 2**stage.cap_bits - 1) if cap]
    if stage.leak_bits is None:
        return np.clip(dropped, 0, min(caps, default=None))
    dropped = np.clip(dropped, min(-cap - 1 for cap in caps), min(caps)) if caps else dropped
    return np.where(dropped >= 0, dropped, dropped // 2**stage.leak_bits)


def windows(grid: Grid, values, fill: int) -> np.ndarray:
    """By channel and place of the output, the window's values: shifted, strided slices of a padded image."""
    image = np.full(
        (grid.channels, grid.height + 2 * grid.padding[0], grid.width + 2 * grid.padding[1]), fill, dtype=np.int64
    )
    image[:, grid.padding[0] : grid.padding[0] + grid.height, grid.padding[1] : grid.padding[1] + grid.width] = (
        np.array(values).reshape(grid.channels, grid.height, grid.width)
    )
    found = np.zeros((grid.channels, grid.out_height, grid.out_width, *grid.kernel), dtype=np.int64)
    for i, j in np.ndindex(*grid.kernel):
        rows = slice(i * grid.dilation[0], i * grid.dilation[0] + grid.stride[0] * grid.out_height, grid.stride[0])
        columns = slice(j * grid.dilation[1], j * grid.dilation[1] + grid.stride[1] * grid.out_width, grid.stride[1])
        found[:, :, :, i, j] = image[:, rows, columns][:, : grid.out_height, : grid.out_width]
    return found


def convolve(operator: Convolution, layer, values) -> np.ndarray:
    """By groups, the kernels over the windows."""
    size = operator.grid.channels // operator.groups
    kernels = np.array(layer.weights).reshape(operator.groups, -1, size, *operator.grid.kernel)
    parts = np.split(windows(operator.grid, values, 0), operator.groups)
    sums = [np.einsum("ocij,chwij->ohw", *pair) for pair in zip(kernels, parts, strict=True)]
    made, biases = np.concatenate(sums), np.array(layer.biases)
    return made + biases.reshape(made.shape if len(biases) == made.size else (-1, 1, 1))


def pool(grid: Grid, values: np.ndarray, reduce, fill: int) -> np.ndarray:
    """Max or sum over the windows."""
    return reduce(windows(grid, values, fill), axis=(3, 4))


@pytest.mark.slow
@settings(max_examples=examples(ordinary=30, nightly=100))
@given(st.data())
def test_range_analysis_of_residual_models_bounds_every_sum(data) -> None:
    model = data.draw(residual_models(2, 0))
    needed = next(bits for bits in range(3, 40) if _admitted(model, bits))
    query = data.draw(st.tuples(*[st.integers(-1, 1)] * model.architecture.inputs))
    assert max(map(abs, model.logits(query))) < 1 << (needed - 2)


@pytest.mark.req("CAPC-PARAM-042")
def test_scales_of_layers() -> None:
    """f = 3, and weights of 1 and 5 fraction bits: the real number 3/4 times 3/2, cut at 1 - 1/8 or not, times 1/32."""
    for cap, made in ((None, 9), (3, 7)):
        hidden = StageShape(Dense(1, 1), 0, RELU, cap_bits=cap, weight_bits=1)
        architecture = Architecture((hidden, StageShape(Dense(1, 2), 1, VOTE, weight_bits=5)))
        layers = (QuantisedLayer(((3,),), (0,)), QuantisedLayer(((1,), (-1,)), (0, 256)))
        assert QuantisedModel(architecture, layers, 3).logits([6]) == [made, 256 - made]


@pytest.mark.req("CAPC-PARAM-030", "CAPC-PARAM-042")
def test_caps_keep_sums_small_at_any_depth() -> None:
    """Rows of absolute sum 8 through 40 layers: each multiplies the bound by 8, or a cap by 4 bits stops that."""

    def bits(cap: int | None) -> tuple[int, ...]:
        stages = [StageShape(Dense(2, 2), number, Activation.RELU, cap_bits=cap) for number in range(40)]
        architecture = Architecture((*stages, StageShape(Dense(2, 2), 40, Activation.VOTE)))
        layer = QuantisedLayer(((16, 16), (16, -16)), (0, 0))
        return QuantisedModel(architecture, (layer,) * 41, 2).stage_bits()

    assert bits(None) == tuple(10 + 3 * number for number in range(41))
    assert bits(4) == (10, *[11] * 40)


def _admitted(model: QuantisedModel, bits: int) -> bool:
    try:
        model.check_ranges(bits)
    except InputError:
        return False
    return True


@given(grids(2, 4, 3))
def test_a_convolution_is_linear_and_a_unit_kernel_copies(grid: Grid) -> None:
    operator = Convolution(grid, 1, 1)
    ones = ((1,) * operator.columns,)
    both = SumPool(grid).apply([1] * grid.inputs)
    assert apply(operator, ones, [1] * grid.inputs) == [
        sum(pair) for pair in zip(both[: grid.positions], both[grid.positions :], strict=True)
    ]


DENSE = Dense(4, 2)
RELU, NONE, VOTE = Activation.RELU, Activation.NONE, Activation.VOTE
POOL = Grid(1, 2, 2, (2, 2))


@pytest.mark.req("CAPC-ROLE-016")
@pytest.mark.parametrize(
    ("stages", "message"),
    [
        pytest.param((), "0 layers: choose 1 to 255", id="no layers"),
        pytest.param((StageShape(DENSE, 0, RELU),), "the last stage, and no other, votes", id="no vote"),
        pytest.param((StageShape(DENSE, 0, VOTE), StageShape(Dense(2, 2), 1, VOTE)), "and no other", id="two votes"),
        pytest.param((StageShape(DENSE, 1, VOTE),), r"takes values \(1,\): choose from 0 to 0", id="from the future"),
        pytest.param((StageShape(DENSE, 0, VOTE, (1,)),), "choose from 0 to 0", id="skip from the future"),
        pytest.param(
            (StageShape(DENSE, 0, NONE), StageShape(Dense(2, 2), 1, VOTE)), "which are sums", id="operates on sums"
        ),
        pytest.param((StageShape(DENSE, 0, RELU), StageShape(DENSE, 1, VOTE)), "value 1 has 2", id="other length"),
        pytest.param((StageShape(DENSE, 0, VOTE, (0,)),), "adds value 0 of length 4", id="skip of other length"),
        pytest.param((StageShape(DENSE, 0, VOTE, sum_pool=SumPool(POOL)),), "its pool gives 1", id="sum pool"),
        pytest.param((StageShape(DENSE, 0, VOTE, max_pool=POOL),), "give windows exactly", id="pool of votes"),
        pytest.param(
            (StageShape(DENSE, 0, VOTE, cap_bits=2),), "cap_bits = 2 and the activation vote", id="cap of vote"
        ),
        pytest.param((StageShape(DENSE, 0, VOTE, cap=Fraction(6)),), "the cap 6 and the activation", id="6 of vote"),
        pytest.param((StageShape(DENSE, 0, VOTE, leak_bits=1),), "leak_bits = 1 and the activation", id="leak of vote"),
        pytest.param(
            (StageShape(DENSE, 0, RELU, leak_bits=33), StageShape(Dense(2, 2), 1, VOTE)), "0 to 32", id="small leak"
        ),
        pytest.param(
            (StageShape(DENSE, 0, RELU, cap=Fraction(1), leak_bits=1), StageShape(Dense(2, 2), 1, VOTE)),
            "leak_bits = 1 and the cap 1: choose one of them",
            id="leak and cap",
        ),
        pytest.param((StageShape(DENSE, 0, VOTE, weight_bits=-1),), "weight_bits = -1", id="negative scale"),
        pytest.param(
            (StageShape(DENSE, 0, NONE, weight_bits=1), StageShape(DENSE, 0, VOTE, (1,), weight_bits=2)),
            "weight_bits = 2 and adds the sums of layer 0 with 1",
            id="sums of another scale",
        ),
        pytest.param(
            (StageShape(DENSE, 0, Activation.RELU_MAX_POOL, max_pool=POOL), StageShape(Dense(1, 2), 1, VOTE)),
            "pools 4",
            id="max pool",
        ),
        pytest.param(
            (
                StageShape(Dense(4, 1), 0, Activation.RELU_MAX_POOL, max_pool=Grid(1, 1, 1, (1, 1), padding=(1, 1))),
                StageShape(Dense(9, 2), 1, VOTE),
            ),
            "lies in the padding only",
            id="empty window",
        ),
    ],
)
def test_architectures_that_do_not_fit_are_refused(stages: tuple[StageShape, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Architecture(stages)


def test_a_dense_architecture_has_relus_and_one_vote() -> None:
    stages = dense_architecture((4, 3, 2)).stages
    assert [(stage.source, stage.activation) for stage in stages] == [(0, RELU), (1, VOTE)]


@given(st.data())
def test_weights_that_do_not_fit_are_refused(data) -> None:
    layer = data.draw(weights(DENSE))
    architecture = Architecture((StageShape(Dense(5, 2), 0, VOTE),))
    with pytest.raises(InputError, match="layer 0: the weights do not fit the operator: give 2 rows of 5"):
        QuantisedModel(architecture, (layer,), 0)
