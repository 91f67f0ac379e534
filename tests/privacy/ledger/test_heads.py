"""Heads that several runs of one party share: nobody honest is accused, and no history is shown to one run only."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capc.privacy.ledger import Ledger, LedgerError, Proof, check_proof, load_known_head, save_known_head
from capc.privacy.ledger.heads import MAX_BEGAN, MAX_TRAIL
from privacy.ledger.cases import INPUTS, OTHER_TAG, TAG, copy_of, make_ledger, make_terms
from support.sizes import examples

TERMS = make_terms(queries=10**5)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with make_ledger(tmp_path, TERMS) as made:
        yield made


@pytest.fixture
def head(tmp_path: Path) -> Path:
    return tmp_path / "head.json"


def ask(ledger: Ledger, head: Path, *charged: tuple[bytes, int]) -> None:
    """One look of one run, as the job makes it."""
    seen = load_known_head(head)
    proof = ledger.proof(0 if seen is None else seen.head.size, charged)
    save_known_head(check_proof(seen, proof, TERMS, charged), head)


@pytest.mark.req("CAPC-LEDG-010", "CAPC-LEDG-022")
def test_a_head_that_another_run_advanced_does_not_hide_the_own_charge(tmp_path: Path) -> None:
    head = tmp_path / "head.json"
    with make_ledger(tmp_path, TERMS) as first, make_ledger(tmp_path, TERMS) as second:
        ask(first, head)
        ask(second, head)
        first.reserve(TAG, 1, INPUTS)
        second.reserve(OTHER_TAG, 1, INPUTS)
        ask(second, head, (OTHER_TAG, 1))
        ask(first, head, (TAG, 1))
        # Both have asked: a charge of before does not count again.
        for name in ((TAG, 1), (OTHER_TAG, 1)):
            with pytest.raises(LedgerError, match=r"query 1 .* shows no charge"):
                ask(first, head, name)


@pytest.mark.req("CAPC-LEDG-010")
def test_a_charge_of_before_the_oldest_run_does_not_count(ledger: Ledger, head: Path) -> None:
    ledger.reserve(TAG, 1, INPUTS)
    ask(ledger, head)
    ask(ledger, head)
    ledger.reserve(TAG, 2, INPUTS)
    with pytest.raises(LedgerError, match=r"query 1 .* shows no charge"):
        ask(ledger, head, (TAG, 1))
    ask(ledger, head, (TAG, 2))


@pytest.mark.slow
@pytest.mark.req("CAPC-LEDG-009", "CAPC-LEDG-010", "CAPC-LEDG-022")
@given(order=st.lists(st.integers(0, 4), min_size=1, max_size=30), others=st.integers(0, 3))
@settings(max_examples=examples(ordinary=25, nightly=500), deadline=None)
def test_runs_in_any_order_find_their_charges(
    order: list[int], others: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Each number is the next step of a run: look, charge, ask for the charge, and begin again."""
    folder = tmp_path_factory.mktemp("runs")
    head, steps, size = folder / "head.json", [0] * 5, 0
    with make_ledger(folder, TERMS) as ledger:
        for run in order:
            step, name = steps[run] % 3, (bytes([100 + run]) * 32, steps[run] // 3)
            if step == 0:
                ask(ledger, head)
            elif step == 1:
                ledger.reserve(*name, INPUTS)
                for _ in range(others):
                    ledger.reserve(OTHER_TAG, ledger.head.size, INPUTS)
            else:
                ask(ledger, head, name)
            steps[run] += 1
            kept = load_known_head(head)
            assert kept is not None
            assert kept.head.size >= size
            size = kept.head.size
            # Who has begun and not asked yet.
            assert len(kept.began) == sum(step % 3 in (1, 2) for step in steps)


@pytest.mark.req("CAPC-LEDG-022")
def test_a_smaller_head_never_replaces_a_larger_one(ledger: Ledger, head: Path) -> None:
    early = check_proof(None, ledger.proof(), TERMS)
    ledger.reserve(TAG, 1, INPUTS)
    late = check_proof(None, ledger.proof(), TERMS)
    save_known_head(late, head)
    assert save_known_head(early, head).head == late.head
    kept = load_known_head(head)
    assert kept is not None
    assert (kept.head, kept.began) == (ledger.head, (1, 2))


@pytest.mark.req("CAPC-LEDG-022")
@pytest.mark.parametrize("first_is_longer", [False, True])
def test_two_histories_shown_to_two_runs_at_once_are_found(
    ledger: Ledger, head: Path, tmp_path: Path, first_is_longer: bool
) -> None:
    """Each run looks at another history, from the same kept head; whoever saves second finds it."""
    ask(ledger, head)
    fork = copy_of(tmp_path, "fork")
    with make_ledger(tmp_path, TERMS) as one, make_ledger(fork, TERMS) as other:
        one.reserve(TAG, 1, INPUTS)
        other.reserve(TAG, 1, INPUTS)
        (one if first_is_longer else other).reserve(TAG, 2, INPUTS)
        seen = [check_proof(load_known_head(head), each.proof(1), TERMS) for each in (one, other)]
        save_known_head(seen[0], head)
        with pytest.raises(LedgerError, match="forked: its owner showed one history to this run"):
            save_known_head(seen[1], head)
        assert load_known_head(head) == replace(seen[0])


@pytest.mark.req("CAPC-LEDG-009", "CAPC-LEDG-010")
def test_a_beginning_before_the_kept_head_is_the_right_one_or_refused(ledger: Ledger, head: Path) -> None:
    """The proof begins at the charge that was asked for; whatever else it begins with does not lead to the head."""
    ask(ledger, head)
    ledger.reserve(TAG, 1, INPUTS)
    ask(ledger, head)
    ledger.reserve(TAG, 2, INPUTS)
    honest = Proof.from_bytes(ledger.proof(2, [(TAG, 1)]))
    assert (honest.start, len(honest.digests)) == (1, 2)
    seen = load_known_head(head)
    check_proof(seen, honest.to_bytes(), TERMS, [(TAG, 1)])
    for forged in (
        replace(honest, before=bytes(32)),
        replace(honest, digests=(honest.digests[1], honest.digests[1])),
        replace(honest, start=0),
        replace(honest, start=2),
    ):
        with pytest.raises(LedgerError):
            check_proof(seen, forged.to_bytes(), TERMS, [(TAG, 1)])


@pytest.mark.slow
@pytest.mark.req("CAPC-LEDG-022")
def test_a_run_far_behind_is_told_to_look_again(ledger: Ledger, head: Path) -> None:
    """Neither accused nor believed: the links that would tell are not kept any more."""
    ask(ledger, head)
    slow = check_proof(load_known_head(head), ledger.proof(1), TERMS)
    ledger.reserve(TAG, 0, INPUTS)
    slower = check_proof(load_known_head(head), ledger.proof(1), TERMS)
    for query in range(1, MAX_TRAIL + 1):
        ledger.reserve(TAG, query, INPUTS)
    ask(ledger, head)
    with pytest.raises(LedgerError, match=f"more than {MAX_TRAIL} records away: look again"):
        save_known_head(slow, head)
    assert save_known_head(slower, head).head == ledger.head
    ask(ledger, head)


@pytest.mark.slow
def test_what_is_kept_stays_small(ledger: Ledger, head: Path) -> None:
    for _ in range(MAX_BEGAN + 5):
        ask(ledger, head)
    for query in range(MAX_TRAIL + 5):
        ledger.reserve(TAG, query, INPUTS)
    ask(ledger, head)
    kept = load_known_head(head)
    assert kept is not None
    assert (len(kept.began), len(kept.trail)) == (MAX_BEGAN, MAX_TRAIL)
    assert head.stat().st_size < 20_000


@pytest.mark.req("CAPC-LEDG-022")
def test_runs_that_look_at_the_same_time_lose_nothing(head: Path, tmp_path: Path) -> None:
    ledgers = [make_ledger(tmp_path, TERMS) for _ in range(4)]

    def run(number: int) -> None:
        for query in range(5):
            ask(ledgers[number], head)
            ledgers[number].reserve(bytes([number]) * 32, query, INPUTS)
            ask(ledgers[number], head, (bytes([number]) * 32, query))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(run, range(4)))
    kept = load_known_head(head)
    assert kept is not None
    assert kept.head == ledgers[0].head
    assert (kept.head.size, kept.began) == (21, ())
    for ledger in ledgers:
        ledger.close()


@pytest.mark.req("CAPC-LEDG-022")
def test_a_full_disk_is_one_line_and_keeps_the_head_that_is_there(
    ledger: Ledger, head: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(ledger, head)
    before = load_known_head(head)
    ledger.reserve(TAG, 1, INPUTS)
    seen = check_proof(before, ledger.proof(1), TERMS)

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(LedgerError, match=r"cannot be kept \(No space left on device\): make room") as caught:
        save_known_head(seen, head)
    monkeypatch.undo()
    assert "\n" not in str(caught.value)
    assert load_known_head(head) == before
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    save_known_head(seen, head)


@pytest.mark.req("CAPC-LEDG-022")
def test_the_head_of_another_ledger_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with make_ledger(tmp_path, TERMS) as ledger, make_ledger(tmp_path / "other", TERMS) as other:
        ask(ledger, tmp_path / "head.json")
        with pytest.raises(LedgerError, match="holds the head of another ledger"):
            save_known_head(check_proof(None, other.proof(), TERMS), tmp_path / "head.json")


@pytest.mark.req("CAPC-LEDG-025")
def test_a_head_that_others_may_change_is_taken_from_them(ledger: Ledger, head: Path) -> None:
    ask(ledger, head)
    head.chmod(0o666)
    ask(ledger, head)
    assert head.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("changes", [{"began": [0]}, {"began": [9]}, {"began": ["1"]}, {"trail": ["00"]}, {"trail": 1}])
def test_what_no_party_keeps_is_refused(ledger: Ledger, head: Path, changes: dict[str, object]) -> None:
    ask(ledger, head)
    head.write_text(json.dumps({**json.loads(head.read_text()), **changes}))
    with pytest.raises(LedgerError, match="not a head"):
        load_known_head(head)
