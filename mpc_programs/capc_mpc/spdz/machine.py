"""The installation of MP-SPDZ: where it is, which version, which party programs."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from capc.foundation.errors import InputError
from capc_mpc.interface.protocols import PROTOCOLS
from capc_mpc.spdz.checkouts import commit_of

HOME_VARIABLE = "MP_SPDZ_HOME"
REMEDY = (
    f"unpack a binary release of MP-SPDZ (github.com/data61/MP-SPDZ/releases, 0.4.2 or later) and set {HOME_VARIABLE} "
    f"to its folder, the one with compile.py"
)
_SUFFIX = "-party.x"


@dataclass(frozen=True)
class Machine:
    """An installed MP-SPDZ.

    Attributes:
        home: the folder with ``compile.py``.
        version: as its change log says, and of a checkout the commit.
        parties: party programs by name, without ``-party.x``.
    """

    home: Path
    version: str
    parties: dict[str, Path]

    def party_program(self, name: str) -> Path:
        """The party program of a protocol.

        Raises:
            InputError: it is not installed.
        """
        if name not in self.parties:
            raise InputError(
                f"{name}{_SUFFIX} is not in {self.home}: install a release that has it, or build that target there"
            )
        return self.parties[name]

    def protocols(self) -> list[str]:
        """The names of the table's protocols that this installation can run."""
        return [name for name, row in PROTOCOLS.items() if row.program in self.parties]


def find_machine() -> Machine | None:
    """The MP-SPDZ of ``MP_SPDZ_HOME``, or of the usual folders; None if there is none.

    Raises:
        InputError: ``MP_SPDZ_HOME`` is set to a folder that holds no MP-SPDZ.
    """
    named = os.environ.get(HOME_VARIABLE)
    if named:
        if not (Path(named) / "compile.py").is_file():
            raise InputError(f"{HOME_VARIABLE}={named}: there is no compile.py; {REMEDY}")
        return _read(Path(named))
    usual = [Path.home() / "MP-SPDZ", Path("/opt/MP-SPDZ"), Path("/usr/local/share/MP-SPDZ")]
    return next((_read(home) for home in usual if (home / "compile.py").is_file()), None)


def the_machine() -> Machine:
    """The installed MP-SPDZ.

    Raises:
        InputError: there is none.
    """
    machine = find_machine()
    if machine is None:
        raise InputError(f"MP-SPDZ is not installed: {REMEDY}")
    return machine


def _read(home: Path) -> Machine:
    home = home.resolve()
    # A release has its programs below bin/, a build has them beside the compiler.
    found = [*home.glob(f"bin/*/*{_SUFFIX}"), *home.glob(f"*{_SUFFIX}")]
    programs = {path.name.removesuffix(_SUFFIX): path for path in found if os.access(path, os.X_OK)}
    # A build from a checkout may be ahead of the version in its change log.
    commit = commit_of(home)
    return Machine(home, _version(home) + (f" ({commit[:8]})" if commit else ""), programs)


def _version(home: Path) -> str:
    log = home / "CHANGELOG.md"
    found = re.search(r"^## +(\S+)", log.read_text(encoding="utf-8"), re.MULTILINE) if log.is_file() else None
    return found.group(1) if found else "unknown"


def doctor_line() -> str:
    """What ``capc doctor`` says: version and party programs, or what to install."""
    try:
        machine = find_machine()
    except InputError as error:
        return str(error)
    if machine is None:
        return f"MP-SPDZ: not installed; capc mpc needs it, nothing else does. Remedy: {REMEDY}"
    present = machine.protocols()
    missing = [name for name in PROTOCOLS if name not in present]
    line = f"MP-SPDZ {machine.version} in {machine.home}: {', '.join(present) or 'no party program'}"
    return f"{line}; not there: {', '.join(missing)}" if missing else line
