"""Faults in where uniform values come from, and in what a step may take from them."""

from __future__ import annotations

import random  # noqa: TID251 (the fault is to use it)
import secrets

from capc.foundation import randomness
from capc.foundation.errors import RandomnessExhaustedError
from capc.foundation.randomness import SEED_BYTES, BytesSource, ByteStream, Seed, XofSource
from capc.noise.grid_noise import GridNoise
from capc.noise.shares import DiscreteGaussianShare
from capc_verify.faults.patching import replace_everywhere
from capc_verify.faults.planting import Fault


def streams_go_on() -> None:
    """A stream that ends is followed by one that everybody knows."""
    read_given, read_expanded = BytesSource.read, XofSource.read
    public = XofSource(Seed(bytes(SEED_BYTES)), b"")

    def given(self: BytesSource, length: int) -> bytes:
        try:
            return read_given(self, length)
        except RandomnessExhaustedError:
            return read_expanded(public, length)

    def expanded(self: XofSource, length: int) -> bytes:
        try:
            return read_expanded(self, length)
        except RandomnessExhaustedError:
            return read_expanded(public, min(length, SEED_BYTES)).ljust(length)

    BytesSource.read = given  # type: ignore[method-assign]
    XofSource.read = expanded  # type: ignore[method-assign]


def small_shares() -> None:
    """A discrete Gaussian share may be as small as its owner likes."""

    def check(self: DiscreteGaussianShare) -> None:
        GridNoise.__post_init__(self)

    DiscreteGaussianShare.__post_init__ = check  # type: ignore[method-assign]


def sampling_by_remainder() -> None:
    """A number below a bound is a remainder, instead of one that is drawn again."""

    def below(self: ByteStream, bound: int) -> int:
        return self.bits((bound - 1).bit_length()) % bound

    ByteStream.below = below  # type: ignore[method-assign]


def root_seeds_of_a_generator() -> None:
    """Root seeds come from a statistical generator."""

    def seed() -> Seed:
        return Seed(random.Random().randbytes(SEED_BYTES))  # noqa: S311

    replace_everywhere(randomness.fresh_seed, seed)


def streams_of_the_system() -> None:
    """A step's streams are expanded from the operating system's randomness besides its seed."""
    correct = XofSource.__init__

    def begin(self: XofSource, seed: Seed, label: bytes) -> None:
        correct(self, seed, label + secrets.token_bytes(SEED_BYTES))

    XofSource.__init__ = begin  # type: ignore[method-assign]


_STREAMS = "tests/noise/test_streams.py::test_"
_RANDOMNESS = "tests/foundation/test_randomness.py::test_"
_LAW = "tests/noise/test_law.py::test_"

FAULTS = {
    "streams_go_on": Fault(
        streams_go_on,
        None,
        (
            _STREAMS + "every_stream_that_ends_too_early_is_an_error",
            _RANDOMNESS + "streams_end_with_an_error_and_stay_ended",
        ),
    ),
    "small_shares": Fault(
        small_shares, None, ("tests/noise/test_shares.py::test_a_share_that_is_too_small_is_refused",)
    ),
    "sampling_by_remainder": Fault(
        sampling_by_remainder,
        None,
        (_LAW + "discrete_laplace_matches_exact_law[1]", _LAW + "discrete_gaussian_matches_exact_law[1/2]"),
    ),
    "root_seeds_of_a_generator": Fault(
        root_seeds_of_a_generator, None, (_RANDOMNESS + "root_seeds_are_the_operating_systems",)
    ),
    "streams_of_the_system": Fault(
        streams_of_the_system, None, ("tests/protocol/test_collaboration.py::test_known_answer",)
    ),
}
"""These faults, and the tests that must notice them."""
