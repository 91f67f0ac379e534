"""What a run leaves on disk, and finds again: files that are whole at every moment, and the journal."""
