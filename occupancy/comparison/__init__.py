"""Recorded models compared on the same test rows."""
