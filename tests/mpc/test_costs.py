"""Costs as MP-SPDZ prints them, the model over a network, and the matrix of variants."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capc.foundation.errors import InputError
from capc_mpc.interface import steps
from capc_mpc.interface.protocols import Adversary, Model
from capc_mpc.measuring import bench, bench_report, embedded
from capc_mpc.measuring.bench import Row, Variant
from capc_mpc.measuring.network import Network, estimate
from capc_mpc.spdz.costs import Costs, Phase, read_costs
from capc_mpc.spdz.machine import Machine
from capc_mpc.spdz.running import Limits

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
    points = list(bench.matrix(["argmax"], ["yao"], [2, 3], [1], [2, 4]))
    assert [(point.protocol, point.classes) for point in points] == [
        ("embedded", 2),
        ("yao", 2),
        ("embedded", 3),
        ("yao", 3),
    ]
    with pytest.raises(InputError, match="program 'argmix' is unknown"):
        list(bench.matrix(["argmix"], ["yao"], [2], [1], [2]))


def test_numbers_of_answering_parties_are_varied_where_they_matter() -> None:
    points = list(bench.matrix(["argmax", "guardian_free"], ["semi2k"], [2], [1], [2, 4]))
    assert [(p.program, p.answering) for p in points if p.protocol == "semi2k"] == [
        ("argmax", 2),
        ("guardian_free", 2),
        ("guardian_free", 4),
    ]


@pytest.mark.parametrize("program", bench.PROGRAMS)
def test_every_program_of_the_matrix_is_a_step_that_its_head_documents(program: str) -> None:
    step = Variant(program, "semi2k", 3, 2, 2).step()
    assert steps.parse(step.program, step.arguments) == step


@pytest.mark.slow
@pytest.mark.parametrize(
    "program",
    ["argmax", "label_release", "label_release_single_draw", "label_release_worst_case", "label_release_realised"],
)
def test_the_embedded_engine_is_measured_and_compared_on_the_same_inputs(program: str, tmp_path: Path) -> None:
    row = bench.measure(Variant(program, embedded.NAME, 3, 9, 2), Machine(tmp_path, "0", {}), Limits(), {}, 2)
    assert row.equal is True
    assert row.costs is not None
    assert len(row.seconds) == 2
    assert row.costs.counts["ANDs"] == 9 * embedded.circuit_of(row.variant.step()).and_count


def test_a_wrong_output_of_the_embedded_engine_is_noticed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    right = embedded.expected

    def wrong(step: steps.Step, cases: list) -> list:
        told = right(step, cases)
        told[1]["vote.0"][0] ^= 1
        return told

    monkeypatch.setattr(embedded, "expected", wrong)
    row = bench.measure(Variant("argmax", embedded.NAME, 2, 1, 2), Machine(tmp_path, "0", {}), Limits(), {})
    assert row.equal is False


def test_what_cannot_run_says_why(tmp_path: Path) -> None:
    def refused(program: str, protocol: str) -> str | None:
        return bench.measure(Variant(program, protocol, 2, 1, 2), Machine(tmp_path, "0", {}), Limits(), {}).refused

    assert refused("discrete_gaussian", embedded.NAME) == "the embedded engine has no circuit for it"
    assert "yao has 2 parties" in refused("guardian_free", "yao")
    assert "semi2k-party.x is not in" in refused("argmax", "semi2k")


@pytest.mark.parametrize(("seconds", "runs"), [(bench._LONG_SECONDS + 1, 1), (0.1, 3)])
def test_a_long_run_is_not_repeated(seconds: float, runs: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(bench, "_run_once", lambda *_: (True, Costs(seconds, 1, 1)))
    row = bench.measure(Variant("argmax", "semi2k", 2, 1, 2), Machine(tmp_path, "0", {}), Limits(), {}, 3)
    assert row.seconds == [seconds] * runs


NETWORK = {"far": Network(0.5, 8e6)}
ROWS = [
    Row(
        Variant("argmax", name, classes, batch, 2),
        2,
        Model.BASE,
        Adversary.MALICIOUS if name == "mascot" else Adversary.SEMI_HONEST,
        True,
        Costs(0.1 * batch, 1000 * batch, 5, Phase(0.1, 2, 3)),
        [0.1 * batch],
        {"far": 0.1 * batch + 2.5 + batch / 2000},
    )
    for name in ("embedded", "semi2k", "mascot")
    for classes in (3, 10)
    for batch in (1, 10)
]
FOUND = {"capc": "1", "command": "capc mpc bench", "mp_spdz": "9", "platform": "p", "date": "d"}
REFUSED = Row(Variant("argmax", "yao", 10, 10, 2), 2, Model.BASE, Adversary.SEMI_HONEST, None, None, [], {}, "why not")


def test_a_report_is_read_again_and_modelled_over_another_network(tmp_path: Path) -> None:
    found = bench_report.document([*ROWS, REFUSED], Machine(tmp_path, "9", {}), NETWORK, ["mpc", "bench"])
    file = tmp_path / "bench.json"
    file.write_text(json.dumps(found))
    document, rows = bench_report.load(file)
    assert rows == [*ROWS, REFUSED]
    assert (document["mp_spdz"], document["networks"]["far"]["latency_seconds"]) == ("9", 0.5)
    assert document["command"] == "capc mpc bench"
    nearer = bench_report.over(rows, {"near": Network(0.0, 8e6)})
    assert [row.network_seconds["near"] for row in nearer] == [
        pytest.approx(row.network_seconds["far"] - 2.5) for row in ROWS
    ]


@pytest.mark.parametrize("text", ["", "[]", '{"schema": "other", "rows": []}', '{"rows": []}'])
def test_a_file_that_is_no_report_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(InputError, match=r"x\.json: no report of capc mpc bench"):
        bench_report.load(tmp_path / "x.json")


@pytest.mark.slow
@pytest.mark.parametrize("classes", [(10,), (3, 10)])
def test_a_report_has_a_table_and_a_figure_for_each_program(classes: tuple[int, ...], tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    rows = [row for row in [*ROWS, REFUSED] if row.variant.classes in classes]
    bench_report.write_folder(tmp_path, FOUND, rows, NETWORK)
    text = (tmp_path / "README.md").read_text()
    assert "| mascot | base, malicious | 2 | 10 | 10 | 100 | 1,000 | 5 | 350 | yes |" in text
    assert "did not run: why not" in text
    assert "(argmax.svg)" in text
    figure = (tmp_path / "argmax.svg").read_text()
    assert all(words in figure for words in ("ms per case", "bytes per case", "rounds", "mascot (2)"))
    bench_report.write_folder(tmp_path, FOUND, rows, NETWORK)
    assert (tmp_path / "argmax.svg").read_text() == figure
