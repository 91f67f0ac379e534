"""What runs cost, beside the embedded engine and over modelled networks, and the evidence on record."""
