"""Helpers that tests share: builders, hypothesis strategies, second implementations, and a driver of the steps."""
