"""What a released label costs, where nothing leaves of the noised histogram but which entry is the largest."""
