"""Ciphertexts as bytes."""
