"""What a released *label* costs, where nothing of the noised histogram leaves but which of its entries is the largest."""
