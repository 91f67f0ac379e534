"""What lowering a network is made of: forms of values, transpositions and constants taken up, the stages so far."""
