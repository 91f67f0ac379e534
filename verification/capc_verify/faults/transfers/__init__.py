"""Faults in oblivious transfer, and the tests that must notice them."""
