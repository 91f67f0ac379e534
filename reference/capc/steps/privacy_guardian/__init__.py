"""The privacy guardian's steps."""
