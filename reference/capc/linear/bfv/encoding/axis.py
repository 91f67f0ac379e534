"""One direction, down or right, of the windows of a convolution: what a run of outputs reads.

Where stride and dilation have a common divisor, the positions between its multiples are never read: they are left
out, so that a 1x1 kernel with stride 2 encodes a quarter of the image.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd

import numpy as np
from numpy.typing import NDArray

from capc.models.operators import OUTSIDE, Grid

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Axis:
    """The windows along one direction.

    Attributes:
        size: length of the image.
        padding: zeros before and after it.
        step: every how many positions of the padded image one is read; stride and dilation count such steps.
        stride: from one window to the next.
        dilation: from one tap of a window to the next.
        kernel: taps of a window.
        outputs: windows.
    """

    size: int
    padding: int
    step: int
    stride: int
    dilation: int
    kernel: int
    outputs: int

    @property
    def extent(self) -> int:
        """Length of a window."""
        return (self.kernel - 1) * self.dilation + 1

    def length(self, outputs: int) -> int:
        """Positions that a run of outputs spans."""
        return (outputs - 1) * self.stride + self.extent

    def sources(self, start: int, outputs: int) -> Indices:
        """For each position of the run that begins at output ``start``, its index in the image, or OUTSIDE."""
        indices = (start * self.stride + np.arange(self.length(outputs))) * self.step - self.padding
        return np.where((indices >= 0) & (indices < self.size), indices, OUTSIDE)

    def pitch(self, outputs: int) -> int:
        """Distance at which one run can follow another in a polynomial.

        Zeros at the end of a run that spans the whole image need no room of their own where the next run begins
        with as many; windows still end at different places as long as fewer than a whole window is saved.
        """
        length = self.length(outputs)
        if outputs < self.outputs:
            return length
        inside = np.flatnonzero(self.sources(0, outputs) != OUTSIDE)
        shared = min(int(inside[0]), length - 1 - int(inside[-1])) if inside.size else length
        return max(length - min(shared, self.extent - 1), self.extent)


def axes(grid: Grid) -> tuple[Axis, Axis]:
    """The directions down and right of a grid."""
    return (
        _axis(grid.height, grid.padding[0], grid.stride[0], grid.dilation[0], grid.kernel[0], grid.out_height),
        _axis(grid.width, grid.padding[1], grid.stride[1], grid.dilation[1], grid.kernel[1], grid.out_width),
    )


def _axis(size: int, padding: int, stride: int, dilation: int, kernel: int, outputs: int) -> Axis:
    # A single window has no next one, and a single tap no neighbour: that distance is free.
    step = gcd(stride if outputs > 1 else 0, dilation if kernel > 1 else 0) or 1
    return Axis(
        size=size,
        padding=padding,
        step=step,
        stride=stride // step if outputs > 1 else 1,
        dilation=dilation // step if kernel > 1 else 1,
        kernel=kernel,
        outputs=outputs,
    )
