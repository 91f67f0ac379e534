"""Proofs by a solver (z3): of the circuits that are garbled, and of the programs that MP-SPDZ runs."""
