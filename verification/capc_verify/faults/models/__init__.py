"""Faults of how a network becomes stages."""
