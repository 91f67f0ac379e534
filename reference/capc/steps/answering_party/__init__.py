"""An answering party's steps."""
