"""Where answering parties keep their circuit-privacy allowances: one SQLite file for each identity and model.

A charge is on the disk when the call returns, under the same settings as a ledger. Two runs on one file take turns,
and each charge starts from what the other one left (CAPC-HE-015). The figures depend on the weights: a file is for its
owner only, and so is its name, which depends on them too.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from fractions import Fraction
from pathlib import Path

from capc.foundation.errors import InputError
from capc.models.model import QuantisedModel
from capc.privacy.allowance import PrivacyAllowance
from capc.privacy.storage.connections import Connection, connect, make_durable, retry_while_busy
from capc.privacy.storage.disk import create_secret, sync_folder
from capc.privacy.storage.errors import LedgerError
from capc.privacy.storage.store import explained, only_writer
from capc.session.parameters import canonical_json
from capc_spec.registry import TAGS

_SUFFIX = ".allowance"
_TABLE = "CREATE TABLE IF NOT EXISTS allowance (only INTEGER PRIMARY KEY CHECK (only = 0), document TEXT NOT NULL)"


def allowance_file(folder: Path, party: str, identity: bytes, model: QuantisedModel) -> Path:
    """The file of a party's model; another party, or other weights, have another one.

    Args:
        folder: of all allowances.
        party: how people call the party.
        identity: the party's, of the session.
        model: its model.
    """
    layers = [{"weights": layer.weights, "biases": layer.biases} for layer in model.layers]
    document = {"architecture": model.architecture.document(), "bits": model.fraction_bits, "layers": layers}
    digest = hashlib.sha256(TAGS["allowance"] + identity + canonical_json(document)).hexdigest()
    return folder / f"{party}-{digest[:32]}{_SUFFIX}"


def most_models(folder: Path) -> int:
    """Of how many models the party with most of them keeps an allowance in a folder; 0 if there is no such folder."""
    owners = Counter(file.name.rpartition("-")[0] for file in folder.glob(f"*-*{_SUFFIX}"))
    return max(owners.values(), default=0)


class StoredAllowance:
    """An allowance in a file. Between calls it holds nothing open.

    Args:
        file: the database; made if it is missing, and so is its folder.
        goal: a new allowance, for a file that is not there yet.

    Raises:
        LedgerError: the file is no allowance, was made for another goal, or cannot be written.
    """

    def __init__(self, file: Path, goal: PrivacyAllowance) -> None:
        self.file = file
        with explained(file, "an allowance"):
            _make_folder(file.resolve().parent)
            # Beside SQLite nobody opens the file: see capc.privacy.storage.file_lock.
            if not file.exists():
                with suppress(FileExistsError):
                    create_secret(file.resolve(), "")
        with self._opened() as connection, only_writer(connection):
            connection.execute(_TABLE).fetchall()
            insert = "INSERT OR IGNORE INTO allowance (only, document) VALUES (0, ?)"
            connection.execute(insert, (json.dumps(goal.document()),)).fetchall()
            self._check_goal(self._read(connection), goal)
        # The names of the files must survive a power cut too.
        sync_folder(file.resolve().parent)

    @property
    def value(self) -> PrivacyAllowance:
        """The allowance as it is now.

        Raises:
            LedgerError: the file is damaged.
        """
        with self._opened() as connection:
            return self._read(connection)

    def charge(self, count: int, distance: Fraction) -> None:
        """Charges one batch; what was charged is on the disk when this returns.

        Args:
            count: queries of the batch.
            distance: upper bound of the statistical distance of all that is sent for them.

        Raises:
            BudgetExhaustedError: what is left does not suffice. Nothing was charged.
            LedgerError: the file is damaged, busy for too long, or the disk refused. Perhaps it was charged.
        """
        with self._opened() as connection, only_writer(connection):
            text = json.dumps(self._read(connection).charge(count, distance).document())
            connection.execute("UPDATE allowance SET document = ?", (text,)).fetchall()

    @contextmanager
    def _opened(self) -> Iterator[Connection]:
        with explained(self.file, "an allowance"), closing(connect(self.file)) as connection:
            retry_while_busy(lambda: make_durable(connection))
            yield connection

    def _read(self, connection: Connection) -> PrivacyAllowance:
        try:
            ((text,),) = connection.execute("SELECT document FROM allowance").fetchall()
            return PrivacyAllowance.from_document(json.loads(text))
        except (InputError, ValueError, TypeError):
            raise LedgerError(
                f"{self.file}: not an allowance, or a damaged one: restore it as it was, or train a new model"
            ) from None

    def _check_goal(self, value: PrivacyAllowance, goal: PrivacyAllowance) -> None:
        if (value.distance, value.queries) != (goal.distance, goal.queries):
            raise LedgerError(
                f"{self.file}: declared for {value.queries} queries at a distance of {value.distance}, not for "
                f"{goal.queries} at {goal.distance}: a goal is fixed for the life of a model: use the same"
            )


def _make_folder(folder: Path) -> None:
    """Makes a folder for its owner only, and those above it; each name is on the disk when this returns."""
    if not folder.is_dir():
        _make_folder(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
        sync_folder(folder.parent)
