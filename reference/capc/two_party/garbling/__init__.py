"""Half-gates garbling, readable, over oblivious transfer; needs `capc.foundation`, circuits and the interface only."""
