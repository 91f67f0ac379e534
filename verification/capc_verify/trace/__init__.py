"""Every MUST of the specification tied to evidence: the parser, the collectors, the report, the lock, the check."""
