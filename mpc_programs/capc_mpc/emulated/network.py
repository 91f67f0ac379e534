"""What a caller uses: a network for some parties, while a ``with`` statement lasts."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from capc.foundation.errors import CapcError, InputError
from capc_mpc.emulated import packets
from capc_mpc.emulated.enter import AMONG_OTHERS, FIRST, entering
from capc_mpc.emulated.link import Carried
from capc_mpc.emulated.process import AUTO, CARRIED, KINDS, NETEM, Order

_PYTHON = (sys.executable, "-P")
_LINK = ("-m", "capc_mpc.emulated.process")
REMEDY = "run it as root on Linux with TUN devices (/dev/net/tun)"


@dataclass(frozen=True)
class LinkSpec:
    """What a link is to be.

    Attributes:
        delay: seconds, one way.
        rate: bits a second that each party can send, None for no limit.
    """

    delay: float = 0.0
    rate: float | None = None

    def __post_init__(self) -> None:
        finite = math.isfinite(self.delay) and (self.rate is None or math.isfinite(self.rate))
        if not finite or self.delay < 0 or (self.rate is not None and self.rate <= 0):
            raise InputError(f"link of {self.delay} s and {self.rate} bit/s: give at least 0 s, and a rate above 0")


@dataclass(frozen=True)
class LinkReport:
    """What a link did.

    Attributes:
        cpu_seconds: of its process.
        late_mean: seconds by which a packet was handed over late, on average.
        late_most: the same of the latest.
        wire_bytes: that each party sent, bytes of IP.
        dropped: packets lost because a queue was full; a measurement with any is none.
        tcp: what controlled congestion.
        kind: `tun` or `netem`; of netem, figures of the process say nothing.
        carried: what went over it, in the order of arrival, if it was recorded.
    """

    cpu_seconds: float
    late_mean: float
    late_most: float
    wire_bytes: tuple[int, ...]
    dropped: int
    tcp: str
    kind: str
    carried: tuple[Carried, ...]


class LinkError(CapcError):
    """The link ended before its caller: what was measured over it is nothing."""


class EmulatedNetwork:
    """Parties in namespaces of their own, behind one link.

    Args:
        parties: their number.
        spec: the link.
        recording: whether what is carried is kept, for :attr:`report`; the kernel's own link keeps nothing.
        kind: `tun`, `netem`, or `auto`: netem where the kernel has it.
        first: parties come before whatever else the machine does, so that it does not disturb a measurement; while they
            compute, little else runs.

    Processes are started by the caller, as :meth:`command` says; they end with the thread that started them, or with
    the ``with`` statement.
    """

    def __init__(
        self, parties: int, spec: LinkSpec, *, recording: bool = False, kind: str = AUTO, first: bool = False
    ) -> None:
        if kind not in KINDS or (recording and kind == NETEM):
            raise InputError(f"link {kind!r}: choose among {', '.join(KINDS)}; to record, tun")
        self.parties = parties
        self.spec = spec
        self._recording = recording
        self._wanted = kind
        self._order = FIRST if first else AMONG_OTHERS
        self.report: LinkReport | None = None

    def __enter__(self) -> Self:
        """Makes it.

        Raises:
            InputError: the system does not allow it; one line says what it takes.
        """
        order = Order(self.parties, self.spec.delay, self.spec.rate, self._recording, self._wanted)
        self._process = subprocess.Popen(  # noqa: S603  # this package's own module
            [*_PYTHON, *_LINK, json.dumps(asdict(order))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        if self._process.stdout is None or not (line := self._process.stdout.readline()):
            _, said = self._process.communicate()
            raise InputError(f"no emulated network: {_last_line(said)}; {REMEDY}")
        self._told: dict[str, Any] = json.loads(line)
        return self

    def __exit__(self, kind: type[BaseException] | None, *others: object) -> None:
        """Ends what is still in the namespaces, and the link.

        Raises:
            LinkError: it had ended before, unless something else is being raised.
        """
        told, said = self._process.communicate()
        line, _, recorded = told.partition(b"\n")
        if not line:
            if kind is None:
                raise LinkError(f"the emulated link ended: {_last_line(said)}")
            return
        counts = json.loads(line)
        self.report = LinkReport(
            cpu_seconds=counts["cpu_seconds"],
            late_mean=counts["late_mean"],
            late_most=counts["late_most"],
            wire_bytes=tuple(each["wire_bytes"] for each in counts["sending"]),
            dropped=sum(each["dropped"] for each in counts["sending"]),
            tcp=self._told["tcp"],
            kind=self._told["kind"],
            carried=tuple(Carried(*values) for values in CARRIED.iter_unpack(recorded)),
        )

    @property
    def process_id(self) -> int:
        """Of the link."""
        return self._process.pid

    def address(self, party: int) -> str:
        """Where the others find a party."""
        return packets.address(party)

    def command(self, party: int, command: Sequence[str]) -> list[str]:
        """A command as it runs in a party's namespace; its process keeps its number, as if it were run itself."""
        return entering(self._order, self._told["networks"][party], command)


def _last_line(said: bytes) -> str:
    return (said.decode(errors="replace").strip().splitlines() or ["it said nothing"])[-1]
