"""The operations of the vectors: thin calls of the shipped code, one module per part of the specification."""
