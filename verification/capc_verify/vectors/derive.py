"""Where every random value of a vector file comes from: the file's seed, and a label."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from capc.foundation import ring
from capc.foundation.randomness import BytesSource, Seed
from capc_spec.registry import TAGS


@dataclass(frozen=True)
class Source:
    """The source of one file.

    Attributes:
        name: the suite's name.
        version: changes when all random values shall change.
    """

    name: str
    version: str = "1"

    @property
    def seed(self) -> bytes:
        """SHA-256 over a domain, the name and the version: nobody chose it."""
        return hashlib.sha256(TAGS["test-vectors"] + f"{self.name}/{self.version}".encode("ascii")).digest()

    def draw(self, label: str, length: int) -> bytes:
        """SHAKE-256(seed || suite || label), ``length`` bytes."""
        return hashlib.shake_256(self.seed + self.name.encode("ascii") + label.encode("ascii")).digest(length)

    def step_seed(self, label: str) -> Seed:
        """32 bytes, the seed of a step."""
        return Seed(self.draw(label, 32))

    def elements(self, label: str, count: int, width: int) -> list[int]:
        """``count`` elements of Z_{2^width}, as ``bits(width)`` takes them from the bytes of the label."""
        return ring.uniform(BytesSource(self.draw(label, count * ((width + 7) // 8))), count, width)
