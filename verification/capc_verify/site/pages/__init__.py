"""Pages that are made from what stands behind the statements: evidence, tests, vectors, faults, code."""
