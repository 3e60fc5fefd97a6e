"""Observed against expected counts: what is expected, shrunk ratios, scan statistics, unexpected places."""
