"""Parties that meet before a run: late ones are waited for; who is absent, strange or of another mind is named."""

import datetime
import shutil
import socket
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from capc.foundation.errors import InputError
from capc_mpc.interface.errors import MpcError
from capc_mpc.spdz import keys as keys_module
from capc_mpc.spdz.apart.meeting import Meeting, check_keys, meet, parse_addresses
from capc_mpc.spdz.keys import certificate_of, write_key, write_keys
from capc_mpc.spdz.ports import held_ports


def _outcomes(meetings: Sequence[Meeting], delays: Sequence[float] = ()) -> list[str | None]:
    """What became of each party: None, or the line of its error."""

    def one(meeting: Meeting, delay: float) -> str | None:
        time.sleep(delay)
        try:
            return meet(meeting)
        except MpcError as error:
            return str(error)

    with ThreadPoolExecutor(len(meetings)) as pool:
        return list(pool.map(one, meetings, delays or [0.0] * len(meetings)))


def _meetings(keys: Sequence[Path], first: int, purposes: Sequence[str], seconds: float = 5.0) -> list[Meeting]:
    addresses = tuple(("127.0.0.1", first + party) for party in range(len(keys)))
    return [Meeting(n, addresses, folder, purposes[n], seconds) for n, folder in enumerate(keys)]


@pytest.mark.parametrize("delays", [(0.0, 0.0, 0.2), (0.3, 0.0, 0.0)])
def test_parties_wait_for_the_last_and_leave_together(delays: tuple[float, ...], tmp_path: Path) -> None:
    write_keys(tmp_path, 3)
    with held_ports(3) as first:
        begin = time.monotonic()
        assert _outcomes(_meetings([tmp_path] * 3, first, ["argmax"] * 3), delays) == [None] * 3
        assert time.monotonic() - begin > max(delays)
        # The ports are free for MP-SPDZ.
        for party in range(3):
            socket.create_server(("", first + party)).close()


def test_who_means_another_run_is_told_apart(tmp_path: Path) -> None:
    write_keys(tmp_path, 2)
    with held_ports(2) as first:
        first_said, second_said = _outcomes(
            _meetings([tmp_path] * 2, first, ["argmax under yao", "argmax\n under semi2k"])
        )
    assert first_said == "party 1 is about to run argmax under semi2k, and party 0 argmax under yao"
    assert second_said == "party 0 is about to run argmax under yao, and party 1 argmax\n under semi2k"


def test_a_party_that_does_not_come_is_named_with_its_address(tmp_path: Path) -> None:
    write_keys(tmp_path, 3)
    with held_ports(3) as first:
        (said,) = _outcomes(_meetings([tmp_path] * 3, first, ["argmax"] * 3, 0.3)[1:2])
    places = f"0 at 127.0.0.1:{first}, 2 at 127.0.0.1:{first + 2}"
    assert said == f"party 1 waited 0.3 s: no party {places} that holds its key"


@pytest.mark.slow
def test_a_stranger_under_a_party_s_number_is_not_met(tmp_path: Path) -> None:
    own, strange = tmp_path / "own", tmp_path / "strange"
    for folder in (own, strange):
        folder.mkdir()
        write_keys(folder, 2)
    # The stranger has the right certificate of party 0, and a key of its own for party 1.
    shutil.copy(own / "P0.pem", strange / "P0.pem")
    with held_ports(2) as first:
        waiting, stranger = _outcomes(_meetings([own, strange], first, ["argmax"] * 2, 1.0))
    assert "no party 1 at" in waiting
    assert stranger is not None


def test_a_port_that_is_taken_and_keys_that_are_not_there_are_refused_at_once(tmp_path: Path) -> None:
    write_keys(tmp_path, 2)
    with (
        held_ports(2) as first,
        socket.create_server(("", first)),
        pytest.raises(InputError, match="cannot be listened"),
    ):
        meet(_meetings([tmp_path] * 2, first, ["argmax"] * 2)[0])
    (tmp_path / "P1.pem").unlink()
    with pytest.raises(InputError, match=r"P1\.pem \(--keys\): cannot be read .*: get it from party 1"):
        check_keys(tmp_path, 0, 2)
    with pytest.raises(InputError, match=r"P2\.key \(--keys\): missing: make it with capc mpc keys --party 2"):
        check_keys(tmp_path, 2, 3)


def test_a_certificate_whose_time_is_over_is_refused_with_its_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_key(tmp_path, 0, days=2)
    ends = certificate_of(tmp_path, 0).not_valid_after_utc
    assert abs(ends - datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=2)) < datetime.timedelta(minutes=5)

    class Later(datetime.datetime):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> datetime.datetime:
            return ends + datetime.timedelta(seconds=1)

    monkeypatch.setattr(keys_module.datetime, "datetime", Later)
    with pytest.raises(InputError, match=f"to {ends:%Y-%m-%d %H:%M} UTC only: party 0 makes another"):
        certificate_of(tmp_path, 0)


@pytest.mark.parametrize("days", [0, -1, 3651])
def test_a_life_that_is_none_is_refused(days: int, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"days = {days} "):
        write_key(tmp_path, 0, days)


@pytest.mark.parametrize("text", ["host", "host:", ":5000", "host:x", "host:0", "host:65536", "host:٥"])
def test_addresses_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="give HOST:PORT"):
        parse_addresses([text])
