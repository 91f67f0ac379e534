"""Tensors as polynomials: which coefficient holds which product."""
