"""Test vectors: what every implementation of the protocol must reproduce, in files that need no code to be read."""
