"""Evidence that is run again: which tests, in a pytest of their own, what became of each, and going on after Ctrl-C."""
