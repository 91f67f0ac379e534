"""Half-gates garbling and oblivious transfer, readable; needs `capc.foundation` and circuits only."""
