"""The cases of each vector file."""
