"""Observed against expected counts: what is expected, shrunk ratios, scan statistics, unexpected places.

How an expected count is made belongs here; whether a count differs from it is asked in ``hypothesis_tests``.
"""
