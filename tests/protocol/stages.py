"""Convolutional and residual models as hypothesis strategies, small enough for whole-protocol examples."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import strategies as st

from capc.models.architecture import Activation, Architecture, StageShape
from capc.models.model import QuantisedLayer, QuantisedModel
from capc.models.operators import Convolution, Dense, Grid, Operator, SumPool
from capc.session.parameters import Charge, NoiseName
from capc.session.session import Session
from protocol.cases import Case
from support.builders import make_parameters, make_participants, make_policy, make_widths

LOGIT_BITS = 24
SMALL = st.integers(-3, 3)
CAPS = st.none() | st.integers(1, 3)
KINDS = st.sampled_from([{}, {}, {"leak_bits": 0}, {"leak_bits": 3}, {"cap": Fraction(3, 2)}, {"cap": Fraction(6)}])
SCALES = st.none() | st.integers(0, 2)


@st.composite
def grids(draw, channels: int, height: int, width: int) -> Grid:
    """A window that fits the value, with stride, padding and dilation."""
    kernel = draw(st.integers(1, min(2, height))), draw(st.integers(1, min(3, width)))
    padding = draw(st.integers(0, kernel[0] - 1)), draw(st.integers(0, kernel[1] - 1))
    stride = draw(st.integers(1, 2)), draw(st.integers(1, 2))
    fits = [d for d in (1, 2) if d * (kernel[0] - 1) < height + 2 * padding[0]]
    across = [d for d in (1, 2) if d * (kernel[1] - 1) < width + 2 * padding[1]]
    return Grid(
        channels, height, width, kernel, stride, padding, (draw(st.sampled_from(fits)), draw(st.sampled_from(across)))
    )


def pools(channels: int, height: int, width: int) -> st.SearchStrategy[Grid]:
    """A pool over a value: 2 x 2 with or without overlap, or the whole of it."""
    whole = Grid(channels, height, width, (height, width))
    if min(height, width) < 2:
        return st.just(whole)
    two = [
        Grid(channels, height, width, (2, 2), stride, padding)
        for stride in ((1, 1), (2, 2))
        for padding in ((0, 0), (1, 1))
    ]
    return st.sampled_from([whole, *two])


@st.composite
def residual_models(draw, num_classes: int, fraction_bits: int) -> QuantisedModel:
    """conv, ReLU (and max pool); projection without activation; conv plus skip, ReLU; sum pool; votes.

    Some stages have caps, leaks, and weights of other fraction bits.
    """
    channels, height, width = draw(st.integers(1, 2)), draw(st.integers(2, 4)), draw(st.integers(2, 4))
    first = Convolution(
        draw(grids(channels, height, width)), channels * draw(st.integers(1, 2)), draw(st.sampled_from([1, channels]))
    )
    pool = draw(st.none() | pools(first.out_channels, first.grid.out_height, first.grid.out_width))
    shape = (first.out_channels, first.grid.out_height, first.grid.out_width)
    if pool is not None:
        shape = (first.out_channels, pool.out_height, pool.out_width)
    pointwise = Convolution(Grid(*shape, (1, 1)), draw(st.integers(1, 2)))
    after = (pointwise.out_channels, shape[1], shape[2])
    sums = SumPool(draw(pools(*after)))
    last = Dense(sums.outputs, num_classes)
    skips = draw(st.sampled_from([(2,), (2, 2), (1,) if after == shape else (2,)]))
    relu = Activation.RELU if pool is None else Activation.RELU_MAX_POOL
    both = draw(SCALES)
    stages = (
        StageShape(first, 0, relu, max_pool=pool, cap_bits=draw(CAPS), weight_bits=draw(SCALES), **draw(KINDS)),
        StageShape(pointwise, 1, Activation.NONE, weight_bits=both),
        StageShape(pointwise, 1, Activation.RELU, skips, cap_bits=draw(CAPS), weight_bits=both, **draw(KINDS)),
        StageShape(last, 3, Activation.VOTE, sum_pool=sums, weight_bits=draw(SCALES)),
    )
    return QuantisedModel(Architecture(stages), tuple(draw(weights(stage.operator)) for stage in stages), fraction_bits)


def weights(operator: Operator) -> st.SearchStrategy[QuantisedLayer]:
    """Small weights, zeros among them, with a bias for each row or for each sum."""
    row = st.tuples(*[SMALL] * operator.columns)
    biases = st.sampled_from([operator.rows, operator.outputs]).flatmap(lambda count: st.tuples(*[SMALL] * count))
    return st.builds(QuantisedLayer, st.tuples(*[row] * operator.rows), biases)


@st.composite
def staged_cases(draw) -> Case:
    """One residual and one fully connected party in one collaboration."""
    num_classes, fraction_bits = draw(st.integers(2, 3)), draw(st.integers(0, 1))
    model = draw(residual_models(num_classes, fraction_bits))
    model.check_ranges(LOGIT_BITS)
    dense = Dense(model.architecture.inputs, num_classes)
    other = QuantisedModel(
        Architecture((StageShape(dense, 0, Activation.VOTE),)), (draw(weights(dense)),), fraction_bits
    )
    widths = make_widths(LOGIT_BITS, vote_bits=12, fraction_bits=fraction_bits)
    policy = make_policy(Fraction(1, 2), None, None, Charge.WORST_CASE, NoiseName.ROUNDED_GAUSSIAN)
    parameters = make_parameters(widths, policy, num_classes, model.architecture.inputs)
    participants = make_participants([model.architecture, other.architecture])
    one = 1 << fraction_bits
    query = draw(st.tuples(*[st.integers(-one, one)] * model.architecture.inputs))
    return Case(Session(parameters, bytes(32), participants), (model, other), (query,), None)
