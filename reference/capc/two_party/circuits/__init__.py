"""Boolean circuits of the two-party steps: what is computed on shares, gate by gate (spec/05-two-party.md)."""
