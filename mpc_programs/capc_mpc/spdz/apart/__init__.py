"""Parties on machines of their own: they meet before a run, and what MP-SPDZ sends over TCP is carried under TLS."""
