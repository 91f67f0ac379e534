"""Benchmarks of the CaPC reference; not part of the wheel."""
