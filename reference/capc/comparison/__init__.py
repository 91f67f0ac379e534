"""Variants to compare with. They leak what the protocol hides, and no run uses one unless it is asked for by name.

CKKS with square activations, in the manner of CryptoNets, stands where exact BFV with two-party ReLUs stands in the
protocol. It exists for benchmarks: docs/ckks-comparison.md lists what it leaks, and each leak has a test.
"""

from capc.comparison.ckks import (
    AnsweringPartyKeys,
    QueryingPartyKeys,
    answering_party_evaluate,
    answering_party_read_keys,
    querying_party_decrypt,
    querying_party_encrypt,
    querying_party_make_keys,
)
from capc.comparison.labelling import Comparison, LogitShares, open_comparison
from capc.comparison.network import SquareNetwork
from capc.comparison.parameters import CkksParameters

__all__ = [
    "AnsweringPartyKeys",
    "CkksParameters",
    "Comparison",
    "LogitShares",
    "QueryingPartyKeys",
    "SquareNetwork",
    "answering_party_evaluate",
    "answering_party_read_keys",
    "open_comparison",
    "querying_party_decrypt",
    "querying_party_encrypt",
    "querying_party_make_keys",
]
