"""Where the parties of one run on this machine are, and over what they talk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from capc_mpc.emulated.enter import FIRST, entering


class Site(Protocol):
    """A place for parties: loopback, or a network that is emulated between them.

    Attributes:
        name: as reports name it.
    """

    @property
    def name(self) -> str:
        """As reports name it."""
        ...

    def where(self, folder: Path, parties: int, first_port: int) -> list[str]:
        """What tells a party program where the others are: flags of MP-SPDZ.

        Args:
            folder: of the run, in which files can be written that the flags name.
            parties: of the run.
            first_port: the first of ``parties`` + 2 neighbouring ports that are free on loopback.
        """
        ...

    def placed(self, party: int, command: Sequence[str]) -> list[str]:
        """The command that starts a party there."""
        ...

    def address(self, party: int) -> str:
        """The host of a party, as the others see it."""
        ...


@dataclass(frozen=True)
class Loopback:
    """Processes side by side, over loopback.

    Attributes:
        first: they come before whatever else the machine does, which only root may ask for.
        name: as reports name it.
    """

    first: bool = False
    name: str = "loopback"

    def where(self, folder: Path, parties: int, first_port: int) -> list[str]:  # noqa: ARG002 - of other sites
        """Neighbouring ports of this machine."""
        return ["-pn", str(first_port)]

    def placed(self, party: int, command: Sequence[str]) -> list[str]:  # noqa: ARG002 - of other sites
        """The command as it is."""
        return entering(FIRST, "", command) if self.first else list(command)

    def address(self, party: int) -> str:  # noqa: ARG002 - of other sites
        """This machine."""
        return "127.0.0.1"


LOOPBACK: Site = Loopback()
