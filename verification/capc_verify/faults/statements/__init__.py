"""Faults in bounds and labels of single statements, which were found by drawing statements at random."""
