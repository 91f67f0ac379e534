"""Random operators for property tests."""

from __future__ import annotations

from hypothesis import strategies as st

from capc.models.operators import Convolution, Grid


@st.composite
def convolutions(draw: st.DrawFn, largest: int, most_channels: int) -> Convolution:
    """Convolutions of every kind: sizes, kernels, strides, paddings, dilations and groups.

    Args:
        draw: of hypothesis.
        largest: most rows and columns of an image.
        most_channels: most channels, in and out, per group; there are up to 3 groups.
    """

    def pair(lowest: int, highest: int) -> tuple[int, int]:
        return draw(st.integers(lowest, highest)), draw(st.integers(lowest, highest))

    groups = draw(st.integers(1, 3))
    channels, out_channels = pair(1, most_channels)
    (height, width), kernel, dilation = pair(1, largest), pair(1, 4), pair(1, 3)
    # The least padding for which a window fits, and up to 2 more.
    least = [
        max(0, (spread * (taps - 1) + 2 - size) // 2)
        for size, taps, spread in zip((height, width), kernel, dilation, strict=True)
    ]
    more = pair(0, 2)
    grid = Grid(
        channels=groups * channels,
        height=height,
        width=width,
        kernel=kernel,
        stride=pair(1, 5),
        padding=(least[0] + more[0], least[1] + more[1]),
        dilation=dilation,
    )
    return Convolution(grid, groups * out_channels, groups)
