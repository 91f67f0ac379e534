"""Verification of the CaPC reference: traceability, test vectors, views and seeded faults."""
