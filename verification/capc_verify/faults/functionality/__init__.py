"""Faults in the ideal functionalities, and the tests that must notice them."""
