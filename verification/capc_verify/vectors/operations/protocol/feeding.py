"""Building blocks that take what a judge gives in the place of their own work: how the reference supports oracles.

docs/porting.md says which values an oracle gives with which operation. Without values, a block does its own work.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, cast

from capc.foundation import ring
from capc.foundation.randomness import RandomSource
from capc.linear.ideal import IdealLinear
from capc.linear.interface import Plain
from capc.models.operators import Operator
from capc.noise.mechanism import Mechanism, ReleaseMechanisms
from capc.steps.suite import hide_linear, hide_two_party
from capc_verify.vectors.operations.protocol.fed_circuits import FedTwoParty
from capc_verify.vectors.operations.protocol.feed import Feed
from capc_verify.vectors.operations.protocol.step import Protocol


@dataclass(frozen=True, eq=False)
class WrappedNoise:
    """A mechanism that is another one but for how it samples: the account takes it for that one."""

    real: Mechanism

    def __eq__(self, other: object) -> bool:
        return other == self.real

    def __hash__(self) -> int:
        return hash(self.real)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        # A copy in the making has no mechanism yet, and copying asks for names of its own.
        if name == "real" or name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.real, name)


@dataclass(frozen=True, eq=False)
class FedNoise(WrappedNoise):
    """Noise of a law, or what was given in its place."""

    rows: Callable[[], list[list[int]]]
    """Finds, when it is called, the draws that were given."""

    def sample(self, source: RandomSource, count: int) -> list[int]:
        """The draws that were given next, else own ones."""
        given = self.rows()
        return given.pop(0) if given else self.real.sample(source, count)


@dataclass
class FedLinear(IdealLinear):
    """F_linear, of which the querying party's shares may be given. Numbers of messages are its own."""

    feed: Feed = field(default_factory=Feed)

    def decrypt(self, secret_key: None, operator: Operator, count: int, response: bytes) -> list[list[int]]:
        """The shares that were given, if the number is one of this party's; else its own."""
        own = super().decrypt(secret_key, operator, count, response)
        return own if self.feed.shares is None else self.feed.shares


@dataclass
class NumbersOnly(FedLinear):
    """F_linear without its tables: it counts messages, and every share of the querying party must be given."""

    def evaluate(
        self, public_key: None, prepared: Plain, request: bytes, count: int, source: RandomSource
    ) -> tuple[list[list[int]], bytes]:
        """The evaluator's shares, as they are drawn, and a number; the product is computed by nobody."""
        del public_key
        operator, width = prepared[0], self.logit_bits + self.guard_bits
        self._load(request, count, operator.inputs)
        shares = [ring.uniform(source, operator.outputs, width) for _ in range(count)]
        return shares, self._store([[0] * operator.outputs for _ in range(count)])


def fed(
    protocol: Protocol, feed: Feed, linear: type[FedLinear] = FedLinear, circuits: type[FedTwoParty] = FedTwoParty
) -> Protocol:
    """The environment of a test, with blocks that take what is fed."""
    suite = protocol.suite
    real, widths = suite.mechanisms, protocol.session.parameters.widths
    threshold = real.threshold and cast(Mechanism, FedNoise(real.threshold, _Rows(feed, "checks")))
    mechanisms = ReleaseMechanisms(cast(Mechanism, FedNoise(real.answer, _Rows(feed, "classes"))), threshold)
    layers = hide_linear(linear(widths.logit_bits, widths.guard_bits, feed=feed))
    two_party = hide_two_party(circuits(feed))
    return replace(protocol, suite=replace(suite, mechanisms=mechanisms, linear=layers, two_party=two_party))


@dataclass(frozen=True)
class _Rows:
    feed: Feed
    name: str

    def __call__(self) -> list[list[int]]:
        found: list[list[int]] = getattr(self.feed, self.name)
        return found
