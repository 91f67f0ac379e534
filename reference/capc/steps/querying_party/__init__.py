"""The querying party's steps."""
