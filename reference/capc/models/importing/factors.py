"""Factors of the entries of a value, and which of them are one factor by the shapes of constants alone.

Constants are private. So whether the entries of a channel share a factor, on which stages depend, is never asked of
the numbers: entries share one where constants were broadcast to them, and nowhere else.

Spec: CAPC-PARAM-068.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from capc.foundation.hidden import type_only


@dataclass(frozen=True, eq=False)
class Factors:
    """One for each entry.

    Attributes:
        numbers: the factors. Secret to the party.
        kinds: for each entry a number; entries of the same have the same factor, whatever the constants are. Public.
    """

    numbers: NDArray[np.float64]
    kinds: NDArray[np.int64]

    __repr__ = type_only

    @staticmethod
    def broadcast(constants: NDArray[np.float64], shape: tuple[int, ...]) -> Factors:
        """Constants that are broadcast to a value of this shape, and a batch of one.

        Raises:
            ValueError: they do not fit it.
        """
        places = np.arange(constants.size, dtype=np.int64).reshape(constants.shape)
        full = np.broadcast_to(constants, (1, *shape)).reshape(-1).astype(np.float64)
        return Factors(full, np.broadcast_to(places, (1, *shape)).reshape(-1))

    @staticmethod
    def one(factor: float, count: int) -> Factors:
        """The same factor for so many entries."""
        return Factors(np.full(count, float(factor)), np.zeros(count, dtype=np.int64))

    def times(self, other: Factors) -> Factors:
        """The products, entry by entry: of one kind where both are."""
        _, kinds = np.unique(np.stack([self.kinds, other.kinds]), axis=1, return_inverse=True)
        return Factors(self.numbers * other.numbers, kinds.reshape(-1))

    def taken(self, entries: NDArray[np.int64] | slice) -> Factors:
        """Those of these entries."""
        return Factors(self.numbers[entries], self.kinds[entries])

    def of_channels(self, channels: int) -> Factors | None:
        """One for each channel of entries, or None if those of a channel are not of one kind."""
        kinds = self.kinds.reshape(channels, -1)
        if not (kinds == kinds[:, :1]).all():
            return None
        return self.taken(np.arange(channels) * kinds.shape[1])

    def repeated(self, times: int) -> Factors:
        """Each for so many entries that follow one another."""
        return Factors(np.repeat(self.numbers, times), np.repeat(self.kinds, times))
