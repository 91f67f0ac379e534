"""Costs as MP-SPDZ prints them, the model over a network, and the matrix of variants."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capc.errors import InputError
from capc_mpc import bench, embedded, steps
from capc_mpc.bench import Row, Variant
from capc_mpc.costs import Costs, Phase, read_costs
from capc_mpc.machine import Machine
from capc_mpc.network import Network, estimate
from capc_mpc.running import Limits

STREAM = """Using statistical security parameter 40
Detailed costs:
         90000 ANDs
          3500 integer multiplications
Spent 0.0110318 seconds (0.086928 MB, 74 rounds) on the online phase and 0.0731497 seconds (6.86546 MB, 19 rounds) on \
the preprocessing/offline phase.
Time = 0.0860039 seconds
Data sent = 6.95239 MB in ~93 rounds (party 0 only)
Global data sent = 13.9176 MB (all parties)
Actual preprocessing cost of program:
  Type int
          3500        Triples
Command line: x
         12 not a count
"""


def test_costs_are_read_from_the_error_streams() -> None:
    slower = "Time = 1e-01 seconds\nData sent = 1 MB in ~2 rounds (party 1 only)\n"
    costs = read_costs([STREAM, slower])
    assert costs == Costs(
        seconds=0.1,
        bytes_sent=13_917_600,
        rounds=93,
        online=Phase(0.0110318, 86_928, 74),
        offline=Phase(0.0731497, 6_865_460, 19),
        counts={"ANDs": 90000, "integer multiplications": 3500, "Triples": 3500},
    )


def test_without_a_global_figure_the_parties_are_added() -> None:
    lines = [f"Time = 0.5 seconds\nData sent = {mb} MB in ~{mb} rounds\n" for mb in (1, 2)]
    assert read_costs(lines) == Costs(0.5, 3_000_000, 1)


@given(st.integers(0, 10**6), st.integers(0, 10**4), st.integers(2, 5))
def test_the_model_adds_latency_for_each_round_and_time_for_each_bit(sent: int, rounds: int, parties: int) -> None:
    network = Network(latency_seconds=0.5, bits_per_second=8.0)
    seconds = estimate(Costs(2.0, sent * parties, rounds), parties, network)
    assert seconds == pytest.approx(2.0 + rounds / 2 + sent)


@pytest.mark.parametrize("values", [(-1.0, 1.0), (0.0, 0.0)])
def test_an_impossible_network_is_refused(values: tuple[float, float]) -> None:
    with pytest.raises(InputError, match="network"):
        Network(*values)


def test_the_matrix_has_the_embedded_engine_beside_each_group() -> None:
    points = list(bench.matrix(["argmax"], ["yao"], [2, 3], [1], 2))
    assert [(point.protocol, point.classes) for point in points] == [
        ("embedded", 2),
        ("yao", 2),
        ("embedded", 3),
        ("yao", 3),
    ]
    with pytest.raises(InputError, match="program 'argmix' is unknown"):
        list(bench.matrix(["argmix"], ["yao"], [2], [1], 2))


@pytest.mark.parametrize("program", bench.PROGRAMS)
def test_every_program_of_the_matrix_is_a_step_that_its_head_documents(program: str) -> None:
    step = Variant(program, "semi2k", 3, 2, 2).step()
    assert steps.parse(step.program, step.arguments) == step


def test_the_embedded_engine_is_measured_on_the_same_inputs(tmp_path: Path) -> None:
    machine = Machine(tmp_path, "0", {})
    row = bench.measure(Variant("label_release", embedded.NAME, 2, 1, 2), machine, Limits())
    assert row.costs is not None
    assert row.costs.counts["ANDs"] == embedded.circuit_of(row.variant.step()).and_count
    refused = bench.measure(Variant("discrete_gaussian", embedded.NAME, 2, 1, 2), machine, Limits())
    assert refused.refused == "the embedded engine has no circuit for it"


def test_what_cannot_run_says_why(tmp_path: Path) -> None:
    machine = Machine(tmp_path, "0", {})
    assert "yao has 2 parties" in bench.measure(Variant("guardian_free", "yao", 2, 1, 2), machine, Limits()).refused
    assert "semi2k-party.x is not in" in bench.measure(Variant("argmax", "semi2k", 2, 1, 2), machine, Limits()).refused


def test_plots_show_the_largest_batch_of_each_program(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    rows = [
        Row(Variant("argmax", name, 10, batch, 2), 2, "base", None, Costs(0.1 * batch, 100 * batch, 5), {})
        for name in ("semi2k", "yao")
        for batch in (1, 10)
    ]
    (file,) = bench.plot(rows, tmp_path)
    assert file.name == "argmax.png"
    assert file.read_bytes().startswith(b"\x89PNG")
