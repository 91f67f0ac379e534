"""Half-gates garbling and oblivious transfer, readable; needs `capc.foundation`, circuits and the interface only."""
