"""The answers of `capc account`, with what must stand beside each of them."""
