"""CKKS with squares, to compare with: it leaks what the protocol hides, and nothing that is shipped imports it.

In the manner of CryptoNets it stands where exact BFV with two-party ReLUs stands in the protocol.
docs/ckks-comparison.md lists what it leaks, and each leak has a test.
"""
