"""What lowering a network is made of: transpositions taken up, and the stages so far."""
