"""``capc account``: questions about what planned releases cost, and their answers."""
