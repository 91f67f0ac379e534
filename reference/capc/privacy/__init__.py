"""What a released label costs: events, query costs, and the account that refuses."""
