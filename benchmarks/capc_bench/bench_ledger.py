"""Opening a ledger of 100,000 records at its last checkpoint, and reading all of it.

``pytest benchmarks/capc_bench/bench_ledger.py``. Each query is charged and dispatched, and every third is settled.
"""

from __future__ import annotations

import secrets
import time
from fractions import Fraction
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from capc.privacy.events import Dispatch, Entry, Receipt, Reservation, Settlement
from capc.privacy.ledger import Ledger, Terms, open_ledger, reading
from capc.privacy.ledger.chain import digest_of
from capc.session.parameters import Adjacency, Charge, NoiseName, ReleasePolicy

RECORDS = 100_000
MESSAGE_BYTES = 2_000
_POLICY = ReleasePolicy(
    mechanism=NoiseName.ROUNDED_GAUSSIAN,
    sigma=Fraction(2),
    threshold=Fraction(3),
    threshold_sigma=Fraction(1),
    charge=Charge.REALISED,
    adjacency=Adjacency.REPLACE_ONE,
    epsilon=Fraction(10**7),
    delta=Fraction(1, 10**5),
)
_TERMS = Terms("privacy_guardian", "benchmark", _POLICY, 4, Fraction(10**6))


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ledger, written in one transaction: what a synchronisation costs is the disk's."""
    file = tmp_path_factory.mktemp("ledger") / "ledger"
    ledger, query = open_ledger(file, _TERMS), 0
    with ledger._store.transaction():
        while ledger._head.size < RECORDS:
            query += 1
            _write(ledger, query)
    # The next record writes the checkpoints.
    ledger.reserve(bytes(32), 0, bytes(32))
    ledger.close()
    return file


def _write(ledger: Ledger, query: int) -> None:
    tag, message = (query // 1000).to_bytes(32, "big"), secrets.token_bytes(MESSAGE_BYTES)
    receipt = Receipt(tag, query, secrets.token_bytes(32), ledger.cost.worst_case, ledger.cost.unit)
    dispatched = Dispatch(receipt, digest_of(message))
    entries: list[tuple[Entry, bytes | None]] = [(Reservation(receipt), None), (dispatched, message)]
    if query % 3 == 0:
        entries.append((Settlement(receipt, query % 2 == 0), None))
    for entry, sent in entries:
        ledger._write(entry, sent)
        ledger._catch_up()


def test_opening(benchmark: BenchmarkFixture, file: Path) -> None:
    used: list[float] = []

    def opened() -> None:
        start = time.process_time()
        open_ledger(file, _TERMS).close()
        used.append(time.process_time() - start)

    benchmark.pedantic(opened, rounds=5, warmup_rounds=1)  # type: ignore[no-untyped-call]
    benchmark.extra_info["seconds of CPU"] = round(min(used), 2)


def test_reading_all(benchmark: BenchmarkFixture, file: Path) -> None:
    def read() -> None:
        with reading(file) as (log, _):
            assert log.head.size > RECORDS

    benchmark.pedantic(read, rounds=1)  # type: ignore[no-untyped-call]
