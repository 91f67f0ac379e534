"""Costs as MP-SPDZ prints them."""

from capc_mpc.spdz.costs import Costs, Phase, read_costs

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
        sent=(6_952_390, 1_000_000),
        party_seconds=(0.0860039, 0.1),
    )


def test_without_a_global_figure_the_parties_are_added() -> None:
    lines = [f"Time = 0.5 seconds\nData sent = {mb} MB in ~{mb} rounds\n" for mb in (1, 2)]
    assert read_costs(lines) == Costs(0.5, 3_000_000, 1, sent=(1_000_000, 2_000_000), party_seconds=(0.5, 0.5))
