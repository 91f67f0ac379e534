"""One party of a run among several machines: each organisation starts its own party and sees its own inputs only."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from capc.foundation.errors import InputError
from capc_mpc.interface.encoding import Case, FullCase, complete, decode_party, input_text, printed
from capc_mpc.interface.protocols import Channels, Model, Protocol, check_model, protocol_named
from capc_mpc.interface.steps import Step
from capc_mpc.spdz.apart.meeting import Meeting, meet, parse_addresses
from capc_mpc.spdz.apart.relay import enclosed, enclosing, relayed
from capc_mpc.spdz.compiling import bytecode_name, compiled, default_cache, text_digest
from capc_mpc.spdz.costs import Costs, read_costs
from capc_mpc.spdz.kept import keep as keep_keys
from capc_mpc.spdz.kept import require_place
from capc_mpc.spdz.machine import Machine, the_machine
from capc_mpc.spdz.processes import Limits, execute, failure, failures, read_streams
from capc_mpc.spdz.running import flags, fresh_source, prepare

_FIRST_PORT = 5000
"""Of the parties as an enclosed one sees them, in a network of its own."""


@dataclass(frozen=True)
class Deployment:
    """Where the parties are.

    Attributes:
        addresses: `host:port` of every party, in their order.
        keys: a folder with this party's key and every party's certificate, under MP-SPDZ's names: P0.key, P0.pem, and
            one link per certificate by its subject hash (:func:`capc_mpc.spdz.keys.write_keys`, or MP-SPDZ's own
            script). Keys that the parties generate together under `lowgear` are kept there too.
        wait_seconds: how long to wait for the others; None leaves it to MP-SPDZ, which gives up after a minute.
        plain_channels: whether messages may go outside of TLS, since something else protects them. Else a relay carries
            those that MP-SPDZ would send so.
    """

    addresses: tuple[str, ...]
    keys: Path
    wait_seconds: float | None = 60.0
    plain_channels: bool = False


@dataclass(frozen=True)
class PartyRun:
    """One party's part of a run.

    Attributes:
        learnt: the numbers that it learns, by name, one per case.
        raw: what it printed, name and values.
        cases: its own inputs, with what was drawn for it.
        costs: as its own party program reports them.
    """

    learnt: dict[str, list[int]] = field(repr=False)
    raw: list[tuple[str, list[int]]] = field(repr=False)
    cases: list[FullCase] = field(repr=False)
    costs: Costs


def needs_relay(row: Protocol) -> bool:
    """Whether MP-SPDZ leaves some of a protocol's messages outside of TLS, so that a relay has to carry them.

    Raises:
        InputError: it does, and party programs cannot be enclosed here.
    """
    if row.channels is Channels.TLS:
        return False
    if enclosing() is None:
        what = "its channels" if row.channels is Channels.PLAIN else "its public keys"
        raise InputError(
            f"protocol {row.name}: MP-SPDZ sends {what} outside of TLS, and a relay needs network namespaces: unshare, "
            f"on Linux. Choose semi2k or semi-bin, or give --plain-channels where a tunnel of yours joins the parties"
        )
    return True


def run_party(
    step: Step,
    party: int,
    cases: Sequence[Case] | None,
    protocol: str,
    deployment: Deployment,
    *,
    model: Model = Model.BASE,
    limits: Limits | None = None,
    machine: Machine | None = None,
    cache: Path | None = None,
) -> PartyRun:
    """Runs one party, which waits for the others at their addresses.

    Args:
        step: program and arguments; every party names the same ones.
        party: its number in the program.
        cases: this party's fields only; None for a party without inputs.
        protocol: a name of the table; every party names the same one.
        deployment: addresses and keys.
        model: the threat model that the configuration declares.
        limits: time of the run itself, and memory.
        machine: the MP-SPDZ to use; the installed one by default.
        cache: where compiled programs are kept.

    Raises:
        InputError: as :func:`capc_mpc.spdz.running.run`; another number of addresses than the run has parties; keys
            that are missing or whose time is over; or messages would go outside of TLS, and nothing can carry them.
        MpcError: compiler or machine failed, a limit was reached, or another party did not come or means another run.
    """
    row, limits = protocol_named(protocol), limits or Limits()
    check_model(row, model)
    parties = row.parties_for(step.parties)
    if len(deployment.addresses) != parties or not 0 <= party < parties:
        raise InputError(
            f"party {party} and {len(deployment.addresses)} addresses for a run of {parties} parties: give one address "
            f"for each, and a party among them"
        )
    relays = not deployment.plain_channels and needs_relay(row)
    require_place(row, deployment.keys)
    addresses = parse_addresses(deployment.addresses)
    machine = machine or the_machine()
    program = machine.party_program(row.program)
    given = [{} for _ in range(step.batch)] if cases is None else cases
    own = complete(step, row.domain, given, {party: fresh_source()})
    programs = compiled(machine, step, row, parties, cache or default_cache(), limits.seconds)
    purpose = f"{bytecode_name(step)} ({text_digest(step)[:16]}) under {row.name} of MP-SPDZ {machine.version}"
    meeting = Meeting(party, addresses, deployment.keys, purpose, deployment.wait_seconds or 0.0)
    if deployment.wait_seconds is not None:
        meet(meeting)
    with tempfile.TemporaryDirectory(prefix="capc-mpc-") as name:
        folder = Path(name)
        data = prepare(folder, programs.programs, {party: input_text(step, row.domain, party, own)})
        shutil.copytree(deployment.keys, data, dirs_exist_ok=True)
        command = [str(program), *flags(row, step, parties, party), "-ip", "addresses", bytecode_name(step)]
        what, ports = f"{step.program} under {row.name}", range(_FIRST_PORT, _FIRST_PORT + parties)
        listed = [f"127.0.0.1:{port}" for port in ports] if relays else deployment.addresses
        (folder / "addresses").write_text("\n".join(listed) + "\n")
        with relayed(meeting, folder) if relays else nullcontext():
            placed = enclosed(party, ports, command) if relays else command
            ended = execute({party: placed}, folder, limits, what)
        if failures(ended):
            raise failure(ended, folder, what)
        out, err = read_streams(folder, party)
        keep_keys(row, data, deployment.keys)
    raw = printed(out)
    return PartyRun(decode_party(step, row.domain, party, raw, own), raw, own, read_costs([err]))
