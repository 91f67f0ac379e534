"""Operators, pools and whole models: their vectors, and oracles that share no code with the reference."""
