"""What each role computes from what it knows: bytes in, bytes out. No step knows the order of messages."""
