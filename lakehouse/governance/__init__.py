"""Permits, scope, disclosure: what a study may read, what it did read, and what may leave."""
