"""Worked examples of the specification: what its text prints of values, gate lists and source, made by the code."""
