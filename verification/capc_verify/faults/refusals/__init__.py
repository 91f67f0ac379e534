"""Faults in what refuses: messages of a wrong form, sessions and inputs that are out of range, and ledgers."""
