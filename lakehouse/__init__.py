"""Data and permission: what enters the lake, who may read it, and the proof of what was read."""
