"""Vectors of sessions, set-ups, messages and steps."""
