"""MP-SPDZ's parties on an emulated network."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from capc_mpc.emulated import stamped
from capc_mpc.emulated.network import EmulatedNetwork
from capc_mpc.spdz.costs import TIME_LINE

_PORT = 5000
"""Every party has the machine's ports for itself."""


@dataclass
class Namespaces:
    """Where parties of MP-SPDZ run: each in its namespace.

    Attributes:
        name: of the network, as reports name it.
        network: with as many parties as the run, or more.
        stamps: a folder for the moments at which parties told their times; None to keep none.
    """

    name: str
    network: EmulatedNetwork
    stamps: Path | None = None

    def where(self, folder: Path, parties: int, first_port: int) -> list[str]:  # noqa: ARG002 - of this machine
        """A file of addresses, in MP-SPDZ's format."""
        addresses = [f"{self.network.address(party)}:{_PORT + party}" for party in range(parties)]
        (folder / "addresses").write_text("\n".join(addresses) + "\n", encoding="ascii")
        return ["-ip", "addresses"]

    def address(self, party: int) -> str:
        """In the network."""
        return self.network.address(party)

    def placed(self, party: int, command: Sequence[str]) -> list[str]:
        """The command in the party's namespace."""
        if self.stamps is not None:
            file = str(self.stamps / str(party))
            command = [sys.executable, "-P", "-m", stamped.__name__, file, TIME_LINE, *command]
        return self.network.command(party, command)
