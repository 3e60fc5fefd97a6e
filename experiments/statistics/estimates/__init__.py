"""Sizes of effects with their intervals: shares, risk ratios, adjusted for strata or not.

A new measure of an effect is a new module here; a count over its expectation belongs in ``observed_expected``.
"""
