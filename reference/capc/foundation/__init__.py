"""What everything stands on: errors, rings, bytes, randomness and the primitives of one library."""
