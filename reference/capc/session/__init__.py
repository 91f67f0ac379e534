"""What all parties of a session agree on, and the header of every message between them."""
