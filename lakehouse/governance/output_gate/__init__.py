"""Judges every file that wants to leave; knows nothing of how it was suppressed."""
