"""What a run tells of itself, for machines and for people."""
