"""Judges a port that plays one party of a session: live, the reference being all others, or on recorded messages."""
