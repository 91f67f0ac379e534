"""Models as integers: operators, architectures, and their evaluation in the clear."""
