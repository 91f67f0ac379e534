"""Data only: parameter sets, schemas and test vectors. One folder that a port in any language can vendor."""
