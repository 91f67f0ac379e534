"""Files that are on the disk when a call returns, with one writer at a time."""
