"""The order of messages: one program for each role, links, and the whole protocol in one process."""
