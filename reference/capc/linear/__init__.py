"""Linear layers on encrypted inputs: the interface, the ideal, and BFV."""
