"""Parties in namespaces over the link: what was asked is what is measured, and nothing remains."""

import math
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from capc.foundation.errors import InputError
from capc_mpc.emulated import network
from capc_mpc.emulated.network import EmulatedNetwork, LinkError, LinkSpec
from capc_mpc.emulated.probe import ceiling, talk
from capc_mpc.modelled.prediction import marks_of, predict
from capc_mpc.modelled.programme import programme_of
from capc_mpc.modelled.recording import recording_of
from support.emulated import needs_network

pytestmark = [needs_network, pytest.mark.slow]

CALLER = """
import subprocess, sys, time
from capc_mpc.emulated.network import EmulatedNetwork, LinkSpec
with EmulatedNetwork(2, LinkSpec()) as network:
    party = subprocess.Popen(network.command(0, ["sleep", "60"]), start_new_session=True)
    child = ["sh", "-c", "setsid sleep 61 & wait"]
    other = subprocess.Popen(network.command(1, child), start_new_session=True)
    print(network.process_id, party.pid, other.pid, flush=True)
    party.wait()
"""


WITHOUT_NETEM = """
import sys
from capc_mpc.emulated import netem, process
told = netem.party_commands
netem.party_commands = lambda *values, **named: told(*values, **named)[:-1]
process.main(sys.argv[1])
"""

AS_NOBODY = """
import os, sys
from capc_mpc.emulated import process
os.setuid(65534)
process.main(sys.argv[1])
"""


def gone(process: int) -> bool:
    """Whether it has ended, though perhaps nobody has asked how."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def beside(process: int) -> list[int]:
    """Processes in the same namespace; none while that is still this one's."""
    network = Path(f"/proc/{process}/ns/net").readlink()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (folder / "ns" / "net").readlink() == network:
                found.append(int(folder.name))
    return [] if os.getpid() in found else found


@pytest.mark.parametrize(("delay", "rate", "count"), [(0.02, 1e8, 1 << 20), (0.0004, 2e7, 300_000)])
def test_a_link_has_the_delay_and_the_rate_that_were_asked_for(delay: float, rate: float, count: int) -> None:
    with EmulatedNetwork(2, LinkSpec(delay, rate), kind="tun", first=True) as made:
        done = talk(made, 5, count)
    assert 2 * delay <= done.trip < 2 * delay + 0.002
    report = made.report
    assert report is not None
    assert report.dropped == 0
    # Every byte takes its time on the wire; a window that doubles from ten segments fills it after some round trips.
    least = 8 * count / rate + 2 * delay
    filling = math.log2(max(1, 2 * delay * rate / 8 / 14_600))
    assert least <= done.transfer < 1.1 * least + (filling + 1) * 2 * delay
    assert count < report.wire_bytes[1] < 1.1 * count + 4_000
    assert 0 <= report.late_mean < 0.001


def test_what_goes_over_a_link_is_recorded_with_its_times() -> None:
    with EmulatedNetwork(2, LinkSpec(0.005), recording=True, first=True) as made:
        talk(made, 3, 5_000)
    assert made.report is not None
    carried = made.report.carried
    assert sum(each.payload for each in carried if each.sender == 1) == 3 + 5_000
    assert sum(each.payload for each in carried if each.sender == 0) == 3 + 1
    assert all(0.005 <= each.arrived - each.sent < 0.02 for each in carried)
    assert [each.arrived for each in carried] == sorted(each.arrived for each in carried)


def test_two_networks_at_once_do_not_meet() -> None:
    with (
        EmulatedNetwork(2, LinkSpec(0.001), first=True) as one,
        EmulatedNetwork(2, LinkSpec(0.01), first=True) as other,
    ):
        assert one.address(0) == other.address(0)
        assert 0.002 <= talk(one, 3, 10).trip < 0.01
        assert 0.02 <= talk(other, 3, 10).trip < 0.04


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_nothing_remains_of_a_caller_that_is_killed(number: int) -> None:
    command = [sys.executable, "-c", CALLER]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True) as caller:
        assert caller.stdout is not None
        link, first, second = map(int, caller.stdout.readline().split())
        end = time.monotonic() + 5
        while len(beside(second)) < 2 and time.monotonic() < end:
            time.sleep(0.01)
        inside = [first, *beside(second)]
        os.killpg(caller.pid, number)
    assert len(inside) == 3
    while not all(map(gone, [link, *inside])) and time.monotonic() < end:
        time.sleep(0.01)
    assert [process for process in [link, *inside] if not gone(process)] == []


def test_a_link_that_ends_is_an_error_and_no_figure() -> None:
    made = EmulatedNetwork(2, LinkSpec())
    with pytest.raises(LinkError, match="the emulated link ended"), made:
        os.kill(made.process_id, signal.SIGKILL)
    assert made.report is None


def test_who_may_not_make_namespaces_reads_what_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "_LINK", ("-c", AS_NOBODY))
    with pytest.raises(InputError) as caught, EmulatedNetwork(2, LinkSpec()):
        pass
    assert re.fullmatch(r"no emulated network: .*not permitted; run it as root on Linux .*", str(caught.value))


@pytest.mark.parametrize("whole", [True, False])
def test_the_kernel_s_own_link_connects_parties_too(whole: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cables, bridge and addresses work without netem; with it, where the kernel has it, there is the delay too."""
    if not whole:
        monkeypatch.setattr(network, "_LINK", ("-c", WITHOUT_NETEM))
    try:
        with EmulatedNetwork(3, LinkSpec(0.003, 1e7), kind="netem") as made:
            assert talk(made, 3, 10).trip >= (0.006 if whole else 0)
    except InputError as error:
        if not whole or "kind is unknown" not in str(error):
            raise
        pytest.skip(f"this kernel has no netem: {error}")


def test_what_is_recorded_over_one_link_predicts_another() -> None:
    recorded = []
    for delay in (0.0, 0.01):
        with EmulatedNetwork(2, LinkSpec(delay), recording=True, first=True) as made:
            done = talk(made, 6, 200_000)
        assert made.report is not None
        recorded.append(recording_of(made.report.carried, marks_of(1, [(done.began, done.ended)])))
    predicted = predict(programme_of(recorded[0], recorded[1:]), far := LinkSpec(0.02, 1e7))
    with EmulatedNetwork(2, far, first=True) as made:
        done = talk(made, 6, 200_000)
    assert predicted.messages >= 14
    assert predicted.seconds == pytest.approx(done.ended - done.began, rel=0.1)


def test_the_link_s_own_ceiling_is_far_above_the_links_that_are_measured() -> None:
    found = ceiling(first=True)
    assert found.trip_seconds < 0.002
    assert found.bits_per_second > 2e8
    assert 0 < found.cpu_per_gigabyte < 20
