"""Secure two-party computation of circuits: the interface and the ideal; engines have rooms of their own."""
