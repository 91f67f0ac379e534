"""Faults of jobs: what a run keeps of rows, seeds and models, and what its page and its engines admit."""
