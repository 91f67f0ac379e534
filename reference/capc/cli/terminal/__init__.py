"""What commands have in common: options that are told in a table, where output goes, and lines of progress."""
